"""Whether the store's views are those of this release, and its time zones those of tzdata."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.clickhouse.schema import engine_zones, old_latency, views
from pipeline.operate.audit.report import Check, Finding

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store


def check(store: Store) -> Check:
    """Compare each view's text, and the zones whose rules changed lately.

    A zone that no view can set right is a note: nothing in the store is damaged.
    """
    zones = engine_zones.compare(store)
    shipped = views.shipped(zones.shifts, old_latency=old_latency.may_be_there(store))
    found = [
        Finding(
            "view",
            name,
            f"the view {name} is not of this release, or not for the server's time zones; "
            "run: usage migrate",
        )
        for name in views.outdated(store, shipped)
    ]
    notes = [zones.sentence] if zones.wrong else []
    compared = f"{len(shipped)} views, time zones until 2040"
    return Check("release", compared, found, notes)
