"""``usage.entity.v1`` on ``usage.entities``: the whole state of one thing, from ``time`` on."""

from typing import Any

from msgspec import Struct

from schemas.fields import Text

TYPE = "usage.entity.v1"

OF_NO_TENANT = frozenset({"model", "app"})
"""Their subject is ``*``, and nothing else's is."""

ENTITIES = frozenset(
    {
        "tenant",
        "user",
        "team",
        "agent",
        "service_account",
        "app",
        "token",
        "model",
        "recipe",
        "connection",
    }
)


class Entity(Struct, kw_only=True):
    """The state of a tenant, user, team, agent, token, model, recipe, connection, ..."""

    entity: Text
    """One of ``ENTITIES``."""

    entity_id: Text
    """Of a tenant: the event's ``subject``."""

    deleted: bool | None = None
    """A deletion without attributes keeps the last known name, nothing else."""

    attributes: dict[str, Any] | None = None
    """Unknown ones are kept. Of a tenant: ``name``, ``kind`` (``customer``, ``admin``),
    ``external_id``, ``subscription`` (``active``, ``expired``), ``timezone`` (an IANA name),
    ``billing_anchor_day`` (1 to 31); the others by the tables of ``docs/contracts.md``."""
