"""An answer's bytes as the engine makes them, through a pipe.

The engine's own streaming formats each block by itself, which breaks every format with a head or
a foot. Its ``INTO OUTFILE`` writes one well-formed answer of any format, also into a pipe; a slow
reader then holds the query back instead of filling memory.
"""

from __future__ import annotations

import asyncio
import fcntl
import os

_PIECE_BYTES = 1 << 20


class Pipe:
    """A pipe whose read end belongs to the event loop and whose write end to a query's thread."""

    def __init__(self) -> None:
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
        """The next piece, at most 1 MiB; empty at the end."""
        while True:
            try:
                piece = os.read(self._read, _PIECE_BYTES)
            except BlockingIOError:
                await self._readable()
            else:
                self.ended = not piece
                return piece

    async def drain(self) -> None:
        """Throw away what still comes, so that a query that is being ended can end."""
        while await self.read():
            pass

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
