"""Sheets of a workbook made of ClickHouse's bytes as they come, beside whatever else a loop does.

Rows are read (JSONCompactEachRow) and written some thousand at a time, in a thread; between two
blocks nothing of the book is kept but what `pipeline.reports.xlsx` keeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from pipeline.reports.xlsx import Column, Kind, Workbook
from pipeline.views.catalogue import Column as ViewColumn

BLOCK_ROWS = 4096

_threads = ThreadPoolExecutor(4, "xlsx")
_KINDS = (
    ("DateTime", Kind.INSTANT),
    ("Date", Kind.DAY),
    ("Decimal", Kind.MONEY),
    ("UInt", Kind.NUMBER),
    ("Int", Kind.NUMBER),
    ("Float", Kind.NUMBER),
)


def columns(of: Iterable[ViewColumn]) -> list[Column]:
    """A view's columns as a sheet has them."""
    return [
        Column(one.name, _kind(one.type.removeprefix("LowCardinality(").removeprefix("Nullable(")))
        for one in of
    ]


def _kind(type_: str) -> Kind:
    return next((kind for begins, kind in _KINDS if type_.startswith(begins)), Kind.TEXT)


async def sheet(
    book: Workbook, name: str, of: Sequence[ViewColumn], pieces: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    """Write rows as a sheet of a book; gives the book's bytes as they come."""
    loop = asyncio.get_running_loop()
    book.begin(name, columns(of))
    async for lines in blocks(pieces):
        yield await loop.run_in_executor(_threads, _write, book, lines)
    book.end()
    yield book.taken()


async def workbook(
    name: str,
    of: Sequence[ViewColumn],
    pieces: AsyncIterator[bytes],
    about: Iterable[tuple[str, str]],
) -> AsyncIterator[bytes]:
    """A book of one view, with the sheet *About*."""
    book = Workbook()
    async for written in sheet(book, name, of, pieces):
        yield written
    more = [("Sheets", ", ".join(f"{one.name}: {one.rows:,} rows" for one in book.sheets))]
    if book.cut:
        more.append(("Texts cut", f"{book.cut:,} were longer than a cell can be"))
    book.close([*about, *more])
    yield book.taken()


def _write(book: Workbook, lines: Sequence[bytes]) -> bytes:
    book.add(msgspec.json.decode(b"[" + b",".join(lines) + b"]"))
    return book.taken()


async def blocks(pieces: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """The lines of an answer, some thousand at a time."""
    rest = b""
    lines: list[bytes] = []
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        lines += whole
        while len(lines) >= BLOCK_ROWS:
            yield lines[:BLOCK_ROWS]
            del lines[:BLOCK_ROWS]
    if lines:
        yield lines
