"""``usage.entity.v1`` on ``usage.entities``: the whole state of one thing, from ``time`` on."""

from typing import Any, Literal

from msgspec import Struct

from schemas.envelope import NOBODY
from schemas.fields import JSONSchema, Text

TYPE = "usage.entity.v1"
TOPIC = "usage.entities"

OF_NO_TENANT = frozenset({"model", "app"})
"""Their subject is ``*``, and nothing else's is."""

LAST_ANCHOR_DAY = 31

_NAME: JSONSchema = {"description": "What people call it."}
_ONLY_NAME: JSONSchema = {"name": _NAME}

ATTRIBUTES: dict[str, JSONSchema] = {
    "tenant": {
        "name": _NAME,
        "kind": {
            "description": "The partner's own account is `admin`.",
            "examples": ["customer", "admin"],
            "default": "customer",
        },
        "external_id": {"description": "Its id elsewhere."},
        "subscription": {"examples": ["active", "expired"]},
        "timezone": {
            "description": "An IANA name; case matters, an unknown one is refused.",
            "type": ["string", "null"],
            "minLength": 1,
            "examples": ["Europe/Berlin"],
        },
        "billing_anchor_day": {
            "description": "The day of the month that billing periods begin on.",
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": LAST_ANCHOR_DAY,
        },
    },
    "user": {
        "name": _NAME,
        "email": {"description": "Where to write to."},
        "role": {"examples": ["admin", "manager", "member"]},
        "team_id": {"description": "The user's team."},
    },
    "team": _ONLY_NAME,
    "agent": _ONLY_NAME,
    "service_account": _ONLY_NAME,
    "app": _ONLY_NAME,
    "token": {
        "name": _NAME,
        "owner_user_id": {"description": "The user it belongs to."},
        "service_account_id": {"description": "Or the service account."},
    },
    "model": _ONLY_NAME,
    "recipe": {
        "name": _NAME,
        "status": {"examples": ["running", "stopped"]},
        "recommended": {"description": "A boolean."},
        "cloned_from": {"description": "The id of the recipe that it is a copy of."},
    },
    "connection": {
        "app": {"description": "The connector."},
        "status": {"examples": ["connected", "disconnected"]},
    },
}
"""Each entity's attributes: unknown ones are kept, and known ones taken as they are. Only what has
a ``type`` here is checked."""

ENTITIES = frozenset(ATTRIBUTES)


class Entity(Struct, kw_only=True, omit_defaults=True):
    """The state of a tenant, user, team, agent, token, model, recipe, connection, ..."""

    entity: Literal[
        "agent",
        "app",
        "connection",
        "model",
        "recipe",
        "service_account",
        "team",
        "tenant",
        "token",
        "user",
    ]
    """What sort of thing it is."""

    entity_id: Text
    """Of a tenant: the event's ``subject``."""

    deleted: bool | None = None
    """Whether it is gone from ``time`` on. A deletion without attributes keeps the last known
    name, nothing else."""

    attributes: dict[str, Any] | None = None
    """The whole state, by the tables of ``docs/contracts.md``. Unknown ones are kept."""


def _of(entity: str) -> JSONSchema:
    return {"properties": {"entity": {"const": entity}}, "required": ["entity"]}


RULES: tuple[JSONSchema, ...] = tuple(
    {
        "if": _of(entity),
        "then": {"properties": {"attributes": {"properties": attributes}}},
    }
    for entity, attributes in ATTRIBUTES.items()
)
EVENT_RULES: tuple[JSONSchema, ...] = (
    {
        "if": {
            "properties": {"data": {"properties": {"entity": {"enum": sorted(OF_NO_TENANT)}}}},
        },
        "then": {"properties": {"subject": {"const": NOBODY}}},
        "else": {"properties": {"subject": {"not": {"const": NOBODY}}}},
    },
)
DEFAULTS: JSONSchema = {"deleted": False, "attributes": {}}
EXAMPLE: JSONSchema = {
    "entity": "user",
    "entity_id": "u-3",
    "attributes": {"name": "Mira", "email": "mira@example.com", "role": "manager"},
}
