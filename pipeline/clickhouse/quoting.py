"""Text inside of a statement, for where parameters cannot go."""

from __future__ import annotations


def quoted(text: str) -> str:
    """A string as ClickHouse's SQL has it, in quotes."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def identifier(name: str) -> str:
    """A name of whatever there is, in its quotes."""
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"
