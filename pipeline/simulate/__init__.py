"""A believable live stream of events, for a first look, for tests and for load.

catalogue  models with prices and latencies, apps, names
world      tenants with users, teams, agents, tokens; a pure function of the seed
recipes    recipes, and the jobs that run them, step by step
requests   what one request asked for, used and cost
product_events  what people do in the product
entities   the things behind the events, as they are at first
changes    how they change
malformed  ways to break an event
shape      a day's curve, a week's shape
stream     all of it in time; pure
produce    sends it
pace       waits for the worker where the broker would drop what it has not counted
truth      writes down what was sent
"""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.process.interrupts import Interrupts
from pipeline.settings import Settings
from pipeline.simulate.stream import Message, Options, stream
from pipeline.simulate.world import MAX_TENANTS, build_world


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What `usage simulate` was asked for.

    `duration` is in seconds of simulated time, 0 for no end. With a `speed` other than 1, or an
    end, the simulated time ends now or then, so it needs a duration: events from the future would
    be rejected. Records are stamped with the simulated time then, unless `stamp_now`.

    The rate of `options` is that of sending: of simulated time it is `speed` times less.
    """

    seed: int = 1
    tenants: int = 24
    duration: float = 0.0
    speed: float = 1.0
    options: Options = field(default_factory=Options)
    run: str = ""
    """Part of every event's id; empty: one of its own."""
    end_ms: int | None = None
    """When the simulated time ends, in epoch ms."""
    stamp_now: bool = False
    truth: Path | None = None

    @property
    def is_history(self) -> bool:
        """Whether the simulated time is not that of the sending."""
        return self.speed != 1 or self.end_ms is not None


def main(settings: Settings, simulation: Simulation) -> None:
    """Send the stream until it ends, or SIGINT or SIGTERM comes; say at the end what was sent.

    Raises:
        BrokerError: the broker is not there, or lacks the topics, or did not take everything.
        UsageError: the options contradict each other.
    """
    from pipeline.simulate.history import require_kept
    from pipeline.simulate.produce import Clock, Sender  # loads librdkafka
    from pipeline.simulate.truth import Truth

    now_ms = time.time_ns() // 1_000_000
    _check(simulation, now_ms)
    stop = Interrupts()
    start_ms = start_of(simulation, now_ms)
    stamped = simulation.is_history and not simulation.stamp_now
    with Truth(simulation.truth) as truth:
        sender = Sender(settings, stamped=stamped, truth=truth if simulation.truth else None)
        if stamped:
            require_kept(settings, start_ms, now_ms)
        began = time.monotonic()
        sender.send(messages(simulation, start_ms), Clock(start_ms, simulation.speed), stop)
        sender.flush()
    sender.report(time.monotonic() - began, sys.stderr)


def start_of(simulation: Simulation, now_ms: int) -> int:
    """When the simulated time begins, in epoch ms."""
    if not simulation.is_history:
        return now_ms
    end_ms = now_ms if simulation.end_ms is None else simulation.end_ms
    return end_ms - int(simulation.duration * 1000)


def messages(simulation: Simulation, start_ms: int) -> Iterator[list[Message]]:
    """All that it sends, decided by it and its start; without a `run` but for the events' ids."""
    world = build_world(simulation.seed, simulation.tenants)
    options = replace(simulation.options, rate=simulation.options.rate / simulation.speed)
    run = simulation.run or secrets.token_hex(5)
    blocks = stream(world, options, run=run, start_ms=start_ms)
    if simulation.duration:
        blocks = until(blocks, start_ms + int(simulation.duration * 1000))
    return blocks


def until(blocks: Iterator[list[Message]], end_ms: int) -> Iterator[list[Message]]:
    """The messages before `end_ms`."""
    for block in blocks:
        if block[-1].at_ms < end_ms:
            yield block
        else:
            yield [message for message in block if message.at_ms < end_ms]
            return


def _check(simulation: Simulation, now_ms: int) -> None:
    options = simulation.options
    for names, shares in (
        ("late, duplicate and malformed", (options.late, options.duplicates, options.malformed)),
        ("action, product and entity", (options.actions, options.events, options.changes)),
    ):
        if min(shares) < 0 or sum(shares) > 1:
            raise UsageError(
                f"the shares of {names} events are each from 0 to 1, and together at most 1; "
                f"found {', '.join(str(share) for share in shares)}"
            )
    if not 1 <= simulation.tenants <= MAX_TENANTS:
        raise UsageError(f"--tenants is from 1 to {MAX_TENANTS}; found {simulation.tenants}")
    if options.rate <= 0 or simulation.speed <= 0 or simulation.duration < 0:
        raise UsageError("--rate and --speed-up are above 0, --duration is not negative")
    if simulation.is_history and not simulation.duration:
        raise UsageError(
            "--speed-up and --until need a --duration: the simulated time ends now, or then, so it "
            "must be known when it begins"
        )
    if simulation.end_ms is not None and simulation.end_ms > now_ms:
        raise UsageError("--until is in the future; events from there would be rejected")
