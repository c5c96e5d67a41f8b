"""CPU time and memory of a process with all its threads and children. Linux only: from /proc."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process and its descendants, to 10 ms each."""
    return sum(_own_seconds(one) for one in [pid, *_descendants(pid)])


def peak_mib(pid: int) -> int:
    """Return the most that was ever resident, of the process alone."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def children(pid: int) -> dict[int, list[str]]:
    """Return the processes that one has started, each with the words of its command."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            command = Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace")
            found[child] = command.rstrip("\0").split("\0")
    return found


def _own_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS_PER_SECOND


def _descendants(pid: int) -> list[int]:
    found = list(children(pid))
    return found + [one for child in found for one in _descendants(child)]


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements of the same thing."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(tuple(values))

    @property
    def best(self) -> float:
        return min(self.values)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def text(self, digits: int = 2) -> str:
        """Best and median, as the tables show them."""
        return f"{self.best:.{digits}f} / {self.median:.{digits}f}"


def quantile(ordered: Sequence[tuple[float, int]], q: float) -> float:
    """Return the q-quantile of values with weights, which must be in order."""
    wanted = q * sum(weight for _, weight in ordered)
    seen = 0
    for value, weight in ordered:
        seen += weight
        if seen >= wanted:
            return value
    raise ValueError("there is nothing to take a quantile of")
