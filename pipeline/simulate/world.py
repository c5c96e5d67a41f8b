"""The tenants of the simulated world, with everything that they own; a pure function of the seed.

Tenant number i is the same whatever the number of tenants, so a larger world contains the
smaller one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from pipeline.simulate import catalogue, shape
from pipeline.simulate.catalogue import ModelUse
from pipeline.simulate.recipes import Recipe, build_recipes

ZIPF = 1.05
MAX_TENANTS = 100_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request: a token, and the user, team and agent behind it where there are any.

    `fragment` is its part of an event's data; `uses` is what it asks for, each as likely.
    """

    fragment: str
    uses: tuple[ModelUse, ...]
    user: str = ""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant, ready for the stream: weights are cumulative, for bisection."""

    id: str
    name: str
    key: bytes
    region: int
    currency: str
    weight: float
    callers: tuple[Caller, ...]
    caller_weights: tuple[float, ...]
    recipes: tuple[Recipe, ...]
    recipe_weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class World:
    """All tenants, the heaviest first."""

    seed: int
    tenants: tuple[Tenant, ...]


def build_world(seed: int, tenants: int) -> World:
    """The world of a seed with 1 to `MAX_TENANTS` tenants."""
    if not 1 <= tenants <= MAX_TENANTS:
        raise ValueError(f"a world has 1 to {MAX_TENANTS} tenants, not {tenants}")
    names = _names(seed)
    return World(seed, tuple(_tenant(seed, rank, names) for rank in range(1, tenants + 1)))


def seeded(seed: int, *path: str | int) -> Random:
    """A generator of its own for one part of the world, so that no part moves another."""
    return Random("/".join(map(str, (seed, *path))))  # noqa: S311 - nothing here is a secret


def zipf_weights(count: int, exponent: float = ZIPF) -> tuple[float, ...]:
    """Cumulative weights of `count` things, the first the heaviest."""
    return tuple(accumulate(rank**-exponent for rank in range(1, count + 1)))


def _names(seed: int) -> Sequence[str]:
    pairs = [f"{a} {b}" for a in catalogue.FIRST_WORDS for b in catalogue.SECOND_WORDS]
    seeded(seed, "names").shuffle(pairs)
    return pairs


def _tenant(seed: int, rank: int, names: Sequence[str]) -> Tenant:
    rng = seeded(seed, "tenant", rank)
    words = names[(rank - 1) % len(names)]
    again = (rank - 1) // len(names)
    name = words.title() + (f" {again + 1}" if again else "")
    tenant_id = name.lower().replace(" ", "-")
    callers = _callers(rng, rank)
    recipes = build_recipes(rng, max(2, int(30 / rank**0.4)))
    return Tenant(
        id=tenant_id,
        name=name,
        key=tenant_id.encode(),
        region=rng.choices(range(len(shape.REGIONS)), [share for _, _, share in shape.REGIONS])[0],
        currency="EUR" if rng.random() < 0.15 else "USD",
        weight=rank**-ZIPF * rng.uniform(0.85, 1.15),
        callers=callers,
        caller_weights=zipf_weights(len(callers), 0.8),
        recipes=recipes,
        recipe_weights=zipf_weights(len(recipes), 0.9),
    )


def _callers(rng: Random, rank: int) -> tuple[Caller, ...]:
    """Users with a token each, working through some agents; services without a user."""
    teams = rng.sample(catalogue.TEAMS, min(len(catalogue.TEAMS), max(2, int(9 / rank**0.3))))
    workloads = list(catalogue.WORKLOADS)
    agents = [
        (f"{workload}-{number}", catalogue.WORKLOADS[workload])
        for number in range(1, 2 + (rank < 10))
        for workload in rng.sample(workloads, rng.randint(3, len(workloads)))
    ]
    callers = []
    for number in range(1, max(4, int(240 / rank**0.6)) + 1):
        user, token, team = f"u-{number:04d}", f"tok-{number:04d}", rng.choice(teams)
        person = (("user_id", user), ("team_id", team))
        for agent, uses in rng.sample(agents, rng.randint(1, 3)):
            callers.append(Caller(_fragment(token, (*person, ("agent_id", agent))), uses, user))
        if rng.random() < 0.2:  # straight to a model, without an agent
            callers.append(Caller(_fragment(token, person), catalogue.WORKLOADS["assistant"], user))
    for number, (agent, uses) in enumerate(agents[:4], 1):
        callers.append(Caller(_fragment(f"svc-{number:02d}", (("agent_id", agent),)), uses))
    callers.append(Caller('"token_id":"svc-legacy"', catalogue.WORKLOADS["support"]))
    rng.shuffle(callers)
    return tuple(callers)


def _fragment(token: str, fields: Sequence[tuple[str, str]]) -> str:
    return ",".join(f'"{name}":"{value}"' for name, value in (("token_id", token), *fields))
