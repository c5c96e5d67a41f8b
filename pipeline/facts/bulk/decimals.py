"""Many decimals at a time, exactly, though they were read as doubles.

A double is within 2^-53 of its decimal, and so is what it is multiplied to: where the product is
further than that from a half, it rounds to what the decimal rounds to. The rest is told apart.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_ERROR = 2.0**-51
"""Twice what both roundings come to, relative to the product."""


class Scaled(NamedTuple):
    """Many decimal numbers, scaled to integers."""

    whole: NDArray[np.int64]
    """0 where it is not clear."""
    unclear: list[int]
    """The places where a double does not tell: near a half, too large, negative zero (which may
    have been a negative number)."""


def scaled(numbers: Sequence[float], factor: float) -> Scaled:
    """Each number, at least 0 and far from a double's limit, times ``factor``, half-even."""
    products = np.fromiter(numbers, np.float64, len(numbers)) * factor
    rounded = np.rint(products)
    unclear = (np.abs(products - rounded) > 0.5 - products * _ERROR) | np.signbit(products)
    if not unclear.any():
        return Scaled(rounded.astype(np.int64), [])
    return Scaled(np.where(unclear, 0, rounded).astype(np.int64), np.flatnonzero(unclear).tolist())
