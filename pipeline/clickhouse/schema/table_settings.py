"""What every table of ours is set to, whichever migration made it: how its parts lie on the disk.

The migrator brings all tables to it, so that those of an older release get it too, and those of a
later one without saying so. Why these: ``docs/decisions/insert-path.md``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline.clickhouse.quoting import identifier
from pipeline.clickhouse.schema.retention import MINUTE_TABLES, tables

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

SETTINGS: Mapping[str, str] = {
    "min_bytes_for_full_part_storage": "10485760",
    "min_parts_to_merge_at_once": "16",
    "min_age_to_force_merge_seconds": "86400",
    "min_age_to_force_merge_on_partition_only": "1",
    "auto_statistics_types": "''",
}
FORCED = ("min_age_to_force_merge_seconds", "min_age_to_force_merge_on_partition_only")
"""As ``MODIFY SETTING`` has them. Parts below 10 MiB are one file instead of thirteen; small ones
wait until there are sixteen to merge, or until nothing was added to their month for a day: what is
over is one part, for views pay for each; nothing is kept for planners that no view has need of."""


def statements(store: Store, cluster: str = "") -> list[str]:
    """The ALTERs that bring every table to `SETTINGS`; none where nothing changed.

    A setting that the server does not know is left out: it costs speed, never a number.
    """
    known = _known(store)
    on_cluster = f" ON CLUSTER '{cluster}'" if cluster else ""
    alters = []
    for table, engine in tables(store).items():
        wanted = {name: to for name, to in wanted_of(table).items() if name in known}
        differing = {name: to for name, to in wanted.items() if _current(engine, name) != to}
        if differing:
            settings = ", ".join(f"{name} = {to}" for name, to in differing.items())
            alters.append(f"ALTER TABLE {identifier(table)}{on_cluster} MODIFY SETTING {settings}")
    return alters


def wanted_of(table: str) -> dict[str, str]:
    """What a table is set to.

    Rows of minutes expire day by day, soon after their month: were it one part, all that is left of
    it would be written anew each time.
    """
    return {n: to for n, to in SETTINGS.items() if n not in FORCED or table not in MINUTE_TABLES}


def _current(engine: str, name: str) -> str:
    """A setting in a table's ``engine_full``, as SQL has it; empty where it is not there."""
    found = re.search(rf"\b{name} = ('[^']*'|\w+)", engine)
    return found[1] if found else ""


def _known(store: Store) -> set[str]:
    rows = store.query(
        "SELECT name FROM system.merge_tree_settings WHERE name IN {names:Array(String)}",
        {"names": list(SETTINGS)},
    )
    return {name for (name,) in rows}
