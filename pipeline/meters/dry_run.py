"""What a definition comes to, before it is saved: by the views that will answer it (row B7)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.facts.definitions.definition import Date, Definition, written
from pipeline.facts.definitions.interpreted import interpreted
from pipeline.facts.exact.json_values import compact
from pipeline.meters import seen
from pipeline.meters.questions import SETTINGS, call
from pipeline.meters.seen import Property
from pipeline.meters.stored import Stored
from pipeline.meters.warned import refusal, warnings

if TYPE_CHECKING:
    from pipeline.clickhouse.reading import Reader

PREVIEW = "_metric_preview"
TOP = 10
"""Organizations whose values are shown."""

_NOW, _WAS = "now", "was"
_SHOWN = ("value", "previous", "change_percent", "state")
_COUNTERS = ("events", "missing", "not_numeric", "not_exact")


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What a definition comes to."""

    definition: Definition
    as_of: datetime
    in_force: Stored | None
    values: Sequence[Mapping[str, Any]]
    """Of the organizations with the largest: tenant, value, previous, …, and what it is now."""
    totals: Mapping[str, int]
    """Of all organizations: how many have events, events, missing, …, how many values differ."""
    funnel: Sequence[int]
    """Events that match, then those that each filter leaves."""
    properties: Sequence[Property]
    sparkline: Sequence[Mapping[str, Any]]
    """Day and value of the first of those organizations."""
    names: Sequence[Mapping[str, Any]]
    """Names of events that were seen lately."""
    paths: Sequence[str]
    """Of the properties that events of these names had lately."""

    @property
    def warnings(self) -> list[dict[str, str]]:
        """What is probably not meant: field, message."""
        known = {one["name"]: one["events"] for one in self.names}
        found = warnings(self.definition, known, self.properties, self.funnel, self.paths)
        return [{"field": field, "message": message} for field, message in found]

    def as_json(self) -> dict[str, Any]:
        """The dry run for programs."""
        filters = written(self.definition).get("filters", [])
        return {
            "definition": msgspec.Raw(compact(written(self.definition)).encode()),
            "as_of": self.as_of.astimezone(UTC).isoformat(timespec="seconds"),
            "version": self.in_force.version if self.in_force else None,
            "values": list(self.values),
            "totals": dict(self.totals),
            "sparkline": list(self.sparkline),
            "funnel": [
                {"filter": None, "events": self.funnel[0]},
                *(
                    {"filter": msgspec.Raw(compact(one).encode()), "events": events}
                    for one, events in zip(filters, self.funnel[1:], strict=True)
                ),
            ],
            "properties": [{**one.as_json(), "sentence": str(one)} for one in self.properties],
            "warnings": self.warnings,
            "seen": {
                "events": [one["name"] for one in self.names],
                "properties": list(self.paths),
            },
        }


async def dry_run(
    reader: Reader, definition: Definition, in_force: Stored | None, as_of: datetime, top: int = TOP
) -> DryRun:
    """Ask what a definition comes to as of an instant, to the minute.

    ``in_force``: the version that it would change; its values are compared.

    Raises:
        InvalidDefinition: a path of it ends in an object everywhere.
        StoreError: the store does not answer.
    """
    as_of = as_of.replace(second=0, microsecond=0)
    values, funnel, properties, names, paths = await asyncio.gather(
        _values(reader, definition, in_force, as_of, top),
        _funnel(reader, definition, as_of),
        _properties(reader, definition, as_of),
        seen.events(reader, as_of),
        seen.properties(reader, definition.match, as_of),
    )
    refused = refusal(definition, properties)
    if refused is not None:
        raise refused
    totals = {
        name: values[0].get(f"all_{name}", 0) if values else 0
        for name in ("tenants", *_COUNTERS, "differ")
    }
    return DryRun(
        definition=definition,
        as_of=as_of,
        in_force=in_force,
        values=[{n: v for n, v in row.items() if not n.startswith("all_")} for row in values],
        totals=totals,
        funnel=funnel,
        properties=properties,
        sparkline=await _sparkline(reader, definition, as_of, values),
        names=names,
        paths=[one.path for one in paths],
    )


async def _values(
    reader: Reader, definition: Definition, in_force: Stored | None, as_of: datetime, top: int
) -> list[dict[str, Any]]:
    """The largest values, each beside that of the version in force; the totals in every row."""
    asked = [_as(definition, _NOW)]
    if in_force is not None and not in_force.definition.retired:
        asked.append(_as(in_force.definition, _WAS))
    shown = ", ".join(f"anyIf(r.{one}, r.metric_id = '{_NOW}') AS {one}" for one in _SHOWN)
    counted = ", ".join(f"sumIf(r.{one}, r.metric_id = '{_NOW}') AS {one}" for one in _COUNTERS)
    totals = ", ".join(f"sum({one}) OVER () AS all_{one}" for one in _COUNTERS)
    sql = f"""
        SELECT
            *, {totals},
            countIf(events > 0) OVER () AS all_tenants,
            countIf({int(len(asked) > 1)} AND NOT (value <=> was)) OVER () AS all_differ
        FROM
        (
            SELECT r.tenant AS tenant, {shown}, {counted},
                anyIf(r.value, r.metric_id = '{_WAS}') AS was
            FROM {_preview(asked, as_of)} AS r
            GROUP BY r.tenant
        )
        ORDER BY value DESC NULLS LAST, tenant
        LIMIT {top:d}
    """  # noqa: S608 - quoted
    return await reader.rows(sql, SETTINGS)


async def _funnel(reader: Reader, definition: Definition, as_of: datetime) -> list[int]:
    """Events of the window: those that match, then those that the first filters leave."""
    counting = replace(definition, calculation="count", property="")
    steps = [
        _as(replace(counting, filters=definition.filters[:place]), str(place))
        for place in range(len(definition.filters) + 1)
    ]
    rows = _preview(steps, as_of)
    sql = f"SELECT metric_id, sum(events) AS events FROM {rows} GROUP BY metric_id"  # noqa: S608 - quoted
    found = {row["metric_id"]: row["events"] for row in await reader.rows(sql, SETTINGS)}
    return [found.get(one.metric_id, 0) for one in steps]


async def _properties(reader: Reader, definition: Definition, as_of: datetime) -> list[Property]:
    """What stands at each path that the definition names."""
    paths = [one.property for one in definition.filters]
    if definition.calculation != "count":
        paths.insert(0, definition.property)
    if definition.source != "events" or not paths:
        return []
    view = call(
        "_metric_leaves",
        names=definition.match,
        paths=list(dict.fromkeys(paths)),
        as_of=as_of,
        days=definition.interval_days,
    )
    sql = f"SELECT * FROM {view}"  # noqa: S608 - quoted
    found = {one.path: one for one in seen.by_path(await reader.rows(sql, SETTINGS))}
    return [found[path] for path in dict.fromkeys(paths) if path in found]


async def _sparkline(
    reader: Reader, definition: Definition, as_of: datetime, values: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    if not values:
        return []
    asked = [_as(definition, _NOW)]
    view = call(
        _case(f"{PREVIEW}_days", asked),
        definitions=_json(asked),
        tenant=values[0]["tenant"],
        tz="UTC",
        as_of=as_of,
    )
    return await reader.rows(f"SELECT day, value FROM {view} ORDER BY day", SETTINGS)  # noqa: S608 - quoted


def _preview(definitions: Sequence[Definition], as_of: datetime) -> str:
    view = _case(PREVIEW, definitions)
    return call(view, definitions=_json(definitions), tenant="", as_of=as_of)


def _case(view: str, definitions: Sequence[Definition]) -> str:
    """The view by which definitions are tried out: that of the plain case where all of them are."""
    plain = all(
        one.source == "events"
        and not any(isinstance(value, Date) for each in one.filters for value in each.values)
        for one in definitions
    )
    return f"{view}_plain" if plain else view


def _json(definitions: Sequence[Definition]) -> str:
    return f"[{','.join(map(interpreted, definitions))}]"


def _as(definition: Definition, name: str) -> Definition:
    """A definition under another id, so that several can be asked at once."""
    return replace(definition, metric_id=name)
