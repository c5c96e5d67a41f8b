"""The way into librdkafka's in-process broker: a port of our choice, and groups that form.

Two of its habits are mended in passing. It lets a group that loses or gains a member wait for its
session timeout less a second, so that is bounded here. And it takes a group for synced as soon as
its leader has sent everybody's assignment, forgets the assignments, and answers a member whose own
SyncGroup comes later with INVALID_REQUEST, of which clients die; so a leader's SyncGroup waits
until the others' have gone before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections import defaultdict
from collections.abc import Coroutine
from typing import NamedTuple

_JOIN_GROUP = 11
_LONGEST_SESSION_MS = 10_000
_SYNC_GROUP = 14  # its versions up to 3, which are all that the broker has
_PIECE_BYTES = 1 << 18
_HEAD_BYTES = 8  # a request's size, key and version
_LONGEST_WAIT_SECONDS = 3.0


class _Sync(NamedTuple):
    group: bytes
    generation: int
    assignments: int  # members in the leader's request, 0 in the others'


class Entrance:
    """Passes bytes between clients and the broker at ``host:port``."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._synced: defaultdict[tuple[bytes, int], int] = defaultdict(int)
        self._changed = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection's bytes both ways until either side ends."""
        # Cancelled is how it ends when the process does.
        ends = (OSError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.closing(writer), contextlib.suppress(*ends):
            answers, requests = await asyncio.open_connection(self._host, self._port)
            with contextlib.closing(requests):
                await _first_of(self._requests(reader, requests), _copy(answers, writer))

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readexactly(_HEAD_BYTES)
            size, key, version = struct.unpack(">ihh", head)
            if key == _JOIN_GROUP:
                writer.write(head + _bounded(await reader.readexactly(size - 4)))
            elif key == _SYNC_GROUP:
                body = await reader.readexactly(size - 4)
                await self._in_turn(_sync(body, version))
                writer.write(head + body)
            else:
                writer.write(head)
                await _copy(reader, writer, size - 4)
            await writer.drain()

    async def _in_turn(self, sync: _Sync) -> None:
        round_ = (sync.group, sync.generation)
        async with self._changed:
            if not sync.assignments:
                self._synced[round_] += 1
                self._changed.notify_all()
                return
            with contextlib.suppress(TimeoutError):  # one of them has gone
                async with asyncio.timeout(_LONGEST_WAIT_SECONDS):
                    await self._changed.wait_for(
                        lambda: self._synced[round_] >= sync.assignments - 1
                    )
            for old in [known for known in self._synced if known[0] == sync.group]:
                del self._synced[old]
        # The others' requests are on their way on other connections; let the broker read them.
        await asyncio.sleep(0.01)


def _bounded(body: bytes) -> bytes:
    """A JoinGroup request, from its correlation id on, with its session timeout bounded."""
    _, at = _string(body, 4)
    _, at = _string(body, at)
    (session_ms,) = struct.unpack_from(">i", body, at)
    return body[:at] + struct.pack(">i", min(session_ms, _LONGEST_SESSION_MS)) + body[at + 4 :]


def _sync(body: bytes, version: int) -> _Sync:
    """Read a SyncGroup request from its correlation id on."""
    _, at = _string(body, 4)
    group, at = _string(body, at)
    (generation,) = struct.unpack_from(">i", body, at)
    _, at = _string(body, at + 4)
    if version >= 3:
        _, at = _string(body, at)
    (assignments,) = struct.unpack_from(">i", body, at)
    return _Sync(group, generation, assignments)


def _string(body: bytes, at: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from(">h", body, at)
    end = at + 2 + max(length, 0)
    return body[at + 2 : end], end


async def _first_of(*ways: Coroutine[None, None, None]) -> None:
    """Run them until one ends, and end the others."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int | None = None
) -> None:
    """Copy ``size`` bytes, or to the end."""
    while size is None or size > 0:
        piece = await reader.read(_PIECE_BYTES if size is None else min(size, _PIECE_BYTES))
        if not piece:
            if size is not None:
                raise asyncio.IncompleteReadError(b"", size)
            return
        writer.write(piece)
        await writer.drain()
        size = None if size is None else size - len(piece)
