"""The views: one file each, made anew by the migrator wherever their text is another one.

A view holds no rows, so it needs no number and no history. What it was made of stands in the last
line of its own comment, written by the statement that made it: killed anywhere, that line is right,
and a view that somebody else replaced has none. They may be made anew while chunks are open: no
insert passes through them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipeline.clickhouse.cluster import QUERIES
from pipeline.clickhouse.schema import files, parts, resources, zone_shifts
from pipeline.clickhouse.schema.files import Lifetimes
from pipeline.clickhouse.schema.zone_shifts import Shifts
from pipeline.errors import MigrationError

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

SETTINGS: Mapping[str, str] = {
    "aggregate_functions_null_for_empty": "0",
    "any_join_distinct_right_table_keys": "0",
    "cast_keep_nullable": "0",
    "date_time_overflow_behavior": "'ignore'",
    "decimal_check_overflow": "1",
    "empty_result_for_aggregation_by_empty_set": "0",
    "enable_extended_results_for_datetime_functions": "0",
    "final": "0",
    "function_date_trunc_return_type_behavior": "0",
    "group_by_use_nulls": "0",
    "join_default_strictness": "'ALL'",
    "join_use_nulls": "0",
    "least_greatest_legacy_null_behavior": "0",
    "precise_float_parsing": "1",
    "prefer_column_name_to_alias": "0",
    "session_timezone": "''",
    "transform_null_in": "0",
    "union_default_mode": "''",
    "use_variant_as_common_type": "0",
}
"""Part of every view, so that a session's own settings change no answer: ClickHouse's defaults, but
that texts are read as the nearest double."""

RETIRED = ("_kept",)
"""Views that releases made before they marked them, and that are none any more."""

_VIEW = re.compile(
    r"CREATE OR REPLACE VIEW (?P<name>\w+)\{cluster\} AS\s(?P<select>.*?)\s*"
    r"COMMENT '(?P<comment>(?:[^'\\]|\\.|'')*)'",
    re.DOTALL,
)
_MARK = re.compile(
    r"\nmade of (?P<digest>[0-9a-f]{64}), minutes kept (?P<days>\d+) days(?: from (?P<from>\d+))?"
    r"(?:, product events (?P<events>\d+))?$"
)


class Mark(NamedTuple):
    """What a view was made of."""

    digest: str
    """SHA-256 of its text, as hexadecimal digits."""
    days: int
    """How long minutes were kept; 0: for good."""
    events_days: int = 0
    """How long product events were kept, of a view that says so; 0: for good."""
    minutes_from: int = 0
    """From when on minutes were there, where they had been kept for less (epoch seconds)."""


@dataclass(frozen=True)
class View:
    """One file of SQL, its parts written out."""

    name: str
    select: str
    comment: str
    """As SQL has it: quotes are doubled."""

    @property
    def text(self) -> str:
        """The statement that makes it, but for its mark, the cluster and what is kept."""
        settings = ", ".join(f"{name} = {value}" for name, value in SETTINGS.items())
        return (
            f"CREATE OR REPLACE VIEW {self.name}{{cluster}} AS\n{self.select}\n"
            f"SETTINGS {settings}\nCOMMENT '{self.comment}'"
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the text, as hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def mark(self, kept: Lifetimes) -> Mark:
        """What it is made of; of how long product events are kept only where that is in it."""
        of_events = files.KEEP_PRODUCT_EVENTS in self.select
        events_days = kept.product_events if of_events else 0
        return Mark(self.digest, kept.minute_rows, events_days, kept.minutes_from)

    def statement(self, cluster: str, kept: Lifetimes, database: str = "") -> str:
        """The statement that makes it in a database."""
        mark = self.mark(kept)
        said = f"\nmade of {mark.digest}, minutes kept {mark.days} days"
        said += f" from {mark.minutes_from}" if mark.minutes_from else ""
        said += f", product events {mark.events_days}" if mark.events_days else ""
        text = f"{self.text[:-1]}{said}'"
        if cluster:
            before = f"{self.select}\nSETTINGS "
            text = text.replace(before, f"{before}{_of_a_cluster()}, ", 1)
        return files.fill_in(text, cluster, kept, database)


class Changes(NamedTuple):
    """What must be done so that a store's views are those of this release."""

    remade: tuple[View, ...]
    dropped: tuple[str, ...]

    def statements(self, cluster: str, kept: Lifetimes, database: str = "") -> Iterator[str]:
        """The statements that do it."""
        for view in self.remade:
            yield view.statement(cluster, kept, database)
        for name in self.dropped:
            yield files.fill_in(f"DROP VIEW IF EXISTS {name}{{cluster}}", cluster)


def _of_a_cluster() -> str:
    """The settings of a view over the tables of all shards, on top of `SETTINGS`."""
    values = ((name, f"'{v}'" if isinstance(v, str) else v) for name, v in QUERIES.items())
    return ", ".join(f"{name} = {value}" for name, value in values)


@lru_cache(maxsize=4)
def shipped(shifts: Shifts = (), *, old_latency: bool = False) -> tuple[View, ...]:
    """The views of this release, for a store that has the days of these zones otherwise.

    ``old_latency``: and requests of before rows told how long they took.
    """
    return read(resources.views(), shifts, old_latency=old_latency)


def read(folder: Path, shifts: Shifts = (), *, old_latency: bool = False) -> tuple[View, ...]:
    """Read a folder's views, by name; what they are made of is in its folder ``_parts``.

    Raises:
        MigrationError: a file does not hold the one view that it is named after.
    """
    macros, selects = pieces(folder, shifts)
    if old_latency:
        selects["_latency"] += f"\nUNION ALL\n{selects['_old_latency']}"
    return tuple(_view(path, macros, selects) for path in sorted(folder.glob("*.sql")))


def pieces(folder: Path, shifts: Shifts = ()) -> tuple[dict[str, parts.Macro], dict[str, str]]:
    """The macros and the parts that a folder's views are made of, by name.

    Raises:
        MigrationError: a file of parts holds something else, or a name is taken twice.
    """
    macros = zone_shifts.macros(shifts)
    selects: dict[str, str] = {}
    for path in sorted((folder / "_parts").glob("*.sql")):
        for statement in files.split(path.read_text(encoding="utf-8")):
            part, macro = parts.defined(statement), parts.macro(statement)
            found = part or macro
            if found is None:
                raise MigrationError(f"{path.name}: neither PART nor MACRO: {statement[:60]}")
            if found.name in macros or found.name in selects:
                raise MigrationError(f"{path.name}: {found.name} is there twice")
            if macro:
                macros[macro.name] = macro
            elif part:
                selects[part.name] = part.select
    return macros, {name: parts.with_macros(text, macros) for name, text in selects.items()}


def written_out(sql: str) -> str:
    """A query of this release's parts and macros, with them in their places."""
    macros, selects = pieces(resources.views())
    return parts.written_out(parts.with_macros(sql, macros), selects)


def marks(store: Store) -> dict[str, Mark | None]:
    """The views of the database, and what they were made of, where they say so."""
    rows = store.query(
        "SELECT name, comment FROM system.tables "
        "WHERE database = {database:String} AND engine = 'View'",
        {"database": store.database},
    )
    return {name: _mark(comment) for name, comment in rows}


def minutes_from(store: Store) -> int:
    """From when on minutes are there as the views have it, in epoch seconds; 0: as long as kept."""
    return max((mark.minutes_from for mark in marks(store).values() if mark), default=0)


def changes(store: Store, views: Iterable[View], kept: Lifetimes) -> Changes:
    """What differs: by the views' texts, and by how long what they look for is kept."""
    known = {view.name: view for view in views}
    there = marks(store)
    remade = (view for name, view in known.items() if there.get(name) != view.mark(kept))
    ours = (name for name, mark in there.items() if mark or name in RETIRED)
    return Changes(tuple(remade), tuple(name for name in sorted(ours) if name not in known))


def outdated(store: Store, views: Sequence[View] | None = None) -> list[str]:
    """The names of this release's views that the database lacks, or has of another text."""
    there = marks(store)
    return [
        view.name
        for view in (shipped() if views is None else views)
        if (mark := there.get(view.name)) is None or mark.digest != view.digest
    ]


def _view(path: Path, macros: Mapping[str, parts.Macro], selects: Mapping[str, str]) -> View:
    statements = files.split(path.read_text(encoding="utf-8"))
    match = _VIEW.fullmatch(statements[0]) if len(statements) == 1 else None
    if not match or match["name"] != path.stem:
        raise MigrationError(
            f"{path.name}: expected one `CREATE OR REPLACE VIEW {path.stem}{{cluster}} AS …` "
            "that ends with its COMMENT"
        )
    select = parts.written_out(parts.with_macros(match["select"], macros), selects)
    return View(path.stem, select.strip(), match["comment"])


def _mark(comment: str) -> Mark | None:
    match = _MARK.search(comment)
    if not match:
        return None
    days, events_days, since = (int(match[name] or 0) for name in ("days", "events", "from"))
    return Mark(match["digest"], days, events_days, since)
