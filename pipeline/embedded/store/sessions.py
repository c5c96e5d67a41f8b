"""Connections that outlive a request: sessions, by ``session_id``, and those of inserts.

A session keeps temporary tables, SET and USE. An INSERT with its data leaves nothing behind, so
the next one that is sent with the same settings and database takes its connection: what is set
in it already need not be set again.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from itertools import chain

from pipeline.embedded.store.answers import Refusal
from pipeline.embedded.store.engine import Connection, Engine

DEFAULT_TIMEOUT_SECONDS = 60
MAX_TIMEOUT_SECONDS = 3600
MOST_KEPT = 16
"""Connections that wait for a next insert."""


@dataclass
class _Session:
    connection: Connection
    expires: float
    busy: bool


class Sessions:
    """The open sessions. Used from the event loop only."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._open: dict[str, _Session] = {}
        self._kept: defaultdict[Hashable, list[Connection]] = defaultdict(list)

    def take(
        self, name: str, timeout: str, *, must_exist: bool, alike: Hashable = None
    ) -> Connection:
        """The connection of a session, for one request; '' is a request without a session.

        Of those without, one that leaves nothing in it may have that of another that is ``alike``.

        Raises:
            Refusal: as a server does: in use, unknown though it must exist, a wrong timeout.
        """
        self._expire()
        if not name:
            kept = self._kept.get(alike)
            return kept.pop() if kept else self._engine.connect()
        if not timeout.isdecimal() or int(timeout) > MAX_TIMEOUT_SECONDS:
            raise Refusal(
                374,
                "INVALID_SESSION_TIMEOUT",
                f"Session timeout '{timeout}' is not 0 to {MAX_TIMEOUT_SECONDS} seconds",
            )
        session = self._open.get(name)
        if session is None:
            if must_exist:
                raise Refusal(372, "SESSION_NOT_FOUND", f"Session {name} not found")
            session = self._open[name] = _Session(self._engine.connect(), 0, busy=False)
        if session.busy:
            raise Refusal(
                373, "SESSION_IS_LOCKED", f"Session {name} is locked by a concurrent client"
            )
        session.busy = True
        session.expires = self._clock() + int(timeout)
        return session.connection

    def give_back(self, name: str, connection: Connection, alike: Hashable = None) -> None:
        """A request is over: close its connection, or keep it for the next of its session or kind.

        ``alike`` is None where it may have left something in it, or went wrong.
        """
        if name:
            self._open[name].busy = False
        elif alike is not None and sum(map(len, self._kept.values())) < MOST_KEPT:
            self._kept[alike].append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close them all; none may be in use."""
        for session in self._open.values():
            session.connection.close()
        for connection in chain.from_iterable(self._kept.values()):
            connection.close()
        self._open.clear()
        self._kept.clear()

    def _expire(self) -> None:
        now = self._clock()
        for name in [n for n, s in self._open.items() if not s.busy and s.expires < now]:
            self._open.pop(name).connection.close()
