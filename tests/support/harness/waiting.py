"""Await a condition instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.05


def until(
    condition: Callable[[], T | None],
    *,
    within: float,
    what: str,
    explain: Callable[[], str] = lambda: "",
    every: float = POLL_SECONDS,
) -> T:
    """Call ``condition`` until it returns something true, and return that.

    Raises `AssertionError` after ``within`` seconds, with ``what`` was awaited, the last answer
    and what ``explain`` says. An exception of the condition ends the wait.
    """
    deadline = time.monotonic() + within
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(
                f"waited {within:g} s for {what}; last answer: {answer!r}\n{explain()}"
            )
        time.sleep(every)
