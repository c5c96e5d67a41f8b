"""Field types that several event types share, with their limits.

Lengths are counted in code points. ``None`` (JSON ``null``) means absent wherever it is allowed.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

JSONSchema = Mapping[str, Any]
"""A JSON Schema (draft 2020-12), or a part of one."""

MAX_TEXT = 1024
"""Longest string field of an event's data, in code points."""

MAX_INTEGER = 2**63 - 1
"""Largest integer of any field of which nothing less is said."""

MAX_TOKENS = 10**10
"""Largest number of tokens of one request: so bounded that sums of any real number of requests fit
the columns that hold them."""

MAX_DURATION_MS = 1_000_000_000
"""Longest duration, in milliseconds (about eleven and a half days), inclusive."""

Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
"""A required string: 1 to 1,024 code points."""

OptionalText = Annotated[str, Meta(max_length=MAX_TEXT)] | None
"""A string that may be absent: up to 1,024 code points."""

Count = Annotated[int, Meta(ge=0, le=MAX_INTEGER)] | None
"""A number of things, 0 to 2^63 - 1; absent is 0. ``5.0`` and ``1e2`` are not integers."""

Tokens = Annotated[int, Meta(ge=0, le=MAX_TOKENS)] | None
"""A number of tokens, 0 to 10^10; absent is 0."""

Milliseconds = Annotated[float, Meta(ge=0, le=MAX_DURATION_MS)]
"""A duration in milliseconds, 0 to 10^9; kept to whole microseconds, half-even, as a decimal."""
