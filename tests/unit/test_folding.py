"""The thread that reads, and the turns of who must not meet a read half way (`worker.folding`)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import NoReturn

import pytest

from pipeline.protocol.partition import Read, Reads
from pipeline.worker.folding import Folding


def one(read: Read, behind: Callable[[], None] = lambda: None) -> Reads[str]:
    yield read
    behind()
    return "read"


def test_reads_are_made_in_a_thread_and_what_is_behind_them_in_the_loop() -> None:
    seen: list[threading.Thread] = []

    def look() -> None:
        seen.append(threading.current_thread())

    assert asyncio.run(Folding().run(one(look, look))) == "read"
    assert [thread is threading.main_thread() for thread in seen] == [False, True]


def test_the_loop_is_free_while_something_is_read_and_nobody_looks_meanwhile() -> None:
    async def go() -> list[str]:
        folding, release, seen = Folding(), threading.Event(), list[str]()
        reading = asyncio.create_task(folding.run(one(lambda: _wait(release))))
        await asyncio.sleep(0)
        looking = asyncio.create_task(folding.between(lambda: seen.append("looked")))
        next_ = asyncio.create_task(folding.run(one(lambda: seen.append("read on"))))
        for _ in range(100):
            await asyncio.sleep(0)
        assert seen == []
        release.set()
        await asyncio.gather(reading, looking, next_)
        return seen

    assert asyncio.run(go()) == ["looked", "read on"], "in the order in which they asked"


def test_who_is_cancelled_is_so_behind_the_read() -> None:
    async def go() -> None:
        folding, release, seen = Folding(), threading.Event(), list[str]()
        reading = asyncio.create_task(
            folding.run(one(lambda: _wait(release), lambda: seen.append("moved on")))
        )
        for _ in range(3):
            await asyncio.sleep(0)
            reading.cancel()
        looking = asyncio.create_task(folding.between(lambda: list(seen)))
        await asyncio.sleep(0)
        assert not reading.done()
        release.set()
        assert await looking == ["moved on"]
        with pytest.raises(asyncio.CancelledError):
            await reading

    asyncio.run(go())


def test_who_is_cancelled_before_its_turn_reads_nothing() -> None:
    async def go() -> None:
        folding, release, seen = Folding(), threading.Event(), list[str]()
        reading = asyncio.create_task(folding.run(one(lambda: _wait(release))))
        await asyncio.sleep(0)
        late = asyncio.create_task(folding.run(one(lambda: seen.append("read"))))
        await asyncio.sleep(0)
        late.cancel()
        release.set()
        await reading
        with pytest.raises(asyncio.CancelledError):
            await late
        assert await folding.between(lambda: list(seen)) == []

    asyncio.run(go())


@pytest.mark.parametrize("error", [ZeroDivisionError, StopIteration])
def test_what_a_read_raises_comes_out_where_it_was_asked_for(error: type[Exception]) -> None:
    def fail() -> NoReturn:
        raise error

    async def go() -> None:
        folding = Folding()
        with pytest.raises(RuntimeError if error is StopIteration else error):
            await folding.run(one(fail))
        assert await folding.run(one(lambda: None)) == "read"

    asyncio.run(asyncio.wait_for(go(), 60))


def _wait(release: threading.Event) -> None:
    assert release.wait(60)


def test_what_is_read_at_once_waits_for_its_turn_and_needs_no_thread() -> None:
    async def go() -> None:
        folding, release, seen = Folding(), threading.Event(), list[str]()
        reading = asyncio.create_task(folding.run(one(lambda: _wait(release))))
        await asyncio.sleep(0)
        little = asyncio.create_task(
            folding.run(one(lambda: seen.append(threading.current_thread().name)), at_once=True)
        )
        await asyncio.sleep(0.01)
        assert seen == []
        release.set()
        assert (await reading, await little) == ("read", "read")
        assert seen == [threading.current_thread().name]

    asyncio.run(go())
