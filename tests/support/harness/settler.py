"""Settles users' days of a store, as the environment names it, until none is due.

``python -m tests.support.harness.settler``; `tests.support.harness.hooks` may kill it on the way.
"""

from __future__ import annotations

import os

from pipeline.clickhouse.client import Store
from pipeline.protocol.hooks import hook_of
from pipeline.protocol.settled import Settled
from pipeline.settings import load


def main() -> None:
    """Settle them."""
    settings = load(os.environ)
    settled = Settled(Store.connect(settings), hook_of(settings))
    while settled.settle_next():
        pass


if __name__ == "__main__":
    main()
