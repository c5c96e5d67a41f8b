"""What a worker does to itself at a step of the chunk protocol; set by USAGE_HOOK and FAULT_….

``FAULT_AT`` is ``when:step:times``, as ``after:insert:facts:2``: the second time that point is
met. ``FAULT_DO`` is ``kill`` (SIGKILL) or ``stop`` (SIGSTOP: the test resumes it). ``FAULT_ONCE``
may name a file: nothing is met before it is there.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

HOOK = "tests.support.harness.hooks:fault"
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_met: dict[str, int] = {}


def fault(when: str, step: str) -> None:
    """Be told of a step, and do what the environment says there."""
    once = os.environ.get("FAULT_ONCE")
    if once and not Path(once).exists():
        return
    point, _, times = os.environ["FAULT_AT"].rpartition(":")
    met = f"{when}:{step}"
    _met[met] = _met.get(met, 0) + 1
    if met == point and _met[met] == int(times):
        os.kill(os.getpid(), _SIGNALS[os.environ["FAULT_DO"]])


def environment(
    point: str, times: int = 1, do: str = "kill", once: Path | None = None
) -> dict[str, str]:
    """Return what a worker's environment must have for one fault, ``once`` a file is there."""
    later = {"FAULT_ONCE": str(once)} if once else {}
    return {"USAGE_HOOK": HOOK, "FAULT_AT": f"{point}:{times}", "FAULT_DO": do, **later}
