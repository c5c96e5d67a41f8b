"""OpenTelemetry's spans of model calls, made by its SDK, as events."""

from __future__ import annotations

import importlib.util
import re
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.trace import Status, StatusCode

from schemas import Request, encoding

PRODUCERS = Path(__file__).parents[2] / "docs" / "producers"
START_NS = 1_772_368_496_000_000_000  # 2026-03-01T12:34:56Z
CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o-mini",
    "usage.tenant": "acme",
}


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("otel_example", PRODUCERS / "python" / "otel.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


otel = _load()


def span(
    attributes: dict[str, Any], *, failed: bool = False, resource: dict[str, Any] | None = None
) -> ReadableSpan:
    """Return a finished span of 812.5 ms."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource(resource or {}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    one = provider.get_tracer("test").start_span("chat", start_time=START_NS, attributes=attributes)
    if failed:
        one.set_status(Status(StatusCode.ERROR))
    one.end(START_NS + 812_500_000)
    (finished,) = exporter.get_finished_spans()
    return finished


def test_a_full_span_fills_every_field_but_the_cost() -> None:
    finished = span(
        CALL
        | {
            "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
            "gen_ai.provider.name": "openai",
            "gen_ai.agent.id": "a-5",
            "gen_ai.usage.input_tokens": 900,
            "gen_ai.usage.output_tokens": 120,
            "gen_ai.usage.cache_read.input_tokens": 300,
            "gen_ai.usage.cache_creation.input_tokens": 50,
            "gen_ai.usage.reasoning.output_tokens": 64,
            "http.response.status_code": 429,
            "error.type": "rate_limited",
            "user.id": "u-3",
            "usage.team_id": "t-1",
            "usage.token_id": "tok-17",
        }
    )
    found = otel.mapped(finished)
    assert found.data == Request(
        operation="chat",
        model="gpt-4o-mini",
        status_code=429,
        duration_ms=812.5,
        token_id="tok-17",
        user_id="u-3",
        team_id="t-1",
        agent_id="a-5",
        input_tokens=900,
        output_tokens=120,
        cache_read_input_tokens=300,
        cache_creation_input_tokens=50,
        reasoning_output_tokens=64,
        provider="openai",
        response_model="gpt-4o-mini-2024-07-18",
        error_type="rate_limited",
    )
    context = finished.get_span_context()
    assert context is not None
    assert found.id == f"{context.trace_id:032x}-{context.span_id:016x}"
    assert (found.tenant, found.time) == (
        "acme",
        datetime(2026, 3, 1, 12, 34, 56, 812_500, tzinfo=UTC),
    )
    event = encoding.event(
        found.data, tenant=found.tenant, id=found.id, time=found.time, source="/otel"
    )
    assert encoding.encode(event)


@pytest.mark.parametrize(
    ("attributes", "failed", "status"),
    [
        ({}, False, 200),
        ({}, True, 500),
        ({"error.type": "timeout"}, False, 500),
        ({"http.response.status_code": 503}, False, 503),
    ],
)
def test_the_status(attributes: dict[str, Any], failed: bool, status: int) -> None:
    assert otel.mapped(span(CALL | attributes, failed=failed)).data.status_code == status


def test_older_names_and_the_resource_do_too() -> None:
    old = {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.response.model": "m",
        "gen_ai.system": "openai",
        "gen_ai.usage.prompt_tokens": 7,
        "gen_ai.usage.completion_tokens": 0,
        "enduser.id": "u",
    }
    found = otel.mapped(span(old, resource={"tenant.id": "globex"}))
    assert found.tenant == "globex"
    assert (found.data.model, found.data.provider, found.data.user_id) == ("m", "openai", "u")
    assert (found.data.input_tokens, found.data.output_tokens) == (7, 0)


@pytest.mark.parametrize("missing", CALL)
def test_what_is_no_request_of_somebody_is_left_out(missing: str) -> None:
    attributes = {name: value for name, value in CALL.items() if name != missing}
    assert otel.mapped(span(attributes)) is None


@pytest.mark.parametrize("operation", sorted(otel.OF_NO_MODEL))
def test_an_agents_run_is_left_out_though_it_names_a_model(operation: str) -> None:
    """Its model calls have spans of their own, and would be counted twice."""
    tokens = {"gen_ai.usage.input_tokens": 900, "gen_ai.operation.name": operation}
    assert otel.mapped(span(CALL | tokens)) is None


def test_every_operation_is_a_model_call_or_left_out() -> None:
    known = {value.value for value in gen_ai_attributes.GenAiOperationNameValues}
    assert known - otel.OF_NO_MODEL == {"chat", "text_completion", "generate_content", "embeddings"}


def test_spans_by_the_names_of_openinference() -> None:
    call = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "claude-sonnet-4",
        "llm.provider": "anthropic",
        "llm.token_count.prompt": 500,
        "llm.token_count.completion": 60,
        "llm.token_count.prompt_details.cache_read": 400,
        "llm.token_count.completion_details.reasoning": 20,
        "usage.tenant": "acme",
    }
    data = otel.mapped(span(call)).data
    assert (data.operation, data.model, data.provider) == ("chat", "claude-sonnet-4", "anthropic")
    assert (data.input_tokens, data.cache_read_input_tokens) == (500, 400)
    assert (data.output_tokens, data.reasoning_output_tokens) == (60, 20)
    assert otel.mapped(span(call | {"openinference.span.kind": "CHAIN"})) is None
    embedding = {"openinference.span.kind": "EMBEDDING", "embedding.model_name": "e", **call}
    assert otel.mapped(
        span(embedding | {"openinference.span.kind": "EMBEDDING"})
    ).data.operation == ("embeddings")


def test_of_the_vercel_sdk_only_the_inner_spans_count() -> None:
    inner = {
        "ai.operationId": "ai.streamText.doStream",
        "ai.model.id": "gpt-4o-mini",
        "ai.model.provider": "openai.chat",
        "ai.usage.promptTokens": 10,
        "ai.usage.completionTokens": 5,
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.operation.name": "chat",
        "usage.tenant": "acme",
    }
    data = otel.mapped(span(inner)).data
    assert (data.input_tokens, data.output_tokens, data.operation) == (10, 5, "chat")
    assert otel.mapped(span(inner | {"ai.operationId": "ai.streamText"})) is None


@pytest.mark.parametrize(
    ("given", "read", "created", "input_tokens"),
    [(21, 188_000, 3_000, 191_021), (900, 300, 50, 900), (7.2, 0, 0, 8), (None, 5, 0, None)],
)
def test_an_input_that_leaves_cached_tokens_out_gets_them(
    given: float | None, read: int, created: int, input_tokens: int | None
) -> None:
    """As Anthropic counts; and a fraction of a token is one."""
    counts = {
        "gen_ai.usage.input_tokens": given,
        "gen_ai.usage.cache_read.input_tokens": read,
        "gen_ai.usage.cache_creation.input_tokens": created,
    }
    there = {name: count for name, count in counts.items() if count is not None}
    assert otel.mapped(span(CALL | there)).data.input_tokens == input_tokens


def test_what_is_left_out_is_counted_by_why() -> None:
    otel.LEFT_OUT.clear()
    for missing in CALL:
        otel.mapped(span({name: value for name, value in CALL.items() if name != missing}))
    otel.mapped(span(CALL | {"gen_ai.operation.name": "execute_tool"}))
    otel.mapped(span(CALL))
    assert otel.LEFT_OUT == {"no model call": 2, "no model": 1, "no tenant": 1}


def test_the_page_is_the_code() -> None:
    page = (PRODUCERS / "opentelemetry.md").read_text()
    named = set(
        re.findall(
            r"`((?:gen_ai|usage|user|enduser|tenant|http|error|llm|embedding|openinference|ai)"
            r"\.[a-zA-Z_.]+)`",
            page,
        )
    )
    named -= {"ai.generateText", "ai.generateText.doGenerate"}  # values, not names
    tables = [*otel._TEXTS.values(), *otel._COUNTS.values(), otel.TENANT]
    used = {name for names in tables for name in names} | {
        "http.response.status_code",
        "gen_ai.operation.name",
        "openinference.span.kind",
        "ai.operationId",
    }
    assert named == used
    assert all(f"`{operation}`" in page for operation in otel.OF_NO_MODEL)
    known = {value for value in vars(gen_ai_attributes).values() if isinstance(value, str)}
    assert {name for name in used if name.startswith("gen_ai.")} <= known
