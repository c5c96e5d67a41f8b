"""A span of OpenTelemetry's conventions for generative AI as a ``usage.request.v1``.

``docs/producers/opentelemetry.md`` is the same as a table. Any object with the attributes of the
SDK's ``ReadableSpan`` will do; the SDK itself is not needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from schemas import Request

OK, FAILED = 200, 500
"""The status of a span without ``http.response.status_code``: HTTP's own words for both."""

TENANT = ("usage.tenant", "tenant.id")
"""Where the tenant stands, on the span or else its resource: OpenTelemetry has no name for it."""

OF_NO_MODEL = frozenset(
    ("create_agent", "invoke_agent", "invoke_workflow", "execute_tool", "retrieval", "plan")
)
"""Operations whose spans call no model themselves, though they may name one, and its tokens."""

_TEXTS = {
    "operation": ("gen_ai.operation.name",),
    "model": ("gen_ai.request.model", "gen_ai.response.model"),
    "response_model": ("gen_ai.response.model",),
    "provider": ("gen_ai.provider.name", "gen_ai.system"),
    "agent_id": ("gen_ai.agent.id",),
    "user_id": ("usage.user_id", "user.id", "enduser.id"),
    "team_id": ("usage.team_id",),
    "token_id": ("usage.token_id",),
    "error_type": ("error.type",),
}
_COUNTS = {
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "cache_read_input_tokens": ("gen_ai.usage.cache_read.input_tokens",),
    "cache_creation_input_tokens": ("gen_ai.usage.cache_creation.input_tokens",),
    "reasoning_output_tokens": ("gen_ai.usage.reasoning.output_tokens",),
}
"""Field to attribute, the first that is there; the later ones are older names."""


@dataclass(frozen=True)
class Mapped:
    """What an emitter takes: ``emit(m.data, tenant=m.tenant, id=m.id, time=m.time)``."""

    data: Request
    tenant: str
    id: str
    time: datetime


def mapped(span: Any) -> Mapped | None:
    """The request that a finished span is about; None if it is of something else, or of nobody.

    A span that calls no model (of a tool, of an agent as a whole) is none: its model calls have
    spans of their own, and would be counted twice.
    """
    attributes: Mapping[str, Any] = span.attributes or {}
    tenant = _first(attributes, TENANT) or _first(span.resource.attributes, TENANT)
    fields: dict[str, Any] = {name: _first(attributes, where) for name, where in _COUNTS.items()}
    for name, where in _TEXTS.items():
        found = _first(attributes, where)
        fields[name] = None if found is None else str(found)
    if not (tenant and fields["operation"] and fields["model"]):
        return None
    if fields["operation"] in OF_NO_MODEL:
        return None
    data = Request(
        status_code=_status(span, attributes),
        duration_ms=max(span.end_time - span.start_time, 0) / 1_000_000,
        **fields,
    )
    context = span.get_span_context()
    return Mapped(
        data,
        tenant=str(tenant),
        # The same span exported twice is one event.
        id=f"{context.trace_id:032x}-{context.span_id:016x}",
        time=datetime.fromtimestamp(span.end_time / 1_000_000_000, UTC),
    )


def _status(span: Any, attributes: Mapping[str, Any]) -> int:
    status = attributes.get("http.response.status_code")
    if status is not None:
        return int(status)
    return FAILED if span.status.status_code.name == "ERROR" or "error.type" in attributes else OK


def _first(attributes: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((attributes[name] for name in names if attributes.get(name) is not None), None)
