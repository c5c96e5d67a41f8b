"""Whose connection a request gets (`pipeline.embedded.store.sessions`)."""

from __future__ import annotations

from typing import Any, cast

import pytest

from pipeline.embedded.store.sessions import MOST_KEPT, Sessions


class Connection:
    """One that can only be closed."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Engine:
    """Makes connections."""

    def __init__(self) -> None:
        self.made: list[Connection] = []

    def connect(self) -> Connection:
        self.made.append(Connection())
        return self.made[-1]

    @property
    def open(self) -> int:
        return sum(not one.closed for one in self.made)


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def sessions(engine: Engine) -> Sessions:
    return Sessions(cast("Any", engine))


def test_the_next_that_is_alike_has_the_same_connection(sessions: Sessions, engine: Engine) -> None:
    first = sessions.take("", "60", must_exist=False, alike="inserts")
    sessions.give_back("", first, "inserts")
    assert sessions.take("", "60", must_exist=False, alike="others") is not first
    assert sessions.take("", "60", must_exist=False) is not first
    assert sessions.take("", "60", must_exist=False, alike="inserts") is first
    assert sessions.take("", "60", must_exist=False, alike="inserts") is not first, "it is in use"
    assert len(engine.made) == 4


def test_what_may_have_left_something_is_closed(sessions: Sessions, engine: Engine) -> None:
    sessions.give_back("", sessions.take("", "60", must_exist=False, alike="inserts"))
    assert engine.open == 0
    sessions.take("", "60", must_exist=False, alike="inserts")
    assert len(engine.made) == 2


def test_few_are_kept_and_none_is_left_open(sessions: Sessions, engine: Engine) -> None:
    taken = [sessions.take("", "60", must_exist=False, alike=n % 3) for n in range(2 * MOST_KEPT)]
    for n, one in enumerate(taken):
        sessions.give_back("", one, n % 3)
    assert engine.open == MOST_KEPT
    sessions.close()
    assert engine.open == 0
