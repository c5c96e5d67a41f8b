"""What becomes of a dashboard's queries in Grafana and in its ClickHouse plugin, as their sources
have it (grafana-clickhouse-datasource 4.20): variables first, in the browser, then macros.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3] / "deploy" / "grafana"
OF_ALL, OF_A_TENANT = ROOT / "dashboards", ROOT / "tenant" / "dashboards"
ALL = "$__all"

Dashboard = dict[str, Any]

_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(?!__)(\w+)|\[\[(\w+)(?::(\w+))?\]\]")


@dataclass(frozen=True)
class Reader:
    """Who looks: the range of the dashboard (epoch seconds), its zone, and what is chosen."""

    since: int
    until: int
    zone: str = "utc"
    chosen: tuple[tuple[str, str], ...] = ()


def dashboards(folder: Path = OF_ALL) -> list[Dashboard]:
    """The dashboards as they are committed."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    assert found
    return found


def targets(dashboard: Dashboard, of: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each panel with each of its questions to a kind of data source."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            if target["datasource"]["type"] == of:
                yield panel, target


def expand(sql: str, dashboard: Dashboard, reader: Reader) -> str:
    """The query as ClickHouse gets it."""
    known = {one["name"]: one for one in dashboard["templating"]["list"]}
    chosen = dict(reader.chosen)

    def value(found: re.Match[str]) -> str:
        name, form = found[1] or found[3] or found[4], found[2] or found[5] or ""
        if name == "__timezone":
            return reader.zone
        if name not in known:
            return found[0]  # what is no variable stays as it is
        text = chosen.get(name, known[name].get("current", {}).get("value", ""))
        if text == ALL:
            assert known[name]["includeAll"]
            return str(known[name]["allValue"])  # whatever the format is
        return formatted(text, form)

    return macros(_VARIABLE.sub(value, sql), reader)


def formatted(value: str, form: str) -> str:
    """A value in one of Grafana's formats."""
    if form == "singlequote":
        return "'" + value.replace("'", "\\'") + "'"
    assert not form, form
    return value


def macros(sql: str, reader: Reader) -> str:
    """What the plugin's backend puts in place of macros; here also within texts."""
    given: Mapping[str, str] = {
        "fromTime": f"toDateTime({reader.since})",
        "toTime": f"toDateTime({reader.until})",
    }
    return re.sub(r"\$__(\w+)", lambda found: given.get(found[1], found[0]), sql)
