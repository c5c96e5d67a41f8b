"""What each process of `usage run` costs while it counts a hundred events a second."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from tests.bench.bed import Bed, Clock
from tests.bench.measure import children
from tests.support.harness.process import Process, clean_environment, free_port
from tests.support.harness.waiting import until

RATE = 100
WARM_SECONDS = 8.0
PARTS = ("store", "worker", "broker", "simulate", "api")
EIGHT = {"USAGE_PARTITIONS": "8", "USAGE_FLUSH_SECONDS": "1"}
VARIANTS = {
    "8 partitions, sealed each second": {**EIGHT, "USAGE_QUIET_EVENTS": "0"},
    "8 partitions, each second or two": EIGHT,
    "settings as they come": {},
}
_IN_A_TERMINAL = "import pty, sys; pty.spawn(sys.argv[1:])"


def lines(bed: Bed) -> list[str]:
    """Run it for a while in each way, in turn; a line each."""
    seconds = bed.scale.live_seconds
    return [
        (
            f"`usage run --rate {RATE}` in a terminal, all four topics, for {seconds} s: "
            "% of a core."
        ),
        "",
        f"| | {' | '.join(PARTS)} | its screen | all |",
        f"| --- | {' | '.join('---' for _ in PARTS)} | --- | --- |",
        *(_line(bed.folder, name, settings, seconds) for name, settings in VARIANTS.items()),
    ]


def _line(folder: Path, name: str, settings: dict[str, str], seconds: float) -> str:
    own = folder / f"usage-run-{len(settings)}"
    own.mkdir(exist_ok=True)
    more = {"USAGE_DATA": str(own / "data"), "USAGE_WEB_PORT": str(free_port()), "TERM": "xterm"}
    words = (sys.executable, "-m", "pipeline.cli", "run", "--rate", str(RATE))
    command = [sys.executable, "-c", _IN_A_TERMINAL, *words]
    terminal = Process("run", command, {**clean_environment(), **more, **settings}, own)
    try:
        shares = _shares(terminal, seconds)
    finally:
        for pid in children(terminal.pid):  # in a session of its own: no signal of ours reaches it
            os.kill(pid, signal.SIGTERM)
        terminal.wait(60)
    found = [f"{shares[part]:.1f}" for part in (*PARTS, "screen")]
    line = f"| {name} | {' | '.join(found)} | {sum(shares.values()):.1f} |"
    print(line, flush=True)
    return line


def _shares(terminal: Process, seconds: float) -> dict[str, float]:
    """% of a core of each process, while it counts."""

    def counts() -> bool:
        assert terminal.is_running, terminal.tail()
        return "Ledger" in terminal.output()

    until(counts, within=120, what="numbers of `usage run`", explain=terminal.tail)
    time.sleep(WARM_SECONDS)  # what is done once, at the start, is not what is asked for
    [run] = children(terminal.pid)
    started = children(run)
    pids = {part: pid for part in PARTS for pid, words in started.items() if part in words}
    assert set(pids) == set(PARTS), terminal.tail()
    clock = Clock.start(*pids.values(), run)
    time.sleep(seconds)
    *spent, everything = clock.cpu_since()
    passed = clock.wall_since()
    found = dict(zip(pids, spent, strict=True))
    found["screen"] = everything - sum(spent)
    return {part: cpu / passed * 100 for part, cpu in found.items()}
