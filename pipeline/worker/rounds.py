"""When a worker's rounds are: at which all its partitions are sealed together. Pure.

A round costs the store the same whether it holds ten events or a thousand, so that little waits for
a second interval. Nothing about an event depends on when its chunk is sealed.
"""

from __future__ import annotations

import math


class Rounds:
    """The next round of one worker, in seconds of any one clock."""

    def __init__(self, interval_seconds: float, now: float) -> None:
        self._interval = interval_seconds
        self._at = now
        self._has_waited = False
        self.longest_seconds = 2 * interval_seconds
        """How long the one that runs may take, put off as it may be."""

    def seconds_left(self, now: float) -> float:
        """How long until a round may be due."""
        return max(0.0, self._at - now)

    def is_due(self, now: float, *, is_little: bool) -> bool:
        """Say whether it is time; little that is held puts it off by one interval, once."""
        if now >= self._at and is_little and not self._has_waited:
            self._at += self._interval
            self._has_waited = True
        return now >= self._at

    def ended(self, now: float, inserts: int = 0, most_per_second: float = math.inf) -> None:
        """Begin the next one, later where this one's inserts are more than there may be till then.

        Of chunks that are sealed together, a topic's are one insert, however many they are.
        """
        seconds = max(self._interval, inserts / most_per_second)
        self._at = now + seconds
        self.longest_seconds = seconds + self._interval
        self._has_waited = False
