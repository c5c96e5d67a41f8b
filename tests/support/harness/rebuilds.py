"""How a rebuild is held up in its middle; set by USAGE_HOOK and HOLD_….

While the file that ``HOLD_FILE`` names is there, nothing is read again after ``HOLD_AFTER`` slices.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import os
from pathlib import Path

from pipeline.protocol.fetched import Fetched
from pipeline.worker.transport import Past

HELD = "the rebuild is held"
LOOK_SECONDS = 0.05
_read = Past.read
_slices = itertools.count()


def nothing(when: str, step: str) -> None:
    """Do nothing at the protocol's own steps."""


def _holds() -> bool:
    return Path(os.environ["HOLD_FILE"]).exists()


async def _held(self: Past, patience: float = math.inf) -> list[Fetched]:
    if next(_slices) >= int(os.environ["HOLD_AFTER"]) and _holds():
        print(HELD, flush=True)
        while _holds():  # noqa: ASYNC110  # another process takes the file away
            await asyncio.sleep(LOOK_SECONDS)
    return await _read(self, patience)


if "HOLD_FILE" in os.environ:  # in a worker, not in the tests that import this
    Past.read = _held  # type: ignore[method-assign]


def environment(file: Path, after: int = 0) -> dict[str, str]:
    """Return what a worker's environment must have; creates the file."""
    file.touch()
    return {
        "USAGE_HOOK": "tests.support.harness.rebuilds:nothing",
        "HOLD_FILE": str(file),
        "HOLD_AFTER": str(after),
    }
