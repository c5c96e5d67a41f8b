"""How values are written: units, names, decimals, words for flags, links. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.panels.panel import Kind, Panel
from pipeline.views.catalogue import Column

Json = dict[str, Any]

EXACT = "locale"
"""Grafana's unit for a number with all its digits, in groups as the reader's language has them."""

_UNITS: Mapping[str, tuple[str, int | None]] = {
    "ms": ("ms", None),
    "seconds": ("s", None),
    "%": ("percent", 1),
    "ratio": ("percentunit", None),
    "bytes": ("bytes", None),
    "bytes per second": ("Bps", None),
    "events per second": ("eps", None),
    "requests per second": ("reqps", None),
    "calls per second": ("ops", None),
    "times": ("suffix:×", 1),
    "requests per day": (EXACT, 2),
}
"""Grafana's unit and decimals by ours; whatever is not here is a count."""
_MONEY = {Kind.TABLE: 9}
"""Decimals of money: in tables as exact as a double is; the field of its currency is beside it."""
_MONEY_ELSEWHERE = 4

NOTHING = "Nothing in this period"
_NULL: Json = {"type": "special", "options": {"match": "null", "result": {"text": "–", "index": 0}}}
_WORDS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "closed": {"0": ("open", "text"), "1": ("closed", "green")},
    "adoption": {
        "active": ("active", "green"),
        "stopped": ("stopped", "orange"),
        "never": ("never", "text"),
    },
    "window": {
        "1m": ("last minute", "text"),
        "5m": ("5 minutes", "text"),
        "1h": ("hour", "text"),
        "month": ("month to date", "text"),
    },
    "state": {
        "ok": ("ok", "text"),
        "new": ("new", "green"),
        "none": ("none", "text"),
    },
    "kind": {"gap": ("gap", "red"), "overlap": ("overlap", "red"), "lost": ("lost", "orange")},
}
"""What stands for a column's values, and its color."""
_ALARMING = {"failed_requests": "orange", "rejected": "orange", "conflicts": "orange"}
"""Counts that are colored where they are not 0."""
_NAMES = {"tenant": "organization"}
_WIDE = {"name": 220, "email": 220, "token_owner": 220, "reason": 260}


def unit(name: str, kind: Kind) -> Json:
    """Unit and decimals of a column or panel; ``name`` is our unit."""
    if name == "currency":
        return {"unit": EXACT, "decimals": _MONEY.get(kind, _MONEY_ELSEWHERE)}
    grafanas, decimals = _UNITS.get(name, (EXACT, None))
    return {"unit": grafanas} | ({} if decimals is None else {"decimals": decimals})


def words(column: str) -> str:
    """A column's name for people: ``completion_ms_p95`` is ``Completion p95``."""
    text = _NAMES.get(column) or column.replace("_ms_", " ").replace("_", " ")
    return text[:1].upper() + text[1:]


def defaults(said: str = NOTHING, **more: Any) -> Json:
    """Settings of all fields: ``said`` where there are no rows, – where a value is missing."""
    return {"noValue": said, "mappings": [_NULL], "color": {"mode": "palette-classic"}, **more}


def overrides(panel: Panel, columns: Iterable[Column], links: Mapping[str, Json]) -> list[Json]:
    """Settings of each field of a panel over a view: name, unit, words, color, link."""
    found = [_override(column, panel.kind, links.get(column.name)) for column in columns]
    return [one for one in found if one["properties"]]


def hidden(names: Iterable[str]) -> list[Json]:
    """Fields that are there for links alone."""
    return [_of(name, {"custom.hidden": True}) for name in names]


def _override(column: Column, kind: Kind, link: Json | None) -> Json:
    given: Json = {"displayName": words(column.name)}
    if column.unit:
        given |= unit(column.unit, kind)
    if kind is Kind.TABLE:
        given |= _in_table(column)
    if link:
        given["links"] = [link]
    return _of(column.name, given)


def _in_table(column: Column) -> Json:
    given: Json = {}
    if column.name in _WORDS:
        given["mappings"] = [_NULL, _mapped(_WORDS[column.name])]
        given["custom.cellOptions"] = {"type": "color-text"}
    if column.name in _ALARMING:
        given["thresholds"] = thresholds((1,), (_ALARMING[column.name],), base="text")
        given["custom.cellOptions"] = {"type": "color-text"}
        given["color"] = {"mode": "thresholds"}
    if column.name in _WIDE:
        given["custom.minWidth"] = _WIDE[column.name]
    if column.name == "rank":
        given["custom.width"] = 64
    return given


def _mapped(texts: Mapping[str, tuple[str, str]]) -> Json:
    options = {
        value: {"text": text, "color": color, "index": at}
        for at, (value, (text, color)) in enumerate(texts.items(), 1)
    }
    return {"type": "value", "options": options}


def thresholds(values: Iterable[float], colors: Iterable[str], base: str = "green") -> Json:
    """Steps of color, each from its value on."""
    steps: list[Json] = [{"value": None, "color": base}]
    steps += [{"value": value, "color": color} for value, color in zip(values, colors, strict=True)]
    return {"mode": "absolute", "steps": steps}


def _of(name: str, given: Json) -> Json:
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key, "value": value} for key, value in given.items()],
    }
