"""A view's question as SQL. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from pipeline.clickhouse.quoting import quoted

Value = str | int | datetime
"""Of a parameter; instants are aware."""

PARAMETER = re.compile(r"\{\s*([A-Za-z_]\w*)\s*:\s*([^{}]+?)\s*\}")
"""In a view's SELECT: its name, and its ClickHouse type."""

_TEXT_OR_PARAMETER = re.compile(rf"'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.|``)*`|{PARAMETER.pattern}")


def call(view: str, values: Mapping[str, Value]) -> str:
    """What stands behind FROM: ``tasks_by_month(since = '…', …)``, or the name alone."""
    arguments = ", ".join(f"{name} = {literal(value)}" for name, value in values.items())
    return f"`{view}`({arguments})" if arguments else f"`{view}`"


def opened(select: str, values: Mapping[str, Value]) -> str:
    """What stands behind FROM instead of a call: a view's own SELECT with the values in it.

    The answer is the same, and ClickHouse analyses the text once: of a parameterized view that is
    called it does so twice, which is most of what a small answer takes.

    ``select``: as the database has it, with the names of tables in full.

    Raises:
        KeyError: a parameter has no value.
    """

    def given(found: re.Match[str]) -> str:
        name, kind = found.groups()
        if name is None:  # a text, or a quoted name, whatever stands in it
            return found[0]
        value = values[name]
        if isinstance(value, str) and kind == "String":
            return quoted(value)
        return f"CAST({literal(value)}, {quoted(kind)})"

    return f"({_TEXT_OR_PARAMETER.sub(given, select)})"


def literal(value: Value) -> str:
    """A value as SQL has it; instants in UTC, their seconds' fractions cut off."""
    if isinstance(value, datetime):
        return f"'{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}'"
    if isinstance(value, str):
        return quoted(value)
    return f"{value:d}"
