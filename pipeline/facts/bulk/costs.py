"""Many costs at a time, in nano-units."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.facts.bulk.decimals import scaled
from pipeline.facts.exact.requests import COST_PLACES, cost_nanos

_ONLY_NUMBERS = frozenset({float})


class Costs(NamedTuple):
    """The costs of many requests, in billionths of their currency."""

    nanos: NDArray[np.int64]
    """0 where there is no cost."""
    unpriced: list[int]
    """The places without one."""
    odd: list[int]
    """The places that must be decided one by one, or hold no valid cost."""


def costs(found: Sequence[float | str | None]) -> Costs:
    """The costs, as they were decoded: numbers as doubles, strings as they are."""
    if set(map(type, found)) == _ONLY_NUMBERS:
        nanos, odd = scaled(found, 10.0**COST_PLACES)  # type: ignore[arg-type]
        return Costs(nanos, [], odd)
    numbers = [cost if isinstance(cost, float) else 0.0 for cost in found]
    nanos, odd = scaled(numbers, 10.0**COST_PLACES)
    unpriced = [place for place, cost in enumerate(found) if cost is None]
    for place, cost in enumerate(found):
        if isinstance(cost, str):
            exact = cost_nanos(cost)
            if exact is None:
                odd.append(place)
            else:
                nanos[place] = exact
    return Costs(nanos, unpriced, odd)
