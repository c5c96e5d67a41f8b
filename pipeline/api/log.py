"""Kafka, as handlers ask it: in threads, one question at a time, and not again at once in vain."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from pipeline.api.problems import Problem
from pipeline.errors import BrokerError
from pipeline.kafka.entry import admin
from pipeline.kafka.topics import DEAD_LETTER, described

if TYPE_CHECKING:
    from pipeline.settings import Settings

T = TypeVar("T")

FIRST_ANSWER_SECONDS = 3.0
"""How long Kafka may take to answer at all: somebody looks at the screen."""

AWAY_SECONDS = 5
"""So long after it did not answer nobody else waits for it."""


class Log:
    """The questions of one API process to Kafka; used from one event loop."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self._clock = clock
        self._one = asyncio.Lock()
        self._away: tuple[float, BrokerError] | None = None

    async def ask(self, question: Callable[[Settings], T]) -> T:
        """The answer to a question that waits for Kafka.

        Raises:
            Problem: 503, Kafka does not answer, or did not a moment ago.
        """
        async with self._one:
            if self._away is not None and self._clock() - self._away[0] < AWAY_SECONDS:
                raise _problem(self._away[1])
            try:
                return await asyncio.to_thread(self._asked, question)
            except BrokerError as error:
                self._away = (self._clock(), error)
                raise _problem(error) from error

    def _asked(self, question: Callable[[Settings], T]) -> T:
        topic = self.settings.topic(DEAD_LETTER.name)
        described(admin(self.settings), self.settings, topic, FIRST_ANSWER_SECONDS)
        return question(self.settings)


def _problem(error: BrokerError) -> Problem:
    """To operators alone: the sentence names the broker."""
    return Problem(503, error.message, headers={"Retry-After": str(AWAY_SECONDS)})
