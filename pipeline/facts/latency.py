"""The buckets of durations, 4 % wide: what quantiles are made of.

Why they are so, and what an element of a row's ``latency`` is:
``docs/decisions/latency-histogram.md``.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

BUCKETS = 1024
"""More than there are: an element is a bucket, and so much for each further request in it."""
MOST_OF_ONE = 64
"""How many requests an element of 16 bits may stand for."""
LONGEST_US = 10**12
"""What the contract accepts."""


def _firsts() -> list[int]:
    """The least duration of each bucket from 1 on, in whole µs; 0 µs is bucket 0."""
    firsts, bound = [], Fraction(1)
    while bound <= LONGEST_US:
        firsts.append(ceil(bound))
        bound *= Fraction(26, 25)
    return firsts


_FIRSTS = np.array(_firsts(), np.uint64)


def buckets(durations_us: NDArray[Any]) -> NDArray[np.int64]:
    """The bucket of each duration: ``1 + floor(log(d) / log(1.04))``, by whole numbers alone.

    A logarithm's last bit may differ from machine to machine, and what is sent may not.
    """
    return np.searchsorted(_FIRSTS, durations_us, side="right")
