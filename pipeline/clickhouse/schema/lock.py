"""One migrator at a time, in a store that has no locks: a lease made of a table's name.

Backups and restores take it too: tables must not change meanwhile.

``CREATE TABLE`` fails if the name is taken, whoever tries, so a table *is* a lock; its comment says
until when. A lease that has run out is taken over by creating the next number, and the highest
number holds: a holder that was stopped for too long sees that before its next statement.
"""

from __future__ import annotations

import contextlib
import math
import re
import time
import uuid
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pipeline.clickhouse.client import Store
from pipeline.errors import MigrationError, StoreError, StoreRefused

PREFIX = "migrating_"
_COMMENT = re.compile(r"(?P<owner>[0-9a-f]{32}) until (?P<until>\d+)")
_UNKNOWN_TABLE, _ALREADY_EXISTS = 60, 57
_MOMENT = 1 / 100
"""As a part of a lease. It cannot run out within: a third of it has passed before it is renewed."""


class _Held(NamedTuple):
    number: int
    owner: str
    until_ms: int
    now_ms: int

    @property
    def runs(self) -> bool:
        return self.until_ms > self.now_ms


class Lost(Exception):
    """Another migrator took over: this one was silent for longer than its lease."""


class MigratorLock:
    """The right to change tables, for ``seconds`` from each :meth:`renew`."""

    def __init__(
        self, store: Store, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._clock = clock
        self._owner = uuid.uuid4().hex
        self._number = 0
        self._renewed = self._seen = -math.inf

    def try_acquire(self) -> bool:
        """Take the lease if nobody holds it; False if somebody does."""
        began = self._clock()
        held = _highest(self._store)
        if held and held.runs:
            return False
        self._number = held.number + 1 if held else 1
        try:
            self._store.command(
                f"CREATE TABLE {self.table} (nothing UInt8) ENGINE = Null COMMENT '{self._words()}'"
            )
        except StoreRefused as error:
            if error.code == _ALREADY_EXISTS:
                return False
            raise
        self._renewed = began
        return self._is_mine(_highest(self._store))

    def renew(self) -> None:
        """Make sure that it is ours, and for a while longer; to be called before every statement.

        The store is asked again after a moment only: it was a third of what an empty one costs.

        Raises:
            Lost: it is not ours any more; nothing may be changed.
        """
        began = self._clock()
        if began - self._seen < self._seconds * _MOMENT:
            return
        if not self._is_mine(_highest(self._store)):
            raise Lost
        self._seen = began
        if began - self._renewed < self._seconds / 3:
            return
        try:
            self._store.command(f"ALTER TABLE {self.table} MODIFY COMMENT '{self._words()}'")
        except StoreRefused as error:
            if error.code == _UNKNOWN_TABLE:
                raise Lost from error
            raise
        self._renewed = began

    def release(self) -> None:
        """Give it up, if it is still ours, and clear away those that ran out before it."""
        if self._is_mine(_highest(self._store)):
            # The lower numbers first: while ours stands, nobody can begin with theirs.
            self._drop_up_to(self._number)

    def clear_those_before(self) -> None:
        """Clear away those that ran out before it, so that ours is the only one."""
        self._drop_up_to(self._number - 1)

    def _drop_up_to(self, last: int) -> None:
        for number in sorted(_numbers(self._store)):
            if number <= last:
                self._store.command(f"DROP TABLE IF EXISTS {PREFIX}{number} SYNC")

    @property
    def table(self) -> str:
        """The table that is the lease."""
        return f"{PREFIX}{self._number}"

    def _words(self) -> str:
        until = _now_ms(self._store) + round(self._seconds * 1000)
        return f"{self._owner} until {until}"

    def _is_mine(self, held: _Held | None) -> bool:
        return held is not None and (held.number, held.owner) == (self._number, self._owner)


@contextlib.contextmanager
def exclusive(
    store: Store,
    seconds: float,
    wait_seconds: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[MigratorLock]:
    """Hold the lease while the block runs; wait for another holder to finish or to die.

    Raises:
        MigrationError: another one held it all the time.
    """
    lease = MigratorLock(store, seconds)
    deadline = time.monotonic() + wait_seconds
    while not lease.try_acquire():
        if time.monotonic() > deadline:
            raise MigrationError(
                f"another `usage migrate`, `backup` or `restore` has been at work for "
                f"{wait_seconds:g} seconds; "
                "wait for it to finish and run it again"
            )
        sleep(0.1)
    try:
        yield lease
    except BaseException:
        with contextlib.suppress(StoreError):
            lease.release()
        raise
    lease.release()


def is_held(store: Store) -> bool:
    """Say whether a lease of anybody's has not run out."""
    held = _highest(store)
    return held is not None and held.runs


def _highest(store: Store) -> _Held | None:
    rows = store.query(
        "SELECT name, comment, toUnixTimestamp64Milli(now64(3)) FROM system.tables "
        "WHERE database = {database:String} AND match(name, {names:String})",
        {"database": store.database, "names": f"^{PREFIX}[0-9]+$"},
        consistent=True,
    )
    held = []
    for name, comment, now_ms in rows:
        words = _COMMENT.fullmatch(comment)
        until = int(words["until"]) if words else 0
        owner = words["owner"] if words else ""
        held.append(_Held(int(name.removeprefix(PREFIX)), owner, until, now_ms))
    return max(held, default=None)


def _numbers(store: Store) -> list[int]:
    rows = store.query(
        "SELECT name FROM system.tables WHERE database = {database:String} "
        "AND match(name, {names:String})",
        {"database": store.database, "names": f"^{PREFIX}[0-9]+$"},
    )
    return [int(name.removeprefix(PREFIX)) for (name,) in rows]


def _now_ms(store: Store) -> int:
    """By the server's clock, which all migrators share."""
    return int(store.query("SELECT toUnixTimestamp64Milli(now64(3))")[0][0])
