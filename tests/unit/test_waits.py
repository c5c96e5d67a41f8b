"""Waiting in the event loop (`process.waits`): no cancellation is lost."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.process.waits import to_its_end, within


def test_what_is_done_in_time_is_told_from_what_is_not() -> None:
    async def go() -> None:
        event = asyncio.Event()
        assert not await within(event.wait(), 0)
        event.set()
        assert await within(event.wait(), 60)

    asyncio.run(go())


@pytest.mark.parametrize("turns", range(4))
def test_a_cancellation_is_not_dropped_when_the_wait_is_just_over(turns: int) -> None:
    async def go() -> None:
        event = asyncio.Event()

        async def wait_for_ever() -> None:
            while await within(event.wait(), 60):
                event.clear()

        waiting = asyncio.create_task(wait_for_ever())
        await asyncio.sleep(0)
        event.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        waiting.cancel()
        done, _ = await asyncio.wait([waiting], timeout=60)
        assert done, "it waits on"
        assert waiting.cancelled()

    asyncio.run(go())


def test_work_comes_to_its_end_and_its_error_before_a_cancellation() -> None:
    async def go(error: Exception | None) -> asyncio.Task[None]:
        may_end = asyncio.Event()

        async def work() -> None:
            await may_end.wait()
            if error is not None:
                raise error

        waiting = asyncio.create_task(to_its_end(work()))
        for _ in range(3):
            await asyncio.sleep(0)
            waiting.cancel()
        await asyncio.sleep(0)
        assert not waiting.done()
        may_end.set()
        await asyncio.wait([waiting])
        return waiting

    assert asyncio.run(go(None)).cancelled()
    assert isinstance(asyncio.run(go(ZeroDivisionError())).exception(), ZeroDivisionError)


def test_who_goes_on_behind_an_error_is_cancelled_where_it_waits_next() -> None:
    async def go() -> asyncio.Task[None]:
        may_end = asyncio.Event()

        async def fail() -> None:
            await may_end.wait()
            raise ZeroDivisionError

        async def go_on() -> None:
            with pytest.raises(ZeroDivisionError):
                await to_its_end(fail())
            await asyncio.sleep(60)

        waiting = asyncio.create_task(go_on())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.sleep(0)
        may_end.set()
        await asyncio.wait([waiting])
        return waiting

    task = asyncio.run(go())
    assert task.cancelled()
    assert task.cancelling() == 1
