"""An answer's bytes as the engine makes them, through a pipe.

The engine's own streaming formats each block by itself, which breaks every format with a head or
a foot. Its ``INTO OUTFILE`` writes one well-formed answer of any format, also into a pipe; a slow
reader then holds the query back instead of filling memory.
"""

from __future__ import annotations

import asyncio
import fcntl
import os

from pipeline.embedded.store.answers import Refusal
from pipeline.embedded.store.native import Rewriter

_PIECE_BYTES = 1 << 20


class Pipe:
    """A pipe whose read end belongs to the event loop and whose write end to a query's thread.

    What is read of it has gone through ``rewriter``, if there is one.
    """

    def __init__(self, rewriter: Rewriter | None = None) -> None:
        self._rewriter = rewriter
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        resize = getattr(fcntl, "F_SETPIPE_SZ", None)
        if resize is not None:  # Linux; 64 KiB elsewhere
            fcntl.fcntl(self._read, resize, _PIECE_BYTES)
        # Opened by name, it is the same pipe; the number stays ours until the query has ended.
        self.file = f"/dev/fd/{self._write}"
        self.ended = False

    def finish(self) -> None:
        """Close the write end: the query has ended. Called in its thread."""
        os.close(self._write)

    async def read(self) -> bytes:
        """The next piece, at most some MiB; empty at the end.

        Raises:
            Refusal: it has what its rewriter cannot rewrite.
        """
        if self._rewriter is None:
            return await self._next()
        while not self.ended:
            piece = await self._next()
            done = self._rewriter.add(piece) if piece else self._rewriter.end()
            if done:
                return done
        return b""

    def check(self) -> None:
        """See to it that all of a query that went well was rewritten.

        Raises:
            Refusal: it was not.
        """
        if self._rewriter is not None and not self._rewriter.whole:
            raise Refusal(33, "CANNOT_READ_ALL_DATA", "The answer ends within a block of Native")

    async def drain(self) -> None:
        """Throw away what still comes, so that a query that is being ended can end."""
        while await self._next():
            pass

    async def _next(self) -> bytes:
        while True:
            try:
                piece = os.read(self._read, _PIECE_BYTES)
            except BlockingIOError:
                await self._readable()
            else:
                self.ended = not piece
                return piece

    def close(self) -> None:
        """Close the read end."""
        os.close(self._read)

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        loop.add_reader(self._read, _wake, ready)
        try:
            await ready
        finally:
            loop.remove_reader(self._read)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
