"""Makes the reports that wait, a few at once, in the event loop of an API process."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import IO, Any

import msgspec

from pipeline.clickhouse.reading import Reader
from pipeline.errors import StoreError, StoreUnavailable
from pipeline.reports.jobs import MOST_BEGUN, Job, Jobs, State, Status
from pipeline.reports.writing import Progress, write

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""How often jobs are looked for that another process left; those of this one are begun at once."""
NOTE_SECONDS = 0.5
TRIES = 4
FIRST_PAUSE_SECONDS = 1.0
SWEEP_SECONDS = 600.0
_HASHED_AT_ONCE = 1 << 20

About = Callable[[Job], Awaitable[dict[str, Any]]]
"""What a report tells beside its rows: as of when they are."""


class Removed(Exception):
    """A job was removed while it was made."""


class Runner:
    """Takes jobs up and brings them to their end."""

    def __init__(
        self,
        jobs: Jobs,
        reader: Reader,
        about: About,
        at_once: int,
        ended: Callable[[str], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._jobs = jobs
        self._reader = reader
        self._about = about
        self._at_once = at_once
        self._ended = ended
        self._clock = clock
        self._news = asyncio.Event()
        self._swept = -SWEEP_SECONDS
        self._running: dict[str, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """Look for jobs now: there is a new one."""
        self._news.set()

    async def run(self) -> None:
        """Make reports until cancelled; what is being made then waits for another process."""
        try:
            while True:
                self._news.clear()
                try:
                    await self._sweep()
                    await self._begin()
                except Exception:
                    log.exception("looking for reports to make failed; it is tried again")
                # Not `wait_for`, which takes no notice of a cancellation when there are news.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._news.wait()
        finally:
            running = list(self._running.values())
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _sweep(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._swept >= SWEEP_SECONDS:
            self._swept = now
            await asyncio.to_thread(self._jobs.sweep, self._clock())

    async def _begin(self) -> None:
        for job in await asyncio.to_thread(self._jobs.waiting):
            if len(self._running) >= self._at_once:
                return
            if job not in self._running:
                task = asyncio.get_running_loop().create_task(self._take(job))
                self._running[job] = task
                task.add_done_callback(lambda _, job=job: self._over(job))  # type: ignore[misc]

    def _over(self, job: str) -> None:
        del self._running[job]
        self._news.set()

    async def _take(self, job: str) -> None:
        """Make a job, if nobody else does."""
        with self._jobs.claimed(job) as ours:
            found = self._jobs.find(job) if ours else None
            if found is None or found[1].status.is_over:
                return
            wanted, state = found
            try:
                await self._make(wanted, state)
            except Removed:
                log.info("report %s was removed while it was made", job)
            except StoreError as error:
                self._fail(wanted, error.message)
            except OSError as error:
                self._fail(wanted, f"its file cannot be written: {error.strerror or error}")
            except Exception:
                log.exception("report %s", job)
                self._fail(wanted, "our own code failed on it; the log of the API says how")

    def _fail(self, job: Job, why: str) -> None:
        log.warning("report %s failed: %s", job.id, why)
        self._jobs.part(job).unlink(missing_ok=True)
        found = self._jobs.find(job.id)
        if found is None:
            return
        failed = msgspec.structs.replace(
            found[1], status=Status.FAILED, error=why, ended=self._clock()
        )
        self._jobs.note(job.id, failed)
        self._ended(Status.FAILED)

    async def _make(self, job: Job, state: State) -> None:
        if state.begun >= MOST_BEGUN:
            self._fail(job, f"it was begun {state.begun} times, and never came to its end")
            return
        state = State(Status.RUNNING, state.begun + 1)
        self._note(job, state)
        pause = FIRST_PAUSE_SECONDS
        for left in reversed(range(TRIES)):
            try:
                await self._write(job, state)
            except StoreUnavailable:
                if not left:
                    raise
                await asyncio.sleep(pause)
                pause *= 4
            else:
                self._ended(Status.DONE)
                return

    async def _write(self, job: Job, state: State) -> None:
        about = {**(await self._about(job)), "made_for": job.user}
        progress = Progress()
        with self._jobs.part(job).open("w+b") as out:
            noting = asyncio.get_running_loop().create_task(self._note_on(job, state, progress))
            writing = asyncio.get_running_loop().create_task(
                write(job.report, about, self._reader, out, progress)
            )
            try:
                await asyncio.wait({noting, writing}, return_when=asyncio.FIRST_COMPLETED)
                if noting.done():
                    await noting
                await writing
            finally:
                noting.cancel()
                writing.cancel()
                await asyncio.gather(noting, writing, return_exceptions=True)
            size, digest = await asyncio.to_thread(checksum, out)
            done = State(Status.DONE, state.begun, progress.total, size, digest, self._clock())
            if not self._jobs.finish(job, out, done):
                raise Removed

    async def _note_on(self, job: Job, state: State, progress: Progress) -> None:
        """Say how far it is, until cancelled. Raises `Removed`."""
        while True:
            await asyncio.sleep(NOTE_SECONDS)
            self._note(job, msgspec.structs.replace(state, rows=progress.total))

    def _note(self, job: Job, state: State) -> None:
        if not self._jobs.note(job.id, state):
            raise Removed


def checksum(file: IO[bytes]) -> tuple[int, str]:
    """The size and the SHA-256 of what was written to a file."""
    digest = hashlib.sha256()
    file.flush()
    file.seek(0)
    while piece := file.read(_HASHED_AT_ONCE):
        digest.update(piece)
    return file.tell(), digest.hexdigest()
