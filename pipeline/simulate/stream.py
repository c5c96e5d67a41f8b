"""The stream: events in time, a pure function of the world, the start and the options.

Nothing here reads a clock or sends anything; `produce` does. Only the run's id, which makes event
ids unique across runs, and the start come from outside.
"""

from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from pipeline.simulate import shape
from pipeline.simulate.malformed import break_event
from pipeline.simulate.recipes import Jobs
from pipeline.simulate.requests import Requests
from pipeline.simulate.world import Tenant, World, seeded

MAX_BLOCK = 1000
RUNNING_JOBS = 24
RECENT = 512  # events that may be sent again: far fewer than the duplicate window
REWEIGH_MS = 300_000

REQUESTS = "usage.requests"
RECIPE_ACTIONS = "usage.recipe-actions"
TOPICS = (REQUESTS, RECIPE_ACTIONS)


class Message(NamedTuple):
    """One record to send at `at_ms` (ms since 1970), and what should become of it.

    `kind` is `new`, `late`, `duplicate` or `malformed`; `reason` that of the rejection, if any.
    """

    at_ms: int
    topic: str
    key: bytes
    value: bytes
    kind: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """What the stream is like. Shares are of all messages, each 0 to 1 and together at most 1.

    `rate` is events per second, the mean over a week; `steady` takes the day's curve away.
    """

    rate: float = 200.0
    late: float = 0.0
    duplicates: float = 0.0
    malformed: float = 0.0
    actions: float = 0.35
    steady: bool = False


def stream(world: World, options: Options, *, run: str, start_ms: int) -> Iterator[list[Message]]:
    """Blocks of messages in the order of `at_ms`, without end; each spans a second or so."""
    return _Stream(world, options, run, start_ms).blocks()


class _Stream:
    def __init__(self, world: World, options: Options, run: str, start_ms: int) -> None:
        self._world = world
        self._options = options
        self._run = run
        self._rng = seeded(world.seed, "stream")
        self._requests = Requests(self._rng)
        self._jobs = Jobs(self._rng)
        self._running: list[tuple[Tenant, Iterator[str]]] = []
        self._recent: list[Message] = []
        self._number = 0
        self._now_ms = float(start_ms)
        self._weights: list[float] = []
        self._weigh(start_ms)

    def blocks(self) -> Iterator[list[Message]]:
        size = max(1, min(MAX_BLOCK, int(self._options.rate)))
        while True:
            now = int(self._now_ms)
            if now - self._weighed_ms >= REWEIGH_MS:
                self._weigh(now)
            per_ms = self._options.rate / 1000
            if not self._options.steady:
                per_ms *= self._busy * shape.breathing(now)
            yield [self._message(at) for at in self._times(size, per_ms)]

    def _times(self, count: int, per_ms: float) -> Iterator[int]:
        """The next arrivals of a Poisson process, or evenly spaced ones."""
        for _ in range(count):
            gap = 1.0 if self._options.steady else self._rng.expovariate(1.0)
            self._now_ms += gap / per_ms
            yield int(self._now_ms)

    def _weigh(self, now_ms: int) -> None:
        """How busy each tenant is now, and all of them against their mean."""
        tenants = self._world.tenants
        busy = [shape.activity(region, now_ms) for region in range(len(shape.REGIONS))]
        self._weights = list(accumulate(tenant.weight * busy[tenant.region] for tenant in tenants))
        self._busy = self._weights[-1] / sum(tenant.weight for tenant in tenants)
        self._weighed_ms = now_ms

    def _tenant(self) -> Tenant:
        weights = self._weights
        return self._world.tenants[bisect(weights, self._rng.random() * weights[-1])]

    def _message(self, at_ms: int) -> Message:
        options, rng = self._options, self._rng
        self._number += 1
        dice = rng.random()
        if dice < options.duplicates and self._recent:
            again = self._recent[int(rng.random() * len(self._recent))]
            return Message(at_ms, again.topic, again.key, again.value, "duplicate")
        dice -= options.duplicates
        late = 0 <= dice < options.late
        time_ms = at_ms - self._lateness_ms() if late else at_ms
        topic, tenant, text = self._event(time_ms)
        dice -= options.late
        if 0 <= dice < options.malformed:
            reason, value = break_event(rng, text)
            return Message(at_ms, topic, tenant.key, value, "malformed", reason)
        message = Message(at_ms, topic, tenant.key, text.encode(), "late" if late else "new")
        self._remember(message)
        return message

    def _remember(self, message: Message) -> None:
        if len(self._recent) < RECENT:
            self._recent.append(message)
        else:
            self._recent[self._number % RECENT] = message

    def _lateness_ms(self) -> int:
        """Mostly minutes, sometimes hours: a gateway that was offline; at most two days."""
        return int(min(self._rng.lognormvariate(12.5, 1.5), 2 * 24 * shape.HOUR_MS))

    def _event(self, time_ms: int) -> tuple[str, Tenant, str]:
        """Topic, tenant and JSON text of the next event."""
        if self._rng.random() < self._options.actions:
            tenant, data = self._next_action()
            topic, source, kind = RECIPE_ACTIONS, "/simulator/recipes", "usage.recipe_action.v1"
        else:
            tenant = self._tenant()
            weights = tenant.caller_weights
            caller = tenant.callers[bisect(weights, self._rng.random() * weights[-1])]
            data = self._requests.data(tenant, caller)
            topic, source, kind = REQUESTS, "/simulator/gateway", "usage.request.v1"
        text = (
            f'{{"specversion":"1.0","id":"{self._run}-{self._number}","source":"{source}",'
            f'"type":"{kind}","subject":"{tenant.id}","time":"{_rfc3339(time_ms)}","data":{data}}}'
        )
        return topic, tenant, text

    def _next_action(self) -> tuple[Tenant, str]:
        """The next event of one of the jobs that run side by side."""
        while len(self._running) < RUNNING_JOBS:
            tenant = self._tenant()
            weights = tenant.recipe_weights
            recipe = tenant.recipes[bisect(weights, self._rng.random() * weights[-1])]
            self._running.append((tenant, self._jobs.run(tenant.recipes, recipe)))
        place = int(self._rng.random() * RUNNING_JOBS)
        tenant, job = self._running[place]
        for data in job:
            return tenant, data
        del self._running[place]
        return self._next_action()


def _rfc3339(time_ms: int) -> str:
    """A time in UTC with milliseconds."""
    seconds, ms = divmod(time_ms, 1000)
    return f"{_second(seconds)}.{ms:03d}Z"


@lru_cache(maxsize=1024)  # most events share their second
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
