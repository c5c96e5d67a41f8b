"""Writes a report into a file: rows as ClickHouse gives them, however many, in bounded memory.

One view is a file of its format. Several are a workbook's sheets, one JSON document, or a zip of a
file each with ``about.json``.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

import msgspec

from pipeline.clickhouse.reading import Reader
from pipeline.reports import streamed
from pipeline.reports.counting import Lines, parquet_rows
from pipeline.reports.plan import Part, Report
from pipeline.reports.xlsx import Workbook
from pipeline.views.catalogue import Column
from pipeline.views.formats import BYTE_ORDER_MARK, CSV, EXACT, JSON, NDJSON, PARQUET, XLSX

_PARQUET_END = 8
_PARQUET_KEPT = 1 << 20
_STAMP = (1980, 1, 1, 0, 0, 0)
_ZIPPED = "zip", "application/zip"


@dataclass
class Progress:
    """How far a report has come."""

    rows: list[int] = field(default_factory=list)
    """Of each part, in their order; the last one's may grow."""

    @property
    def total(self) -> int:
        """Rows in all."""
        return sum(self.rows)


def file_type(report: Report) -> tuple[str, str]:
    """The ending of a report's file name, and its media type."""
    form = report.form
    if form in (CSV, PARQUET) and len(report.parts) > 1:
        return _ZIPPED
    return form.name, form.media_type


async def write(
    report: Report, about: dict[str, Any], reader: Reader, out: IO[bytes], progress: Progress
) -> None:
    """Write a report, to the end or not at all: who calls gives a file that nobody reads yet.

    ``about``: what is told beside the rows, by name: as of when they are, who asked. Counts rows
    in ``progress``.

    Raises:
        StoreUnavailable, StoreRefused: the store's own reasons; what was written is worth nothing.
    """
    if report.form is XLSX:
        await _workbook(report, about, reader, out, progress)
    elif report.form is JSON:
        await _document(report, about, reader, out, progress)
    elif len(report.parts) == 1:
        await _plain(report, report.parts[0], reader, out.write, progress)
    else:
        await _zipped(report, about, reader, out, progress)


async def _plain(
    report: Report, part: Part, reader: Reader, put: Callable[[bytes], Any], progress: Progress
) -> None:
    """One view's rows as CSV or Parquet, as they come from ClickHouse."""
    progress.rows.append(0)
    if report.form is PARQUET:
        ending = b""
        async for piece in _pieces(part.queries[0], PARQUET.clickhouse, reader):
            put(piece)
            ending = (ending + piece)[-_PARQUET_KEPT:]
        size = int.from_bytes(ending[-_PARQUET_END:-4], "little")
        progress.rows[-1] = parquet_rows(ending[-_PARQUET_END - size : -_PARQUET_END])
        return
    if report.spreadsheet:
        put(BYTE_ORDER_MARK)
    lines = Lines(quoted=True)
    form = CSV.clickhouse
    for query in part.queries:
        async for piece in _pieces(query, form, reader):
            put(piece)
            lines.add(piece)
            progress.rows[-1] = max(0, lines.rows - 1)  # a head comes first
        form = "CSV"


async def _zipped(
    report: Report, about: dict[str, Any], reader: Reader, out: IO[bytes], progress: Progress
) -> None:
    form = report.form
    # Parquet is compressed in itself.
    compression = zipfile.ZIP_STORED if form is PARQUET else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(out, "w", compression, compresslevel=1) as archive:
        for part in report.parts:
            with _member(archive, f"{part.view}.{form.name}", compression) as file:
                await _plain(report, part, reader, file.write, progress)
        document = {**about, "views": [_told(part) for part in report.parts]}
        with _member(archive, "about.json", zipfile.ZIP_DEFLATED) as file:
            file.write(json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n")


@contextmanager
def _member(archive: zipfile.ZipFile, name: str, compression: int) -> Iterator[IO[bytes]]:
    info = zipfile.ZipInfo(name, _STAMP)
    info.compress_type = compression
    info.external_attr = 0o644 << 16
    with archive.open(info, "w", force_zip64=True) as file:
        yield file


async def _document(
    report: Report, about: dict[str, Any], reader: Reader, out: IO[bytes], progress: Progress
) -> None:
    out.write(_head(about, "views"))
    for place, part in enumerate(report.parts):
        progress.rows.append(0)
        out.write(b",\n" * (place > 0) + _head(_told(part), "rows"))
        separator = b"\n"
        async for lines in streamed.blocks(_all_pieces(part, NDJSON.clickhouse, reader)):
            out.write(separator + b",\n".join(lines))
            separator = b",\n"
            progress.rows[-1] += len(lines)
        out.write(b"\n]}")
    out.write(b"]}\n")


def _head(document: dict[str, Any], last: str) -> bytes:
    """A document up to the opening bracket of its last member."""
    return msgspec.json.encode({**document, last: []}).removesuffix(b"]}")


async def _workbook(
    report: Report, about: dict[str, Any], reader: Reader, out: IO[bytes], progress: Progress
) -> None:
    book = Workbook()
    for part in report.parts:
        before = len(book.sheets)
        progress.rows.append(0)
        rows = _all_pieces(part, XLSX.clickhouse, reader)
        columns = [Column(**column) for column in part.columns]
        async for written in streamed.sheet(book, part.view, columns, rows):
            out.write(written)
            progress.rows[-1] = sum(sheet.rows for sheet in book.sheets[before:])
    book.close(_about(report, about, book))
    out.write(book.taken())


def _about(report: Report, about: dict[str, Any], book: Workbook) -> Iterator[tuple[str, str]]:
    """What a reader of the workbook must know, a name and a text each."""
    for name, value in about.items():
        yield name.replace("_", " "), value if isinstance(value, str) else json.dumps(value)
    yield "organizations", ", ".join(report.organizations)
    for part in report.parts:
        told = ", ".join(
            f"{name} {value}" for name, value in part.parameters.items() if value != ""
        )
        yield part.view, told or "everything"
        units = ", ".join(f"{one['name']} in {one['unit']}" for one in part.columns if one["unit"])
        if units:
            yield f"{part.view}: units", units
    for sheet in book.sheets:
        yield f"sheet {sheet.name}", f"{sheet.rows:,} rows"
    yield "money", "by currency; amounts of different currencies are never added"
    yield "instants", "as the clock of tz shows them, UTC where a view has none"
    yield (
        "numbers",
        "Excel keeps 16 digits: larger counts, and money beyond 9,007,199, are text, exactly",
    )
    if book.cut:
        yield "cut", f"{book.cut:,} texts of over 32,767 characters end with …; CSV has them whole"


def _told(part: Part) -> dict[str, Any]:
    """A part as a document tells it, but for its rows."""
    return {"view": part.view, "parameters": part.parameters, "columns": part.columns}


async def _pieces(sql: str, form: str, reader: Reader) -> AsyncIterator[bytes]:
    async with reader.stream(sql, form, EXACT) as answer:
        async for piece in answer:
            yield piece


async def _all_pieces(part: Part, form: str, reader: Reader) -> AsyncIterator[bytes]:
    """The answers to all queries of a part, one behind the other."""
    for query in part.queries:
        async for piece in _pieces(query, form, reader):
            yield piece
