"""``usage.entity.v1``: checked data to a row of ``entities_in``."""

from collections.abc import Mapping
from typing import Any

from pipeline.facts import heads, zones
from pipeline.facts.exact import fields
from pipeline.facts.exact.json_values import compact
from pipeline.facts.exact.origin import Origin
from pipeline.facts.exact.reasons import INVALID_DATA, Refused, sentence
from schemas.entity import ATTRIBUTES, LAST_ANCHOR_DAY, OF_NO_TENANT
from schemas.envelope import NOBODY

_ENTITIES = tuple(ATTRIBUTES)
_NAMES = heads.Entity._fields
_READ_OUT = _NAMES[_NAMES.index("attributes") + 1 :]


def row(data: fields.Data, origin: Origin) -> heads.Entity:
    """The row of a valid entity. Raises Refused."""
    entity = fields.choice(data, "entity", _ENTITIES)
    entity_id = fields.required_text(data, "entity_id")
    deleted = fields.optional_boolean(data, "deleted")
    given = fields.optional_object(data, "attributes")
    attributes = {name: value for name, value in given.items() if value is not None}
    _check_subject(entity, entity_id, origin.tenant)
    if entity == "tenant":
        _check_tenant(attributes)
    known = ATTRIBUTES[entity]
    return heads.Entity(
        tenant=origin.tenant,
        entity=entity,
        entity_id=entity_id,
        time=origin.time,
        arrival=origin.arrival,
        partition=origin.partition,
        offset=origin.offset,
        element=origin.element,
        deleted=int(deleted),
        attributes=compact(attributes),
        **{name: _read_out(name, attributes if name in known else {}) for name in _READ_OUT},
    )


def _check_subject(entity: str, entity_id: str, tenant: str) -> None:
    if (tenant == NOBODY) != (entity in OF_NO_TENANT):
        expected = "the tenant" if tenant == NOBODY else NOBODY
        raise Refused(INVALID_DATA, sentence("subject", tenant, f"{expected}, of a {entity}"))
    if entity == "tenant" and entity_id != tenant:
        expected = "the same as the subject, of a tenant"
        raise Refused(INVALID_DATA, sentence("data.entity_id", entity_id, expected))


def _check_tenant(attributes: Mapping[str, Any]) -> None:
    zone = attributes.get("timezone")
    if zone is not None and (not isinstance(zone, str) or zone not in zones.names()):
        raise _wrong("timezone", zone, "an IANA time zone, as Europe/Berlin, or nothing")
    day = attributes.get("billing_anchor_day")
    if day is not None and not fields.is_integer(day, 1, LAST_ANCHOR_DAY):
        expected = f"an integer from 1 to {LAST_ANCHOR_DAY}, or nothing"
        raise _wrong("billing_anchor_day", day, expected)


def _wrong(name: str, found: Any, expected: str) -> Refused:
    return Refused(INVALID_DATA, sentence(f"data.attributes.{name}", found, expected))


def _read_out(name: str, attributes: Mapping[str, Any]) -> Any:
    """The value of an attribute's column; what is no string comes as its JSON."""
    value = attributes.get(name)
    if name == "recommended":
        return int(value is True)
    if name == "billing_anchor_day":
        return value or 0
    if value is None or isinstance(value, str):
        return value or ""
    return compact(value)
