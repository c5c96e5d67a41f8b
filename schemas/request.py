"""``usage.request.v1`` on ``usage.requests``: one API request, one agent interaction.

Names follow OpenTelemetry's conventions for generative AI where they exist (in brackets).
"""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from schemas.fields import MAX_TEXT, JSONSchema, Milliseconds, OptionalText, Text, Tokens

TYPE = "usage.request.v1"
TOPIC = "usage.requests"

DEFAULT_CURRENCY = "USD"

COST_BELOW = 1_000_000_000
"""A cost is less than this."""


class Request(Struct, kw_only=True, gc=False, omit_defaults=True):
    """One request, whatever its status: an *interaction*."""

    operation: Text
    """``chat``, ``text_completion``, ``generate_content`` (these three are *completion*),
    ``embeddings``, or any other (``gen_ai.operation.name``)."""

    model: Text
    """The model as asked for (``gen_ai.request.model``)."""

    status_code: Annotated[int, Meta(ge=100, le=599)]
    """400 and above is a failure (``http.response.status_code``)."""

    duration_ms: Milliseconds
    """The whole request, in milliseconds; kept to whole microseconds, half-even."""

    token_id: OptionalText = None
    """The API token's id, never its secret."""

    user_id: OptionalText = None
    """Who asked. Absent (or empty) is a group of its own, as for team and agent; never dropped."""

    team_id: OptionalText = None
    """The user's team."""

    agent_id: OptionalText = None
    """The agent that answered (``gen_ai.agent.id``)."""

    input_tokens: Tokens = None
    """0 to 10^10 (``gen_ai.usage.input_tokens``). A request with neither this nor ``output_tokens``
    is *unmetered*: it adds no tokens, and is counted as such."""

    output_tokens: Tokens = None
    """0 to 10^10 (``gen_ai.usage.output_tokens``)."""

    cache_read_input_tokens: Tokens = None
    """A part of ``input_tokens``, never added to it (``gen_ai.usage.cache_read.input_tokens``)."""

    cache_creation_input_tokens: Tokens = None
    """A part of ``input_tokens``, never added to it
    (``gen_ai.usage.cache_creation.input_tokens``)."""

    reasoning_output_tokens: Tokens = None
    """A part of ``output_tokens``, never added to it
    (``gen_ai.usage.reasoning.output_tokens``)."""

    cost: Decimal | None = None
    """In ``currency``, 0 to below 10^9: a JSON number or a string holding one, at most 1,024
    characters; kept to 9 decimals, half-even, never through a float. Absent: *unpriced*."""

    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$", max_length=3)] | None = None
    """Three capitals, ``USD`` by default; ignored without ``cost``."""

    provider: OptionalText = None
    """Who serves the model (``gen_ai.provider.name``)."""

    response_model: OptionalText = None
    """The model that answered (``gen_ai.response.model``)."""

    error_type: OptionalText = None
    """(``error.type``)"""


_PLAIN = r"(0|[1-9][0-9]{0,8})(\.[0-9]+)?"
_ZERO = r"-0(\.0+)?([eE][+-]?[0-9]+)?"
_SCIENTIFIC = r"(0|[1-9][0-9]*)(\.[0-9]+)?[eE][+-]?[0-9]+"
COST_PATTERN = f"^({_PLAIN}|{_ZERO}|{_SCIENTIFIC})$"
"""A JSON number, 0 to below 10^9; the range of one with an exponent is not in the pattern."""

SCHEMAS: JSONSchema = {
    "cost": {
        "type": ["number", "string", "null"],
        "minimum": 0,
        "exclusiveMaximum": COST_BELOW,
        "maxLength": MAX_TEXT,
        "pattern": COST_PATTERN,
        "not": {"type": "string", "pattern": "[^0-9eE.+-]"},
    },
    "currency": {},  # below: it is read only where there is a cost
}
RULES: tuple[JSONSchema, ...] = (
    {
        "if": {"properties": {"cost": {"type": ["number", "string"]}}, "required": ["cost"]},
        "then": {
            "properties": {
                "currency": {"type": ["string", "null"], "maxLength": 3, "pattern": "^[A-Z]{3}$"}
            }
        },
    },
)
DEFAULTS: JSONSchema = {
    **dict.fromkeys(("token_id", "user_id", "team_id", "agent_id"), ""),
    **dict.fromkeys(("input_tokens", "output_tokens"), 0),
    **dict.fromkeys(("cache_read_input_tokens", "cache_creation_input_tokens"), 0),
    "reasoning_output_tokens": 0,
    "currency": DEFAULT_CURRENCY,
}
EXAMPLE: JSONSchema = {
    "operation": "chat",
    "model": "gpt-4o-mini",
    "status_code": 200,
    "duration_ms": 812.5,
    "token_id": "tok-17",
    "user_id": "u-3",
    "team_id": "t-1",
    "agent_id": "a-5",
    "input_tokens": 900,
    "output_tokens": 120,
    "cost": "0.000207",
    "currency": "USD",
}
