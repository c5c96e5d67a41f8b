"""The live windows' thread does what the loop says, in its order, and keeps no one waiting."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from pipeline.protocol.chunks import Source
from pipeline.worker.live import LiveThread, Window

SOURCE = Source("usage.requests", 3)
LONGEST = Window("1h", current=True)


def test_a_look_sees_what_was_said_before_it_and_nothing_later() -> None:
    async def looks() -> None:
        live, minute, free = LiveThread(10), int(time.time()) // 60 * 60, threading.Event()
        live._do(free.wait)  # it is far behind
        live.restored(SOURCE, {(minute, "a"): [1, 0, 0, 0, 0]})
        live.counted(SOURCE, {(minute, "a"): [2, 0, 0, 0, 0]})
        assert live.is_restored(SOURCE)
        first = live.look([{(minute, "a"): [4, 0, 0, 0, 0]}])
        live.counted(SOURCE, {(minute, "a"): [8, 0, 0, 0, 0]})
        second = live.look([])
        live.keep([])
        assert not live.is_restored(SOURCE)
        third = live.look([])
        assert not first.done()
        free.set()
        seen = [await asyncio.wrap_future(look) for look in (first, second, third)]
        assert [one.windows[LONGEST].get("a", (0,))[0] for one in seen] == [7, 11, 0]
        assert [one.totals["a"][0] for one in seen] == [2, 10, 10]

    asyncio.run(looks())


def test_an_error_of_its_own_is_heard_in_the_loop() -> None:
    async def fails() -> None:
        heard: asyncio.Queue[BaseException] = asyncio.Queue()
        live = LiveThread(10, fail=heard.put_nowait)
        live.counted(SOURCE, {(0, "a"): None})  # type: ignore[dict-item]
        assert isinstance(await heard.get(), TypeError)

    asyncio.run(fails())


def test_who_closes_it_waits_for_nobody_and_its_thread_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def closes() -> None:
        live, free = LiveThread(10), threading.Event()
        live._do(free.wait)  # it is far behind
        look = live.look([])
        [thread] = live._thread._threads
        live.close()
        assert look.cancelled()
        assert thread.is_alive()
        free.set()
        thread.join(60)
        assert not thread.is_alive()

    asyncio.run(closes())
    assert caplog.records == []
