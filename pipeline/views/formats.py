"""The formats that answers come in, and which of them a reader wants. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import UsageError
from pipeline.views.catalogue import meant

EXACT: Mapping[str, Any] = {
    # Money keeps its nine decimals and is a string in JSON, counts are numbers in full.
    "output_format_json_quote_decimals": 1,
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_escape_forward_slashes": 0,
    "output_format_decimal_trailing_zeros": 1,
    "format_csv_null_representation": "",
    "output_format_parquet_compression_method": "zstd",
    # What a query reads twice, as the definitions of metrics, it reads as of one moment.
    "enable_shared_storage_snapshot_in_query": 1,
}
"""ClickHouse's settings under which every format is exact."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Before CSV for a spreadsheet, which knows UTF-8 by it."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format of answers."""

    name: str
    """As the parameter ``format`` has it; also the ending of a file's name."""
    media_type: str
    clickhouse: str
    """ClickHouse's name of what we read from it."""
    typed: bool = False
    """Whether it has types of its own for instants; in the others they are text."""

    @property
    def content_type(self) -> str:
        """The header of an answer."""
        return (
            f"{self.media_type}; charset=utf-8; header=present" if self is CSV else self.media_type
        )


JSON = Format("json", "application/json", "JSONEachRow")
NDJSON = Format("ndjson", "application/x-ndjson", "JSONEachRow")
CSV = Format("csv", "text/csv", "CSVWithNames")
PARQUET = Format("parquet", "application/vnd.apache.parquet", "Parquet", typed=True)
ARROW = Format("arrow", "application/vnd.apache.arrow.stream", "ArrowStream", typed=True)
XLSX = Format(
    "xlsx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "JSONCompactEachRow",
)
ALL = (JSON, NDJSON, CSV, PARQUET, ARROW, XLSX)
"""The first is the default, and what a reader gets who takes anything."""


def named(name: str, known: Sequence[Format] = ALL) -> Format:
    """The format of that name.

    Raises:
        UsageError: there is none; names all, and which one was probably meant.
    """
    for one in known:
        if one.name == name:
            return one
    names = [one.name for one in known]
    raise UsageError(f"format {name!r} is none of {', '.join(names)}{meant(name, names)}")


def accepted(accept: Iterable[str], known: Sequence[Format] = ALL) -> Format | None:
    """The format that a reader prefers, by the values of its ``Accept`` headers; None: no one.

    Of equally preferred ones the more exactly named wins, then our first (RFC 9110, 12.5.1).
    """
    ranges = [found for value in accept for part in value.split(",") if (found := _range(part))]
    if not ranges:
        return known[0]
    best: tuple[float, int] = (0.0, 0)
    chosen = None
    for one in known:
        exactness, quality = max(
            ((_exactness(pattern, one.media_type), quality) for pattern, quality in ranges),
            default=(0, 0.0),
        )
        if exactness and (quality, exactness) > best and quality > 0:
            best, chosen = (quality, exactness), one
    return chosen


def _range(text: str) -> tuple[str, float] | None:
    pattern, *parameters = (part.strip().lower() for part in text.split(";"))
    if not pattern:
        return None
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = min(max(float(value), 0.0), 1.0)
            except ValueError:
                quality = 0.0
    return pattern, quality


def _exactness(pattern: str, media_type: str) -> int:
    """How exactly a range names a media type: 3 by name, 2 by its kind, 1 as anything, 0 not."""
    if pattern == media_type:
        return 3
    if pattern == f"{media_type.partition('/')[0]}/*":
        return 2
    return int(pattern == "*/*")
