"""What a worker does to itself at a step of the chunk protocol; set by USAGE_HOOK and FAULT_….

``FAULT_AT`` is ``when:step:times``, as ``after:insert:facts:2``: the second time that point is
met. ``FAULT_DO`` is ``kill`` (SIGKILL) or ``stop`` (SIGSTOP: the test resumes it).
"""

from __future__ import annotations

import os
import signal

HOOK = "tests.support.harness.hooks:fault"
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_met: dict[str, int] = {}


def fault(when: str, step: str) -> None:
    """Be told of a step, and do what the environment says there."""
    point, _, times = os.environ["FAULT_AT"].rpartition(":")
    met = f"{when}:{step}"
    _met[met] = _met.get(met, 0) + 1
    if met == point and _met[met] == int(times):
        os.kill(os.getpid(), _SIGNALS[os.environ["FAULT_DO"]])


def environment(point: str, times: int = 1, do: str = "kill") -> dict[str, str]:
    """Return what a worker's environment must have for one fault."""
    return {"USAGE_HOOK": HOOK, "FAULT_AT": f"{point}:{times}", "FAULT_DO": do}
