"""``usage.entity.v1`` on ``usage.entities``: the whole state of one thing, from ``time`` on."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from schemas.fields import Text

TYPE = "usage.entity.v1"

OF_NO_TENANT = frozenset({"model", "app"})
"""Their subject is ``*``, and nothing else's is."""

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "tenant": (
        "name",
        "kind",
        "external_id",
        "subscription",
        "timezone",
        "billing_anchor_day",
    ),
    "user": ("name", "email", "role", "team_id"),
    "team": ("name",),
    "agent": ("name",),
    "service_account": ("name",),
    "app": ("name",),
    "token": ("name", "owner_user_id", "service_account_id"),
    "model": ("name",),
    "recipe": ("name", "status", "recommended", "cloned_from"),
    "connection": ("app", "status"),
}
"""The attributes that are known, by entity."""

ENTITIES = tuple(ATTRIBUTES)

LAST_ANCHOR_DAY = 31
"""``billing_anchor_day`` is 1 to this."""


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
