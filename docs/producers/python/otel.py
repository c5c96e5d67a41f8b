"""A span of OpenTelemetry's conventions for generative AI as a ``usage.request.v1``.

``docs/producers/opentelemetry.md`` is the same as a table. Any object with the attributes of the
SDK's ``ReadableSpan`` will do; the SDK itself is not needed.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from schemas import Request

OK, FAILED = 200, 500
"""The status of a span without ``http.response.status_code``: HTTP's own words for both."""

LEFT_OUT = Counter[str]()
"""How many spans were left out, by why: a total that falls short of the traces can be explained."""

TENANT = ("usage.tenant", "tenant.id")
"""Where the tenant stands, on the span or else its resource: OpenTelemetry has no name for it."""

OF_NO_MODEL = frozenset(
    ("create_agent", "invoke_agent", "invoke_workflow", "execute_tool", "retrieval", "plan")
)
"""Operations whose spans call no model themselves, though they may name one, and its tokens."""

KINDS = {"LLM": "chat", "EMBEDDING": "embeddings"}
"""OpenInference's kinds of spans that call a model, as operations; all its others call none."""

VERCEL = {
    "ai.generateText.doGenerate": "chat",
    "ai.streamText.doStream": "chat",
    "ai.generateObject.doGenerate": "chat",
    "ai.streamObject.doStream": "chat",
    "ai.embed.doEmbed": "embeddings",
    "ai.embedMany.doEmbed": "embeddings",
}
"""Spans of Vercel's AI SDK that call a model; those around them sum the same tokens up again."""

_TEXTS = {
    "model": (
        "gen_ai.request.model",
        "gen_ai.response.model",
        "llm.model_name",
        "embedding.model_name",
        "ai.model.id",
    ),
    "response_model": ("gen_ai.response.model", "ai.response.model"),
    "provider": (
        "gen_ai.provider.name",
        "gen_ai.system",
        "llm.provider",
        "llm.system",
        "ai.model.provider",
    ),
    "agent_id": ("gen_ai.agent.id",),
    "user_id": ("usage.user_id", "user.id", "enduser.id", "ai.telemetry.metadata.userId"),
    "team_id": ("usage.team_id",),
    "token_id": ("usage.token_id",),
    "error_type": ("error.type",),
}
_COUNTS = {
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
        "ai.usage.tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "ai.usage.outputTokens",
        "ai.usage.completionTokens",
    ),
    "cache_read_input_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "llm.token_count.prompt_details.cache_read",
        "ai.usage.cachedInputTokens",
    ),
    "cache_creation_input_tokens": (
        "gen_ai.usage.cache_creation.input_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    "reasoning_output_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "llm.token_count.completion_details.reasoning",
        "ai.usage.reasoningTokens",
    ),
}
"""Field to attribute, the first that is there; then older names, OpenInference's and Vercel's."""


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
    spans of their own, and would be counted twice. `LEFT_OUT` counts those that are none.
    """
    attributes: Mapping[str, Any] = span.attributes or {}
    tenant = _first(attributes, TENANT) or _first(span.resource.attributes, TENANT)
    fields: dict[str, Any] = _counts(attributes)
    for name, where in _TEXTS.items():
        found = _first(attributes, where)
        fields[name] = None if found is None else str(found)
    fields["operation"] = operation = _operation(attributes)
    for why, is_so in (
        ("no model call", operation is None or operation in OF_NO_MODEL),
        ("no model", not fields["model"]),
        ("no tenant", not tenant),
    ):
        if is_so:
            LEFT_OUT[why] += 1
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


def _operation(attributes: Mapping[str, Any]) -> str | None:
    """The operation; None where the span says of none of the conventions that it is one."""
    named = attributes.get("gen_ai.operation.name")
    vercel = attributes.get("ai.operationId")
    if vercel is not None:  # its spans have both; only this one tells the inner from the outer
        return VERCEL.get(str(vercel))
    return str(named) if named else KINDS.get(str(attributes.get("openinference.span.kind")))


def _counts(attributes: Mapping[str, Any]) -> dict[str, int | None]:
    """The token counts, fractions rounded up, and cached tokens added where input lacks them.

    Anthropic's `input_tokens` leaves cached tokens out, and some instrumentations hand it on as it
    is: an input that is less than its parts cannot hold them. Where it is not, nobody can tell.
    """
    found = {name: _first(attributes, where) for name, where in _COUNTS.items()}
    counts = {name: None if n is None else math.ceil(n) for name, n in found.items()}
    cached = sum(counts[f"cache_{kind}_input_tokens"] or 0 for kind in ("read", "creation"))
    given = counts["input_tokens"]
    if given is not None and given < cached:
        counts["input_tokens"] = given + cached
    return counts


def _status(span: Any, attributes: Mapping[str, Any]) -> int:
    status = attributes.get("http.response.status_code")
    if status is not None:
        return int(status)
    return FAILED if span.status.status_code.name == "ERROR" or "error.type" in attributes else OK


def _first(attributes: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((attributes[name] for name in names if attributes.get(name) is not None), None)
