"""``usage.request.v1`` on ``usage.requests``: one API request, one agent interaction.

Names follow OpenTelemetry's conventions for generative AI where they exist (in brackets).
"""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from schemas.fields import Count, Milliseconds, OptionalText, Text

TYPE = "usage.request.v1"

COMPLETIONS = frozenset({"chat", "text_completion", "generate_content"})
"""The operations that are a *completion*; ``embeddings`` is the other kind that has a name."""

DEFAULT_CURRENCY = "USD"


class Request(Struct, kw_only=True, gc=False):
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
    """Absent (or empty) is a group of its own, as for team and agent; never dropped."""

    team_id: OptionalText = None
    agent_id: OptionalText = None

    input_tokens: Count = None
    """(``gen_ai.usage.input_tokens``)"""

    output_tokens: Count = None
    """(``gen_ai.usage.output_tokens``)"""

    cache_read_input_tokens: Count = None
    """A part of ``input_tokens``, never added to it."""

    cache_creation_input_tokens: Count = None
    """A part of ``input_tokens``, never added to it."""

    reasoning_output_tokens: Count = None
    """A part of ``output_tokens``, never added to it."""

    cost: Decimal | None = None
    """In ``currency``, 0 to below 10^9: a JSON number or a string holding one, at most 1,024
    characters; kept to 9 decimals, half-even, never through a float. Absent: *unpriced*."""

    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] | None = None
    """Three capitals, ``USD`` by default; ignored without ``cost``."""

    provider: OptionalText = None
    response_model: OptionalText = None
    error_type: OptionalText = None
