"""How the things of the world change: people join, move and leave, recipes stop, and so on."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate

from pipeline.simulate import catalogue, entities
from pipeline.simulate.entities import Thing
from pipeline.simulate.world import Tenant, World, seeded


class Changes:
    """Draws one change after another, and knows how things stand.

    Only people who joined later, and recipes that were cloned later, go away again: nothing that
    events name does.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = seeded(world.seed, "changes")
        self._things: dict[tuple[str, str], list[Thing]] = {}
        self._known: set[int] = set()
        self._stopped: set[tuple[str, str]] = set()
        self._number = 0
        kinds: tuple[tuple[Callable[[Tenant], Thing | None], float], ...] = (
            (self._moves, 0.25),
            (self._joins, 0.15),
            (self._leaves, 0.08),
            (self._starts_or_stops, 0.22),
            (self._clones, 0.12),
            (self._connects, 0.14),
            (self._pays, 0.04),
        )
        self._kinds = [kind for kind, _ in kinds]
        self._weights = list(accumulate(weight for _, weight in kinds))

    def next(self, rank: int) -> Thing:
        """The next change at the tenant of a rank (from 1), with the thing's whole new state."""
        tenant = self._world.tenants[rank - 1]
        if rank not in self._known:
            self._known.add(rank)
            for thing in entities.of_tenant(self._world.seed, rank, tenant):
                self._things.setdefault((tenant.id, thing.entity), []).append(thing)
        kind = self._rng.choices(self._kinds, cum_weights=self._weights)[0]
        return kind(tenant) or self._some_user(tenant)

    def is_stopped(self, tenant: str, recipe: str) -> bool:
        """Whether a recipe does not run now."""
        return (tenant, recipe) in self._stopped

    def _of(self, tenant: Tenant, entity: str) -> list[Thing]:
        return self._things.setdefault((tenant.id, entity), [])

    def _replace(self, tenant: Tenant, entity: str, place: int, **changed: object) -> Thing:
        things = self._of(tenant, entity)
        thing = things[place]
        things[place] = thing._replace(attributes=thing.attributes | changed)
        return things[place]

    def _some_user(self, tenant: Tenant) -> Thing:
        """A change by which some user has another role."""
        place = self._rng.randrange(len(self._of(tenant, "user")))
        return self._replace(tenant, "user", place, role=self._rng.choice(("member", "manager")))

    def _moves(self, tenant: Tenant) -> Thing:
        place = self._rng.randrange(len(self._of(tenant, "user")))
        team = self._rng.choice(self._of(tenant, "team")).id
        return self._replace(tenant, "user", place, team_id=team)

    def _joins(self, tenant: Tenant) -> Thing:
        self._number += 1
        user, team = f"u-n{self._number:05d}", self._rng.choice(self._of(tenant, "team")).id
        thing = Thing(tenant.id, "user", user, entities.person(self._rng, user, team))
        self._of(tenant, "user").append(thing)
        return thing

    def _leaves(self, tenant: Tenant) -> Thing | None:
        return self._goes(tenant, "user", "u-n")

    def _clones(self, tenant: Tenant) -> Thing | None:
        if self._rng.random() < 0.25:
            return self._goes(tenant, "recipe", "clone-")
        self._number += 1
        number = self._rng.randint(1, entities.TEMPLATES)
        attributes = {
            "name": f"{self._rng.choice(catalogue.FIRST_WORDS).title()} {number}",
            "status": "stopped",
            "cloned_from": entities.template(number),
        }
        thing = Thing(tenant.id, "recipe", f"clone-{self._number:05d}", attributes)
        self._of(tenant, "recipe").append(thing)
        return thing

    def _goes(self, tenant: Tenant, entity: str, prefix: str) -> Thing | None:
        things = self._of(tenant, entity)
        places = [place for place, thing in enumerate(things) if thing.id.startswith(prefix)]
        if not places:
            return None
        gone = things.pop(self._rng.choice(places))
        self._stopped.discard((tenant.id, gone.id))
        return gone._replace(attributes={}, deleted=True)

    def _starts_or_stops(self, tenant: Tenant) -> Thing:
        """One that does not run is more likely to start than another to stop."""
        recipes = self._of(tenant, "recipe")
        place = self._rng.randrange(len(recipes))
        recipe = recipes[place]
        stops = recipe.attributes["status"] == "running" and len(recipes) > 2
        if stops and recipe.id != recipes[0].id:
            self._stopped.add((tenant.id, recipe.id))
            return self._replace(tenant, "recipe", place, status="stopped")
        self._stopped.discard((tenant.id, recipe.id))
        return self._replace(tenant, "recipe", place, status="running")

    def _connects(self, tenant: Tenant) -> Thing | None:
        connections = self._of(tenant, "connection")
        if not connections:
            return None
        place = self._rng.randrange(len(connections))
        was = connections[place].attributes["status"]
        now = "connected" if was == "disconnected" else "disconnected"
        return self._replace(tenant, "connection", place, status=now)

    def _pays(self, tenant: Tenant) -> Thing:
        was = self._of(tenant, "tenant")[0].attributes["subscription"]
        now = "active" if was == "expired" else "expired"
        return self._replace(tenant, "tenant", 0, subscription=now)
