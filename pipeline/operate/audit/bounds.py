"""Intervals of a difference that is seen only roughly, narrowed from look to look. Pure."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)

Number = int | float
"""A whole number, or an infinity."""


class Interval(NamedTuple):
    """All from ``low`` to ``high``, both included."""

    low: Number
    high: Number

    @property
    def width(self) -> Number:
        """0 where the difference is known exactly."""
        return self.high - self.low

    @property
    def holds_zero(self) -> bool:
        """Whether the interval allows that there is no difference."""
        return self.low <= 0 <= self.high

    @property
    def nearest(self) -> int:
        """The smallest difference that it can be, by size."""
        if self.holds_zero:
            return 0
        return int(self.low if self.low > 0 else self.high)

    def within(self, other: Interval) -> Interval | None:
        """What both allow; None where they contradict each other."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Interval(low, high) if low <= high else None


ANYTHING = Interval(-math.inf, math.inf)


class Narrowing(Generic[K]):
    """One comparison over several looks: what the difference of each key can be."""

    def __init__(self) -> None:
        self._others = ANYTHING
        self._by_key: dict[K, Interval] = {}

    def add(self, seen: Mapping[K, Interval], others: Interval = ANYTHING) -> None:
        """Take in a look: the interval of each key, and that of all the keys not named.

        Where it contradicts what was known, the store itself has changed meanwhile: the newest
        look holds.
        """
        for key in self._by_key.keys() | seen.keys():
            now = seen.get(key, others)
            self._by_key[key] = self._by_key.get(key, self._others).within(now) or now
        self._others = self._others.within(others) or others

    def differences(self) -> dict[K, Interval]:
        """The keys whose two sums certainly differ, with the interval of the difference."""
        return {key: seen for key, seen in self._by_key.items() if not seen.holds_zero}

    @property
    def width(self) -> Number:
        """The widest interval's width: a difference up to this may have gone unseen."""
        widths = [seen.width for seen in self._by_key.values()]
        return max(widths, default=0 if self._others is ANYTHING else self._others.width)
