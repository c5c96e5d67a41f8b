"""A worker whose store's clock is days behind, as a file says; `USAGE_HOOK` brings it in.

``DAYS_FILE`` names the file: a number of days, and one of seconds, which may be negative. It looks
at users' days twice a second. Faults of `tests.support.harness.hooks` may be set besides. With
``DAYS_BY_CLOCK`` Kafka does not tell which it is, so that no day is given out.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from pipeline.kafka import topics
from pipeline.protocol.settled import Settled, State
from pipeline.worker import settling
from tests.support.harness import hooks

HOOK = "tests.support.harness.days:fault"
_read = Settled.read


def environment(file: Path, **more: str) -> dict[str, str]:
    """Return what a worker's environment must have."""
    return {**more, "USAGE_HOOK": HOOK, "DAYS_FILE": str(file)}


def _behind(settled: Settled) -> State:
    state = _read(settled)
    days, seconds = Path(os.environ["DAYS_FILE"]).read_text(encoding="utf-8").split()
    return state._replace(now=state.now - timedelta(days=int(days), seconds=float(seconds)))


if "DAYS_FILE" in os.environ:
    Settled.read = _behind  # type: ignore[assignment, method-assign]
    settling.LOOK_SECONDS = 0.5
    settling.GIVES_OUT_DAYS = True
    if "DAYS_BY_CLOCK" in os.environ:
        topics.cluster_id = lambda settings: ""


def fault(when: str, step: str) -> None:
    """Be told of a step."""
    if "FAULT_AT" in os.environ:
        hooks.fault(when, step)
