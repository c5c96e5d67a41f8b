"""How many examples a property is tried with: all of them, or fewer in the inner loop."""

from __future__ import annotations

import os

PART = float(os.environ.get("TEST_EXAMPLES", "1"))
"""`make quick` takes a part of them; `make test` takes all."""


def examples(number: int) -> int:
    """Return how many of ``number`` to try."""
    return max(1, round(number * PART))
