"""One query on its way: its connection, its thread, its end."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from pipeline.embedded.store.answers import Progress
from pipeline.embedded.store.engine import Connection, Engine
from pipeline.embedded.store.requests import Asked
from pipeline.embedded.store.results import Pipe
from pipeline.embedded.store.sessions import DEFAULT_TIMEOUT_SECONDS, Sessions
from pipeline.embedded.store.sql import Kind, Statement

# Apart, so that readers that stand still can never keep an insert waiting.
_READERS = 48
_WRITERS = 16
_KILL_AGAIN_SECONDS = 0.2

Outcome = tuple[bytes, Progress]


class Runs:
    """The queries that run. Used from the event loop only; the queries run in threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sessions = Sessions(engine)
        self._readers = ThreadPoolExecutor(_READERS, "read")
        self._writers = ThreadPoolExecutor(_WRITERS, "write")
        self._killers = ThreadPoolExecutor(1, "kill")
        self._running: dict[str, Future[Outcome]] = {}
        # Held here, or the loop would forget them.
        self._ends: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(
        self,
        asked: Asked,
        statement: Statement,
        text: str,
        output: str,
        finish: Callable[[], None],
    ) -> tuple[str, asyncio.Future[Outcome]]:
        """Start ``text``; ``finish`` is called in its thread when it has ended.

        Returns:
            Its label, and what will be its outcome.

        Raises:
            Refusal: its session cannot be had.
        """
        session = asked.options.get("session_id", "")
        alike = _alike(asked, statement)
        try:
            connection = self._sessions.take(
                session,
                asked.options.get("session_timeout", str(DEFAULT_TIMEOUT_SECONDS)),
                must_exist=asked.flag("session_check"),
                alike=alike,
            )
        except BaseException:
            finish()
            raise
        label = secrets.token_hex(8)
        loop = asyncio.get_running_loop()

        outcome: asyncio.Future[Outcome] = loop.create_future()
        outcome.add_done_callback(lambda done: done.cancelled() or done.exception())

        def settle(work: Future[Outcome]) -> None:
            # Before the answer: its client may send the session's next request at once.
            self._running.pop(label, None)
            went_well = not work.cancelled() and work.exception() is None
            self._sessions.give_back(session, connection, alike if went_well else None)
            _copy(work, outcome)

        def ended(work: Future[Outcome]) -> None:
            finish()
            with contextlib.suppress(RuntimeError):  # the loop has ended before the query
                loop.call_soon_threadsafe(settle, work)

        pool = self._readers if statement.streams else self._writers
        work = pool.submit(_work, connection, label, asked, statement, text, output)
        self._running[label] = work
        work.add_done_callback(ended)
        return label, outcome

    def abandon(self, label: str, pipe: Pipe) -> None:
        """End a query whose reader is gone, and then its pipe. Returns at once."""
        task = asyncio.get_running_loop().create_task(self._end(label, pipe))
        self._ends.add(task)
        task.add_done_callback(self._ends.discard)

    def kill_all(self) -> None:
        """Ask every query to end. Returns at once."""
        for label in list(self._running):
            self._kill(label)

    def close(self) -> None:
        """Close the sessions; only when no query runs."""
        self._sessions.close()
        for pool in (self._readers, self._writers, self._killers):
            pool.shutdown()

    def _kill(self, label: str) -> None:
        work = self._running.get(label)
        if work is not None and not work.cancel():
            self._killers.submit(self._engine.kill, label)

    async def _end(self, label: str, pipe: Pipe) -> None:
        # It may be blocked on the full pipe, or not have begun: empty the one, repeat the other.
        emptied = asyncio.get_running_loop().create_task(pipe.drain())
        while not emptied.done():
            self._kill(label)
            await asyncio.wait({emptied}, timeout=_KILL_AGAIN_SECONDS)
        pipe.close()


def _alike(asked: Asked, statement: Statement) -> tuple[str, frozenset[str]] | None:
    """What an INSERT with its data has in common with those that may use its connection next."""
    if statement.kind is not Kind.DATA:
        return None
    return asked.options.get("database", ""), frozenset(asked.settings)


def _copy(work: Future[Outcome], outcome: asyncio.Future[Outcome]) -> None:
    if outcome.done():
        return
    if work.cancelled():
        outcome.cancel()
    elif (error := work.exception()) is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(work.result())


def _work(
    connection: Connection,
    label: str,
    asked: Asked,
    statement: Statement,
    text: str,
    output: str,
) -> Outcome:
    """Run one statement, in a thread: its rows go to ``output``."""
    connection.prepare(label, asked.options.get("database", ""), asked.settings)
    outcome = connection.query(text, output, asked.parameters)
    if statement.sets:
        connection.remember(text)
    return outcome
