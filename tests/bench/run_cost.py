"""What each process of `usage run` costs while it counts a hundred events a second."""

from __future__ import annotations

import time
from pathlib import Path

from tests.bench.bed import Bed, Clock
from tests.bench.measure import children
from tests.support.harness.process import Process, free_port, usage
from tests.support.harness.waiting import until

RATE = 100
WARM_SECONDS = 8.0
PARTS = ("store", "worker", "broker", "simulate", "api")
EACH_SECOND = {"USAGE_FLUSH_SECONDS": "1", "USAGE_PARTITIONS": "8"}
VARIANTS = {
    "8 partitions, sealed each second": EACH_SECOND,
    "settings as they come": {},
}


def lines(bed: Bed) -> list[str]:
    """Run it for a while in each way, in turn; a line each."""
    seconds = bed.scale.live_seconds
    return [
        (
            f"`usage run --rate {RATE}` without a terminal, all four topics, "
            f"{seconds} s after its start: % of a core."
        ),
        "",
        f"| | {' | '.join(PARTS)} | its screen | all |",
        f"| --- | {' | '.join('---' for _ in PARTS)} | --- | --- |",
        *(_line(bed.folder, name, settings, seconds) for name, settings in VARIANTS.items()),
    ]


def _line(folder: Path, name: str, settings: dict[str, str], seconds: float) -> str:
    own = folder / f"usage-run-{len(settings)}"
    own.mkdir(exist_ok=True)
    environment = {"USAGE_DATA": str(own / "data"), "USAGE_WEB_PORT": str(free_port()), **settings}
    process = usage("run", "run", "--rate", str(RATE), environment=environment, folder=own)
    try:
        shares = _shares(process, seconds)
    finally:
        process.terminate(60)
    found = [f"{shares[part]:.1f}" for part in (*PARTS, "screen")]
    line = f"| {name} | {' | '.join(found)} | {sum(shares.values()):.1f} |"
    print(line, flush=True)
    return line


def _shares(run: Process, seconds: float) -> dict[str, float]:
    """% of a core of each process, while it counts."""

    def counts() -> bool:
        assert run.is_running, run.tail()
        return "received" in run.output()

    until(counts, within=120, what="numbers of `usage run`", explain=run.tail)
    time.sleep(WARM_SECONDS)  # what is done once, at the start, is not what is asked for
    pids = {
        part: pid for pid, words in children(run.pid).items() for part in PARTS if part in words
    }
    assert set(pids) == set(PARTS), run.tail()
    clock = Clock.start(*pids.values(), run.pid)
    time.sleep(seconds)
    *spent, everything = clock.cpu_since()
    passed = clock.wall_since()
    found = dict(zip(pids, spent, strict=True))
    found["screen"] = everything - sum(spent)
    return {part: cpu / passed * 100 for part, cpu in found.items()}
