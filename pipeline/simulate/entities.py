"""The things behind the events, as they are at first: tenants, users, tokens, recipes and so on.

A pure function of the world. Everything that an event names is here: the things are read out of
the callers and recipes that make the events. Beside the tenants there is the partner's own account,
which owns the recipes that it recommends; some of the tenants' recipes are clones of these.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

from pipeline.simulate import catalogue, shape
from pipeline.simulate.recipes import Recipe, Step
from pipeline.simulate.world import Tenant, World, seeded

NOBODY = "*"
PARTNER = "partner"
TEMPLATES = 8
ZONES = {
    "americas": ("America/New_York", "America/Chicago", "America/Los_Angeles", "America/Sao_Paulo"),
    "europe": ("Europe/Berlin", "Europe/London", "Europe/Madrid", "Europe/Helsinki"),
    "asia": ("Asia/Tokyo", "Asia/Kolkata", "Asia/Singapore", "Australia/Adelaide"),
}
_ROLES = ("member",) * 12 + ("manager",) * 3 + ("admin",)


class Thing(NamedTuple):
    """One thing and its whole state: the data of an entity event."""

    tenant: str
    entity: str
    id: str
    attributes: dict[str, Any]
    deleted: bool = False

    def data(self) -> str:
        """The event's data, as JSON."""
        head = f'"entity":"{self.entity}","entity_id":"{self.id}"'
        gone = ',"deleted":true' if self.deleted else ""
        text = json.dumps(self.attributes, ensure_ascii=False, separators=(",", ":"))
        return f'{{{head}{gone},"attributes":{text}}}'


def at_first(world: World) -> Iterator[Thing]:
    """All things, as they are when the simulation begins."""
    yield from _of_nobody()
    yield Thing(PARTNER, "tenant", PARTNER, {"name": "Partner", "kind": "admin"})
    for number in range(1, TEMPLATES + 1):
        attributes = {"name": f"Template {number}", "status": "running", "recommended": True}
        yield Thing(PARTNER, "recipe", template(number), attributes)
    for rank, tenant in enumerate(world.tenants, 1):
        yield from of_tenant(world.seed, rank, tenant)


def of_tenant(seed: int, rank: int, tenant: Tenant) -> Iterator[Thing]:
    """What one tenant owns, itself first."""
    rng = seeded(seed, "entities", rank)
    yield Thing(tenant.id, "tenant", tenant.id, _tenant(rng, rank, tenant))
    yield from _people(rng, tenant)
    for recipe in tenant.recipes:
        yield Thing(tenant.id, "recipe", recipe.id, _recipe(rng, recipe))
    for app in sorted({app for recipe in tenant.recipes for app in _apps(recipe.steps)}):
        yield Thing(tenant.id, "connection", f"{app}-1", {"app": app, "status": "connected"})


def template(number: int) -> str:
    """The id of a recommended recipe, from 1."""
    return f"template-{number:02d}"


def person(rng: Random, user: str, team: str) -> dict[str, Any]:
    """A user's attributes."""
    name = f"{rng.choice(catalogue.FIRST_WORDS)} {rng.choice(catalogue.SECOND_WORDS)}".title()
    email = f"{user}@example.com"
    return {"name": name, "email": email, "role": rng.choice(_ROLES), "team_id": team}


def _of_nobody() -> Iterator[Thing]:
    uses = (use for some in catalogue.WORKLOADS.values() for use in some)
    for model in sorted({use.model for use in uses}):
        yield Thing(NOBODY, "model", model, {"name": model.replace("-", " ").title()})
    for app in catalogue.APPS:
        yield Thing(NOBODY, "app", app, {"name": app.replace("_", " ").title()})


def _tenant(rng: Random, rank: int, tenant: Tenant) -> dict[str, Any]:
    region = shape.REGIONS[tenant.region][0]
    return {
        "name": tenant.name,
        "kind": "customer",
        "external_id": f"crm-{rank:05d}",
        "subscription": "active",
        "timezone": rng.choice(ZONES[region]),
        "billing_anchor_day": 1 if rng.random() < 0.7 else rng.randint(2, 31),
    }


def _people(rng: Random, tenant: Tenant) -> Iterator[Thing]:
    """Teams, agents, users, service accounts and tokens: whatever its callers name."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for caller in tenant.callers:
        names = json.loads(f"{{{caller.fragment}}}")
        token, user, team = names["token_id"], names.get("user_id"), names.get("team_id")
        if team is not None:
            found.setdefault(("team", team), {"name": team.title()})
        if "agent_id" in names:
            agent = names["agent_id"]
            found.setdefault(("agent", agent), {"name": agent.replace("-", " ").title()})
        if user is None:
            owner = {"name": token, "service_account_id": f"sa-{token}"}
            found.setdefault(("service_account", f"sa-{token}"), {"name": f"Service {token}"})
        else:
            owner = {"name": token, "owner_user_id": user}
            if ("user", user) not in found:
                found["user", user] = person(rng, user, team)
        found.setdefault(("token", token), owner)
    for (entity, id_), attributes in sorted(found.items(), key=lambda item: item[0]):
        yield Thing(tenant.id, entity, id_, attributes)


def _recipe(rng: Random, recipe: Recipe) -> dict[str, Any]:
    attributes: dict[str, Any] = {"name": recipe.id.replace("-", " ").title(), "status": "running"}
    if rng.random() < 0.2:
        attributes["cloned_from"] = template(min(TEMPLATES, int(rng.paretovariate(1.0))))
    return attributes


def _apps(steps: tuple[Step, ...]) -> Iterator[str]:
    for step in steps:
        if step.app:
            yield step.app
        yield from _apps(step.body)
