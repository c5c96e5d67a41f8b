"""Questions to the views that help who defines a metric. Pure.

They belong to no number of the list: their names begin with an underscore, no catalogue has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.clickhouse.quoting import quoted

Value = str | int | datetime | Sequence[str]

SETTINGS: Mapping[str, Any] = {
    "output_format_json_quote_decimals": 1,
    "output_format_json_quote_64bit_integers": 0,
    "output_format_decimal_trailing_zeros": 0,
    # A list of a filter may have 200 values of 1,024 characters.
    "max_query_size": 1 << 27,
}
"""Under which their answers are exact, and numbers without zeros at their end."""


def call(view: str, **values: Value) -> str:
    """What stands behind FROM: a view with the values of its parameters."""
    given = ", ".join(f"{name} = {_literal(value)}" for name, value in values.items())
    return f"`{view}`({given})"


def _literal(value: Value) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int):
        return f"{value:d}"
    if isinstance(value, datetime):
        return f"'{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}'"
    return f"[{', '.join(map(quoted, value))}]"
