"""A view's call as SQL. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pipeline.clickhouse.quoting import quoted

Value = str | int | datetime
"""Of a parameter; instants are aware."""


def call(view: str, values: Mapping[str, Value]) -> str:
    """What stands behind FROM: ``tasks_by_month(since = '…', …)``, or the name alone."""
    arguments = ", ".join(f"{name} = {literal(value)}" for name, value in values.items())
    return f"`{view}`({arguments})" if arguments else f"`{view}`"


def literal(value: Value) -> str:
    """A value as SQL has it; instants in UTC, their seconds' fractions cut off."""
    if isinstance(value, datetime):
        return f"'{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}'"
    if isinstance(value, str):
        return quoted(value)
    return f"{value:d}"
