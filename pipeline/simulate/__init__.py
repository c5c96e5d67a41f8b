"""A believable live stream of events, for a first look, for tests and for load.

catalogue  models with prices and latencies, apps, names
world      tenants with users, teams, agents, tokens; a pure function of the seed
recipes    recipes, and the jobs that run them, step by step
requests   what one request asked for, used and cost
malformed  ways to break an event
shape      a day's curve, a week's shape
stream     all of it in time; pure
produce    sends it
"""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.errors import UsageError
from pipeline.interrupts import Interrupts
from pipeline.settings import Settings
from pipeline.simulate.stream import Message, Options, stream
from pipeline.simulate.world import MAX_TENANTS, build_world


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What `usage simulate` was asked for.

    `duration` is in seconds of simulated time, 0 for no end. With a `speed` other than 1 the
    simulated time ends now, so it needs a duration: events from the future would be rejected.
    """

    seed: int = 1
    tenants: int = 24
    duration: float = 0.0
    speed: float = 1.0
    options: Options = field(default_factory=Options)


def main(settings: Settings, simulation: Simulation) -> None:
    """Send the stream until it ends, or SIGINT or SIGTERM comes; say at the end what was sent.

    Raises:
        BrokerError: the broker is not there, or lacks the topics, or did not take everything.
        UsageError: the options contradict each other.
    """
    from pipeline.simulate.produce import Clock, Sender  # loads librdkafka

    _check(simulation)
    stop = Interrupts()
    start_ms = time.time_ns() // 1_000_000
    if simulation.speed != 1:
        start_ms -= int(simulation.duration * 1000)
    world = build_world(simulation.seed, simulation.tenants)
    blocks = stream(world, simulation.options, run=secrets.token_hex(5), start_ms=start_ms)
    if simulation.duration:
        blocks = until(blocks, start_ms + int(simulation.duration * 1000))
    sender = Sender(settings)
    began = time.monotonic()
    sender.send(blocks, Clock(start_ms, simulation.speed), stop)
    sender.flush()
    sender.report(time.monotonic() - began, sys.stderr)


def until(blocks: Iterator[list[Message]], end_ms: int) -> Iterator[list[Message]]:
    """The messages before `end_ms`."""
    for block in blocks:
        if block[-1].at_ms < end_ms:
            yield block
        else:
            yield [message for message in block if message.at_ms < end_ms]
            return


def _check(simulation: Simulation) -> None:
    options = simulation.options
    shares = (options.late, options.duplicates, options.malformed)
    if min(shares) < 0 or sum(shares) > 1:
        raise UsageError(
            "the shares of late, duplicate and malformed events are each from 0 to 1, and together "
            f"at most 1; found {', '.join(str(share) for share in shares)}"
        )
    if not 1 <= simulation.tenants <= MAX_TENANTS:
        raise UsageError(f"--tenants is from 1 to {MAX_TENANTS}; found {simulation.tenants}")
    if options.rate <= 0 or simulation.speed <= 0 or simulation.duration < 0:
        raise UsageError("--rate and --speed are above 0, --duration is not negative")
    if simulation.speed != 1 and not simulation.duration:
        raise UsageError(
            "--speed needs a --duration: the simulated time ends now, so it must be known when it "
            "begins"
        )
