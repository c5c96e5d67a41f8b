"""Data of product events and entities, by chance."""

from __future__ import annotations

from random import Random
from typing import Any

_NAMES = ("opened", "clicked", "exported", "geöffnet")
_PROPERTIES: tuple[Any, ...] = (
    None,
    {},
    {"plan": "pro", "a.b": -0.0, "": "ü\n", "price": 9.50, "far": 1e99, "tags": [{"b": [1.0]}]},
    {"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}},
)
_ZONES = ("Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "UTC", None)
_ENTITIES = (
    *("tenant", "user", "user", "team", "agent", "service_account", "app", "token", "model"),
    *("recipe", "recipe", "connection"),
)


def product_event(random: Random) -> dict[str, Any]:
    """Return the data of something that happened."""
    return {
        "name": random.choice(_NAMES),
        "user_id": random.choice((f"user-{random.randrange(20)}", "", None)),
        "properties": random.choice(_PROPERTIES),
    }


def entity(random: Random, tenant: str) -> dict[str, Any]:
    """Return the data of a change of something."""
    sort = random.choice(_ENTITIES)
    data: dict[str, Any] = {
        "entity": sort,
        "entity_id": tenant if sort == "tenant" else f"{sort}-{random.randrange(9)}",
    }
    if not random.randrange(10):
        return data | {"deleted": True}
    return data | {"attributes": _attributes(random, sort)}


def _attributes(random: Random, sort: str) -> dict[str, Any]:
    pick, number = random.choice, random.randrange
    attributes: dict[str, Any] = {"name": pick((f"The {sort}", f"Größe {number(9)}", 5.50, None))}
    attributes |= {"note": pick((None, "new", {"by": ["a", 1e3]}))}
    if sort == "tenant":
        attributes |= {"timezone": pick(_ZONES), "billing_anchor_day": pick((1, 15, 31, None))}
        attributes |= {"kind": pick(("customer", "admin")), "external_id": f"x{number(9)}"}
    elif sort == "user":
        attributes |= {"email": f"u{number(9)}@example.com", "team_id": f"team-{number(4)}"}
    elif sort == "recipe":
        attributes |= {"status": pick(("running", "stopped")), "recommended": pick((True, "no"))}
        attributes |= {"cloned_from": pick((None, f"recipe-{number(9)}"))}
    elif sort == "connection":
        attributes |= {"app": pick(("salesforce", "slack")), "status": pick(("connected", None))}
    elif sort == "token":
        attributes |= {"owner_user_id": f"user-{number(20)}", "service_account_id": ""}
    return attributes
