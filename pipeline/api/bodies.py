"""Bodies of answers, made of ClickHouse's bytes as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from pipeline.views.formats import BYTE_ORDER_MARK


async def document(
    lines: AsyncIterator[bytes], head: bytes, limit: int, following: Callable[[], str]
) -> AsyncIterator[bytes]:
    """A JSON document of rows: ``head``, then the lines with commas between, then ``next``.

    ``head`` ends with the rows' opening bracket. At most ``limit`` lines are taken; where there are
    more, ``next`` is what ``following`` says, else null.
    """
    yield head
    left, more, separator = limit, False, b""
    async for piece in lines:
        if more:
            continue  # read to the end, so that the connection is kept
        count = piece.count(b"\n")
        if count > left or (count == left and not piece.endswith(b"\n")):
            piece, more = _beginning(piece, left), True
        left -= min(count, left)
        text = separator + piece.replace(b"\n", b",\n")
        separator = b",\n" if text.endswith(b",\n") else b""
        yield text.removesuffix(b",\n")
    following_text = f'"{following()}"' if more else "null"
    yield b'],"next":' + following_text.encode() + b"}\n"


def _beginning(piece: bytes, lines: int) -> bytes:
    """So many lines of a piece."""
    end = 0
    for _ in range(lines):
        end = piece.index(b"\n", end) + 1
    return piece[:end]


async def marked(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Rows with the byte-order mark by which spreadsheets know UTF-8."""
    yield BYTE_ORDER_MARK
    async for piece in pieces:
        yield piece
