"""What a view of the second database costs beside the view that it is made from."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from datetime import timedelta

from pipeline.access import tenant_views
from pipeline.access.grants import Grants
from pipeline.access.roles import Role
from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.settings import load as load_settings
from pipeline.views.call import call
from tests.bench import view_load
from tests.bench.bed import Bed
from tests.bench.measure import cpu_seconds
from tests.bench.views import DAYS, ONE, first_of_month, values
from tests.support.contract.views import VIEWS
from tests.support.harness.store import EmbeddedStore, url_at

RUNS = 12
SHARE = 50
"""Of the rows that the views' benchmark reads: what differs is the work before reading."""


def tenants(bed: Bed) -> list[str]:
    """Ask each view of one organization in both databases in turn, and compare the store's CPU."""
    store = EmbeddedStore(bed.folder, "tenants")
    store.start()
    try:
        settings = load_settings({"USAGE_CLICKHOUSE": url_at(store.port, "usage")})
        connected = Store.connect(settings)
        migrate(connected, settings, then=tenant_views.statements)
        rows = bed.scale.view_rows // SHARE
        view_load.load(connected, rows, first_of_month())
        Grants(connected).grant("default", Role.MANAGER, (ONE,), by="benchmark")
        runs = 3 if bed.scale.quick else max(RUNS, bed.scale.runs)
        return [
            (
                f"One tenant, {DAYS} days, about {rows / 1e6:g} million rows of requests. CPU "
                f"milliseconds of the store, means of {runs} runs, both asked in turn."
            ),
            "",
            *_table(connected, store.process.pid, runs),
        ]
    finally:
        store.kill9()


def _table(store: Store, pid: int, runs: int) -> Iterator[str]:
    yield "| view | the view | the tenant's | more |"
    yield "| --- | --- | --- | --- |"
    there = {name for (name,) in store.query("SHOW TABLES FROM usage_tenant")}
    for view, contract in VIEWS.items():
        if view not in there:
            continue
        asked = values(contract.parameters, ONE, first_of_month(), timedelta(days=DAYS))
        found: dict[str, list[float]] = {"usage": [], "usage_tenant": []}
        for _ in range(runs + 1):  # the first of each is not counted
            for database, times in found.items():
                began = cpu_seconds(pid)
                store.query(f"SELECT * FROM {database}.{call(view, asked)}")
                times.append((cpu_seconds(pid) - began) * 1e3)
        plain, own = (statistics.fmean(times[1:]) for times in found.values())
        yield f"| `{view}` | {plain:.0f} | {own:.0f} | {own - plain:.0f} |"
