"""The stream: events in time, a pure function of the world, the start and the options.

Nothing here reads a clock or sends anything; `produce` does. Only the run's id, which makes event
ids unique across runs, and the start come from outside.
"""

from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate, islice
from typing import NamedTuple

from pipeline.simulate import entities, shape
from pipeline.simulate.changes import Changes
from pipeline.simulate.malformed import break_event
from pipeline.simulate.product_events import ProductEvents
from pipeline.simulate.recipes import Jobs, Recipe
from pipeline.simulate.requests import Requests
from pipeline.simulate.world import Tenant, World, seeded
from schemas import entity, product_event, recipe_action, request

MAX_BLOCK = 1000
RUNNING_JOBS = 24
RECENT = 512  # events that may be sent again: far fewer than the duplicate window
REWEIGH_MS = 300_000

ENTITIES = entity.TOPIC
TOPICS = (ENTITIES, request.TOPIC, recipe_action.TOPIC, product_event.TOPIC)
ANNOUNCED = "announced"
KINDS = (ANNOUNCED, "new", "late", "duplicate", "malformed")
"""Of messages; announced is the world as it is at first, the others are the stream."""


class Message(NamedTuple):
    """One record to send at `at_ms` (ms since 1970), and what should become of it.

    `kind` is one of `KINDS`; `reason` that of the rejection, if any.
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
    `actions`, `events` and `changes` are the shares of recipe actions, of product events and of
    changes of entities, the rest are requests. `announce` sends all entities first, at the start.
    """

    rate: float = 200.0
    late: float = 0.0
    duplicates: float = 0.0
    malformed: float = 0.0
    actions: float = 0.35
    steady: bool = False
    events: float = 0.08
    changes: float = 0.002
    announce: bool = False


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
        self._product_events = ProductEvents(seeded(world.seed, "product"))
        self._changes = Changes(world)
        self._at_once = max(1, min(RUNNING_JOBS, int(options.rate)))
        self._running: list[tuple[Tenant, Iterator[str]]] = []
        self._recent: list[Message] = []
        self._number = 0
        self._now_ms = float(start_ms)
        self._weights: list[float] = []
        self._weigh(start_ms)

    def blocks(self) -> Iterator[list[Message]]:
        if self._options.announce:
            yield from self._announced(int(self._now_ms))
        size = max(1, min(MAX_BLOCK, int(self._options.rate)))
        while True:
            now = int(self._now_ms)
            if now - self._weighed_ms >= REWEIGH_MS:
                self._weigh(now)
            per_ms = self._options.rate / 1000
            if not self._options.steady:
                per_ms *= self._busy * shape.breathing(now)
            yield [self._message(at) for at in self._times(size, per_ms)]

    def _announced(self, at_ms: int) -> Iterator[list[Message]]:
        things = entities.at_first(self._world)
        while some := list(islice(things, MAX_BLOCK)):
            yield [self._announcement(at_ms, thing) for thing in some]

    def _announcement(self, at_ms: int, thing: entities.Thing) -> Message:
        self._number += 1
        text = self._text("entities", entity.TYPE, thing.tenant, at_ms, thing.data())
        return Message(at_ms, ENTITIES, thing.tenant.encode(), text.encode(), ANNOUNCED)

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

    def _rank(self) -> int:
        """A tenant's rank, from 1: the busier, the likelier."""
        return bisect(self._weights, self._rng.random() * self._weights[-1]) + 1

    def _tenant(self) -> Tenant:
        return self._world.tenants[self._rank() - 1]

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
        topic, key, text = self._event(time_ms)
        dice -= options.late
        if 0 <= dice < options.malformed:
            reason, value = break_event(rng, text)
            return Message(at_ms, topic, key, value, "malformed", reason)
        message = Message(at_ms, topic, key, text.encode(), "late" if late else "new")
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

    def _event(self, time_ms: int) -> tuple[str, bytes, str]:
        """Topic, key and JSON text of the next event."""
        options = self._options
        dice = self._rng.random()
        if dice < options.actions:
            tenant, data = self._next_action()
            text = self._text("recipes", recipe_action.TYPE, tenant.id, time_ms, data)
            return recipe_action.TOPIC, tenant.key, text
        dice -= options.actions
        rank = self._rank()
        tenant = self._world.tenants[rank - 1]
        if dice < options.changes:
            data = self._changes.next(rank).data()
            text = self._text("entities", entity.TYPE, tenant.id, time_ms, data)
            return ENTITIES, tenant.key, text
        weights = tenant.caller_weights
        caller = tenant.callers[bisect(weights, self._rng.random() * weights[-1])]
        if dice < options.changes + options.events:
            data = self._product_events.data(tenant, caller.user)
            text = self._text("product", product_event.TYPE, tenant.id, time_ms, data)
            return product_event.TOPIC, tenant.key, text
        data = self._requests.data(tenant, caller)
        text = self._text("gateway", request.TYPE, tenant.id, time_ms, data)
        return request.TOPIC, tenant.key, text

    def _text(self, source: str, type_: str, tenant: str, time_ms: int, data: str) -> str:
        return (
            f'{{"specversion":"1.0","id":"{self._run}-{self._number}",'
            f'"source":"/simulator/{source}","type":"{type_}","subject":"{tenant}",'
            f'"time":"{_rfc3339(time_ms)}","data":{data}}}'
        )

    def _next_action(self) -> tuple[Tenant, str]:
        """The next event of one of the jobs that run side by side."""
        while len(self._running) < self._at_once:
            tenant = self._tenant()
            recipe = self._recipe(tenant)
            self._running.append((tenant, self._jobs.run(tenant.recipes, recipe)))
        place = int(self._rng.random() * self._at_once)
        tenant, job = self._running[place]
        for data in job:
            return tenant, data
        del self._running[place]
        return self._next_action()

    def _recipe(self, tenant: Tenant) -> Recipe:
        """One that is not stopped; the first never is."""
        weights = tenant.recipe_weights
        recipe = tenant.recipes[bisect(weights, self._rng.random() * weights[-1])]
        is_stopped = self._changes.is_stopped(tenant.id, recipe.id)
        return tenant.recipes[0] if is_stopped else recipe


def _rfc3339(time_ms: int) -> str:
    """A time in UTC with milliseconds."""
    seconds, ms = divmod(time_ms, 1000)
    return f"{_second(seconds)}.{ms:03d}Z"


@lru_cache(maxsize=1024)  # most events share their second
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
