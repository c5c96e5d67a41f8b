"""``usage.event.v1`` on ``usage.events``: any product event; what user-defined metrics count."""

from typing import Any

from msgspec import Struct

from schemas.fields import OptionalText, Text

TYPE = "usage.event.v1"

MAX_PROPERTIES_DEPTH = 8
"""How deep ``properties`` may nest; the object itself is 1."""


class ProductEvent(Struct, kw_only=True):
    """Something that happened in a product."""

    name: Text

    user_id: OptionalText = None

    properties: dict[str, Any] | None = None
    """Anything, 8 deep; strings in it have only the record's limits."""
