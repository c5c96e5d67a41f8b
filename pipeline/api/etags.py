"""Whether somebody has this very answer already. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def etag(*parts: object) -> str:
    """A strong tag of all that an answer's bytes follow from."""
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()
    return f'"{digest[:32]}"'


def matches(header: Iterable[str], tag: str) -> bool:
    """Whether one of the values of ``If-None-Match`` is that tag (RFC 9110, 13.1.2)."""
    given = [part.strip() for value in header for part in value.split(",")]
    return any(one in ("*", tag, f"W/{tag}") for one in given)
