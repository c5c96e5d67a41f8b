"""Whether the store's views are those of this release, and its time zones those of tzdata."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.clickhouse.schema import engine_zones, views
from pipeline.operate.audit.report import Check, Finding

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store


def check(store: Store) -> Check:
    """Compare each view's text, and the zones whose rules changed lately.

    A zone that ClickHouse has otherwise is a note: nothing in the store is damaged.
    """
    found = [
        Finding("view", name, f"the view {name} is not of this release; run: usage migrate")
        for name in views.outdated(store)
    ]
    zones = engine_zones.compare(store)
    notes = [zones.sentence] if zones.differing else []
    compared = f"{len(views.shipped())} views, time zones of the next two years"
    return Check("release", compared, found, notes)
