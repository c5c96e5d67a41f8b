"""How a rebuild is held up in its middle; set by USAGE_HOOK and HOLD_….

While the file that ``HOLD_FILE`` names is there, nothing is read again after ``HOLD_AFTER`` slices.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from pathlib import Path

from pipeline.transport import Fetched, Past

HELD = "the rebuild is held"
_read = Past.read
_slices = itertools.count()


def nothing(when: str, step: str) -> None:
    """Do nothing at the protocol's own steps."""


async def _held(self: Past) -> list[Fetched]:
    file = Path(os.environ["HOLD_FILE"])
    if next(_slices) >= int(os.environ["HOLD_AFTER"]) and file.exists():
        print(HELD, flush=True)
        while file.exists():
            await asyncio.sleep(0.05)
    return await _read(self)


Past.read = _held  # type: ignore[method-assign]


def environment(file: Path, after: int = 0) -> dict[str, str]:
    """Return what a worker's environment must have; creates the file."""
    file.touch()
    return {
        "USAGE_HOOK": "tests.fault.rebuilds:nothing",
        "HOLD_FILE": str(file),
        "HOLD_AFTER": str(after),
    }
