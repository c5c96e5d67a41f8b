"""Grafana's dashboards without a Grafana: their types, and every query as ClickHouse gets it.

What Grafana and its plugin do to a query is in ``tests/support/harness/grafana.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard as Model
from ruamel.yaml import YAML

from pipeline.access import tenant_views
from pipeline.access.grants import Grants
from pipeline.access.roles import Role
from pipeline.clickhouse.client import Store
from pipeline.panels.catalogue import PANELS
from pipeline.panels.grafana import files
from pipeline.panels.grafana.runbook import Runbook
from pipeline.panels.operations import GAUGES
from pipeline.panels.panel import Panel, Tab
from pipeline.views import catalogue
from tests.support.harness import grafana
from tests.support.harness.api_world import filled
from tests.support.harness.grafana import (
    OF_A_TENANT,
    OF_ALL,
    ROOT,
    Dashboard,
    Reader,
    dashboards,
    expand,
    targets,
)
from tests.support.harness.store import EmbeddedStore

CLICKHOUSE = "grafana-clickhouse-datasource"
EVERY = [*dashboards(OF_ALL), *dashboards(OF_A_TENANT)]
NEW_YORK = "America/New_York"
SESSION = {"session_timezone": NEW_YORK}
SINCE, UNTIL = 1_704_085_200, 1_740_805_200  # months of New York, which are none of UTC
READER = Reader(SINCE, UNTIL, NEW_YORK)
HOSTILE = (
    "acme",
    "",
    "o'brien",
    "back\\slash",
    "ends\\",
    "\\' OR 1 = 1 --",
    "') UNION ALL SELECT 1 --",
    "$__fromTime ${tenant} [[tenant]]",
    "-- /* $tag$ `",
    "名\u2028\n\t",
)
_CALL = re.compile(r"\bFROM (\w+)\b")


@pytest.fixture(scope="module")
def world(store: EmbeddedStore) -> Iterator[Store]:
    """Provide a seeded world."""
    with filled(store.port) as settings:
        connected = Store.connect(settings)
        yield connected
        connected.close()


def named(dashboard: Dashboard) -> str:
    return str(dashboard["uid"])


# Files


def test_files_are_as_they_are_generated(world: Store) -> None:
    views = {view.name: view for view in catalogue.read(world)}
    runbook = (ROOT.parents[1] / files.RUNBOOK).read_text(encoding="utf-8")
    assert files.stale(ROOT, files.texts(views, runbook)) == [], "usage docs grafana writes them"


@pytest.mark.parametrize("dashboard", EVERY, ids=named)
def test_nothing_is_lost_in_grafanas_own_types(dashboard: Dashboard) -> None:
    register_default_plugins()
    again = json.loads(JSONEncoder().encode(Model.from_json(dashboard)))
    assert lost(dashboard, again) == []


def lost(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Where a document differs from what the types made of it; they may add defaults."""
    if isinstance(ours, dict):
        return [
            where
            for key, value in ours.items()
            for where in (
                lost(value, theirs[key], f"{path}.{key}") if key in theirs else [f"{path}.{key}"]
            )
        ]
    if isinstance(ours, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [where for at, (a, b) in pairs for where in lost(a, b, f"{path}[{at}]")]
    return [] if ours == theirs else [path]


@pytest.mark.parametrize("dashboard", EVERY, ids=named)
def test_a_file_can_be_provisioned(dashboard: Dashboard) -> None:
    """Classic JSON, nothing to be asked at an import, and data sources that are provisioned."""
    assert not {"__inputs", "__requires", "elements", "spec"} & dashboard.keys()
    assert dashboard.get("id") is None
    assert dashboard["schemaVersion"] <= 41
    text = json.dumps(dashboard)
    assert "${DS_" not in text
    read = YAML(typ="safe").load(ROOT / "provisioning" / "datasources" / "usage.yaml")
    provisioned = {one["uid"]: one["type"] for one in read["datasources"]}
    used = dict(re.findall(r'"type": "([\w-]+)", "uid": "([\w-]+)"', text))
    assert all(provisioned[uid] == kind for kind, uid in used.items())
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        if panel["type"] != "text":
            assert panel["description"]
            assert panel["fieldConfig"]["defaults"]["noValue"]
            assert panel["type"] == "table" or panel["fieldConfig"]["defaults"].get(
                "unit", panel["fieldConfig"]["overrides"]
            )


def test_uids_and_links_lead_to_dashboards() -> None:
    for folder in (OF_ALL, OF_A_TENANT):
        uids = [one["uid"] for one in dashboards(folder)]
        assert len(set(uids)) == len(uids)
    known = {one["uid"]: one for one in dashboards(OF_ALL)}
    for dashboard in EVERY:
        for uid, query in re.findall(r'"/d/([\w-]+)\?([^"]*)"', json.dumps(dashboard)):
            found = re.match(r"viewPanel=(\d+)$", query)
            if found:
                assert int(found[1]) in [panel["id"] for panel in known[uid]["panels"]]
            variables = {one["name"] for one in known[uid]["templating"]["list"]}
            assert set(re.findall(r"var-(\w+)=", query)) <= variables


def test_every_panel_of_the_list_is_drawn() -> None:
    titles = {(one["uid"], panel["title"]) for one in dashboards() for panel in one["panels"]}
    assert {(f"usage-{panel.tab}", panel.title) for panel in PANELS} <= titles
    assert {(f"usage-{gauge.board}", gauge.title) for gauge in GAUGES} <= titles
    for_one = {
        target["rawSql"]
        for one in dashboards(OF_A_TENANT)
        for _, target in targets(one, CLICKHOUSE)
    }
    assert not [sql for sql in for_one if "ledger" in sql or "top_tenants" in sql]


# Queries


@cache
def panel_of(uid: str, title: str) -> Panel:
    """The panel of the list that is drawn there."""
    of_tab = [one for one in PANELS if uid == f"usage-{one.tab}" and one.title == title]
    return of_tab[0] if of_tab else next(one for one in PANELS if one.id == "as-of")


def test_panels_ask_views_and_nothing_else() -> None:
    for dashboard in EVERY:
        for panel, target in targets(dashboard, CLICKHOUSE):
            [view] = _CALL.findall(target["rawSql"])
            assert view == panel_of(dashboard["uid"], panel["title"]).view
            assert "JOIN" not in target["rawSql"]


@pytest.mark.parametrize("dashboard", dashboards(), ids=named)
def test_every_query_gives_the_columns_that_are_drawn(world: Store, dashboard: Dashboard) -> None:
    """In a session whose zone is not UTC, as a server's may be."""
    for panel, target in targets(dashboard, CLICKHOUSE):
        of = panel_of(dashboard["uid"], panel["title"])
        sql = expand(target["rawSql"], dashboard, READER)
        assert "$" not in sql
        rows = world.query(f"DESCRIBE ({sql})", settings=SESSION)
        kinds = {row[0]: row[1] for row in rows}
        wanted = [*filter(None, (of.x, of.by)), *(c for c in of.columns if c not in (of.x, of.by))]
        assert list(kinds)[: len(wanted)] == wanted
        assert not [kind for kind in kinds.values() if kind.startswith(("Date(", "Array", "Map"))]
        assert "Date" not in kinds.values()
        overridden = {one["matcher"]["options"] for one in panel["fieldConfig"]["overrides"]}
        assert overridden <= kinds.keys()
        if panel["type"] == "timeseries":
            assert target["format"] == 0
            assert kinds[of.x] == f"DateTime('{NEW_YORK}')"
        world.query(sql, settings=SESSION)


@pytest.mark.parametrize("zone", ["utc", NEW_YORK, "Asia/Calcutta"])
def test_the_range_is_the_readers(world: Store, zone: str) -> None:
    """Not shifted by anybody's zone; the last minute, of which a second remains, is in it."""
    [dashboard] = [one for one in dashboards() if one["uid"] == "usage-requests"]
    [sql] = [
        target["rawSql"]
        for panel, target in targets(dashboard, CLICKHOUSE)
        if panel["title"] == "Requests over time"
    ]
    reader = Reader(SINCE, UNTIL - 1, zone, (("grain", "hour"),))
    found = world.query(expand(sql, dashboard, reader), settings=SESSION)
    named = "UTC" if zone == "utc" else zone
    [(first, last)] = world.query(
        "SELECT toUnixTimestamp(min(bucket)), toUnixTimestamp(max(bucket)) FROM requests_over_time("
        f"since = {SINCE}, until = {UNTIL}, tz = '{named}', grain = 'hour', tenant = '', "
        "token = '')"
    )
    assert [int(row[0].timestamp()) for row in (found[0], found[-1])] == [first, last]
    expected = world.query(
        f"SELECT requests, failed_requests FROM request_summary(since = {SINCE}, until = {UNTIL}, "
        "tenant = '', token = '')"
    )
    assert [(sum(row[1] for row in found), sum(row[2] for row in found))] == expected


@pytest.mark.parametrize(
    ("hours", "grain"), [(1, "minute"), (3, "minute"), (24, "hour"), (73, "day"), (9_000, "day")]
)
def test_the_grain_follows_the_range(world: Store, hours: int, grain: str) -> None:
    [dashboard] = [one for one in dashboards() if one["uid"] == "usage-requests"]
    [sql] = [t["rawSql"] for _, t in targets(dashboard, CLICKHOUSE) if "grain" in t["rawSql"]]
    since = UNTIL - hours * 3600
    given = world.query(expand(sql, dashboard, Reader(since, UNTIL, "utc")))
    asked = expand(sql, dashboard, Reader(since, UNTIL, "utc", (("grain", grain),)))
    assert given == world.query(asked)


@pytest.mark.parametrize("tenant", HOSTILE)
def test_a_value_of_the_filter_is_that_organization(world: Store, tenant: str) -> None:
    """What the filter's query says a value is comes back through quotes as the id itself."""
    [dashboard] = [one for one in dashboards() if one["uid"] == "usage-billing"]
    [variable] = [one for one in dashboard["templating"]["list"] if one["name"] == "tenant"]
    told = variable["query"].partition(" AS value")[0].removeprefix("SELECT ")
    [(value,)] = world.query(f"SELECT {told} FROM (SELECT {{t:String}} AS tenant)", {"t": tenant})
    reader = Reader(SINCE, UNTIL, "utc", (("tenant", value),))
    assert world.query(f"SELECT {expand('${tenant:singlequote}', dashboard, reader)}") == [
        (tenant,)
    ]
    for panel, target in targets(dashboard, CLICKHOUSE):
        of = panel_of(dashboard["uid"], panel["title"])
        rows = world.query(expand(target["rawSql"], dashboard, reader), settings=SESSION)
        if of.id == "billing-total" and tenant:
            assert {row[0] for row in rows} <= {tenant}


def test_filters_offer_what_is_there(world: Store) -> None:
    for dashboard in dashboards():
        for variable in dashboard["templating"]["list"]:
            if variable.get("datasource", {}).get("type") == CLICKHOUSE:
                rows = world.query(expand(variable["query"], dashboard, READER), settings=SESSION)
                assert rows or variable["name"] == "metric"  # the world defines none
                assert len({value for value, _ in rows}) == len(rows)
        for annotation in dashboard["annotations"]["list"]:
            if annotation["datasource"]["type"] == CLICKHOUSE:
                marks = world.query(annotation["target"]["rawSql"], settings=SESSION)
                assert len(marks) == 4


def test_alerts_say_nothing_where_all_is_well(world: Store) -> None:
    read = YAML(typ="safe").load(ROOT / "provisioning" / "alerting" / "usage.yaml")
    rules = [rule for group in read["groups"] for rule in group["rules"]]
    runbook = Runbook.read((ROOT.parents[1] / files.RUNBOOK).read_text(encoding="utf-8"))
    health = next(one for one in dashboards() if one["uid"] == "usage-health")
    for rule in rules:
        assert rule["annotations"]["runbook_url"] == runbook.address(rule["title"])
        assert rule["dashboardUid"] == health["uid"]
        assert rule["panelId"] in [panel["id"] for panel in health["panels"]]
        asked, compared = rule["data"]
        assert compared["model"]["expression"] == asked["refId"]
        assert compared["refId"] == rule["condition"]
        rows = world.query(grafana.macros(asked["model"]["rawSql"], READER), settings=SESSION)
        assert all(row[-1] == 0 for row in rows)
        assert rows or rule["noDataState"] == "OK"


# One organization's own


def test_an_organizations_dashboards_show_it_and_nothing_else(world: Store) -> None:
    """The same queries in the second database, as a user to whom one is granted."""
    for statement in tenant_views.statements(world):
        world.command(statement)
    database = tenant_views.database(world)
    [(tenant,)] = world.query(
        "SELECT tenant FROM top_tenants(since = 86400, until = 2000000000, k = 1)"
    )
    Grants(world).grant("default", Role.MANAGER, (tenant,), by="a test")
    try:
        for dashboard in dashboards(OF_A_TENANT):
            for panel, target in targets(dashboard, CLICKHOUSE):
                sql = expand(target["rawSql"], dashboard, READER)
                there = _CALL.sub(rf"FROM `{database}`.\1", sql)
                of = panel_of(dashboard["uid"], panel["title"])
                found = world.query(there, settings=SESSION)
                chosen = Reader(SINCE, UNTIL, NEW_YORK, (("tenant", tenant),))
                own = expand(target["rawSql"], dashboard, chosen)
                assert found == world.query(own, settings=SESSION), of.id
    finally:
        world.command("TRUNCATE TABLE _access")
        world.command(f"DROP DATABASE `{database}`")


def test_tabs_are_dashboards() -> None:
    assert {f"usage-{tab}" for tab in Tab} <= {one["uid"] for one in dashboards()}
    read = YAML(typ="safe").load(ROOT / "provisioning" / "dashboards" / "usage.yaml")
    assert read["providers"][0]["options"]["path"] == "/etc/grafana/usage/dashboards"
    assert Path(ROOT / "dashboards").is_dir()
