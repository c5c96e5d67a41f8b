"""Migration files: which there are, their statements, and what is filled in for a cluster.

What was applied somewhere is never changed, but for statements that nothing needs any more: a line
``NUMBER SHA-256`` in the folder's ``superseded.txt`` is the checksum that a file had before.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import MigrationError

WINDOW = 1_000_000
"""Tokens that each table remembers, counted per table partition; ClickHouse's default is none."""

WINDOW_DAYS = 30
"""How long replicated tables remember them: a block that somebody held back longer counts again."""

_OF_ZONES, _OF_ACCESS = ("_zone_offsets", "_zone_versions"), ("_access", "_keys", "_key_uses")
EVERYWHERE = frozenset(["migrations", "metric_days", *_OF_ZONES, *_OF_ACCESS])
"""Tables of a cluster that each server has whole, for their rows are of no partition."""

PATH = "/clickhouse/tables/{shard}/{database}/{table}"
PATH_EVERYWHERE = "/clickhouse/tables/everywhere/{database}/{table}"
"""Where ZooKeeper or Keeper has a replicated table: of no UUID, so that a server which is added
later can make another replica of the table, and not a table of its own."""

SUPERSEDED = "superseded.txt"

_MANY_DAYS = 18_000
"""Before them no DateTime need be: less than there are since 1970."""

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_PIECE = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)
      | (?P<quoted>'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*")
      | (?P<end>;)
      | (?P<open>['`"]|/\*)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_ENGINE = re.compile(r"\{engine:(\w+)(?:\(([^{}]*)\))?\}")
_TABLE = re.compile(
    r"(?:(?:CREATE|ALTER|TRUNCATE|DETACH|ATTACH|DROP) TABLE|INSERT INTO|CREATE MATERIALIZED VIEW"
    r"|DROP VIEW)"
    r"(?: IF (?:NOT )?EXISTS)? `?(\w+)",
)
KEEP_MINUTE_ROWS, KEEP_PRODUCT_EVENTS = "{keep_minute_rows}", "{keep_product_events}"
KEPT_FROM = "{kept_from}"
"""From when on the minutes of a whole quarter hour are there: the first quarter hour after that."""
SETTLED, SETTLED_TABLE, ALWAYS_SETTLED = "{settled}", "users_settled", "2149-06-06"
"""Up to which day users' days are complete, from the table that has it; where all go into them at
once, as on a cluster, the last day that there is."""
SETTLED_BY_WORKERS, NEVER_SETTLED = "{settled_by_workers}", "1970-01-01"
"""The same of what only workers make once it is over, which those of a cluster do not."""
SLOT_SECONDS, SLOTS = 300, 288
"""Views look it up by the five minutes of a day in which their query began."""
_PLACEHOLDER = re.compile(
    r"\{(?:cluster|window|keep_minute_rows|keep_product_events|kept_from|settled|settled_by_workers|engine:[^{}]*)\}"
)
_TOUCHES_VIEWS = re.compile(
    r"\b(MATERIALIZED\s+VIEW|MODIFY\s+QUERY|DROP|DETACH|ATTACH|RENAME|EXCHANGE|TRUNCATE)\b",
    re.IGNORECASE,
)


class Lifetimes(NamedTuple):
    """How long rows are kept that views look for, in days; 0: for good."""

    minute_rows: int = 0
    product_events: int = 0
    minutes_from: int = 0
    """From when on minutes are there (epoch seconds, a quarter hour), where they were kept for less
    before: what had expired by then is not there because it would be kept longer now."""


FOR_GOOD = Lifetimes()


@dataclass(frozen=True)
class Migration:
    """One numbered file of SQL."""

    number: int
    name: str
    text: str
    superseded: frozenset[str] = frozenset()
    """Checksums that it had before statements were taken out that nothing needs any more."""

    @property
    def checksum(self) -> str:
        """SHA-256 of the file, as hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def is_what_was_applied(self, checksum: str) -> bool:
        """Whether a store in which this was applied needs nothing more of it."""
        return checksum == self.checksum or checksum in self.superseded

    def statements(self, cluster: str = "") -> list[str]:
        """The statements, without comments, filled in."""
        return [fill_in(one, cluster) for one in split(self.text)]

    @property
    def touches_views(self) -> bool:
        """Whether a chunk sent before and again after it could be counted twice.

        Making or changing a materialized view changes what its block is; dropping, renaming or
        attaching a table changes who gets it, and takes its memory of tokens away.
        """
        return any(_TOUCHES_VIEWS.search(_unquoted(one)) for one in split(self.text))


def read(folder: Path) -> list[Migration]:
    """Read all migrations of a folder, in order; numbered from 1 without gaps.

    Raises:
        MigrationError: a number is missing or taken twice.
    """
    found: list[Migration] = []
    superseded = _superseded(folder / SUPERSEDED)
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if not match:
            raise MigrationError(f"{path.name}: a migration is named 0001_what_it_does.sql")
        number, text = int(match[1]), path.read_text(encoding="utf-8")
        found.append(Migration(number, match[2], text, superseded.get(number, frozenset())))
    for expected, migration in enumerate(found, start=1):
        if migration.number != expected:
            raise MigrationError(
                f"migrations: expected number {expected}, found {migration.number}"
            )
    return found


def _superseded(path: Path) -> dict[int, frozenset[str]]:
    found: dict[int, frozenset[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        number, _, checksum = line.partition(" ")
        if number.isdigit():
            found[int(number)] = found.get(int(number), frozenset()) | {checksum}
    return found


def split(text: str) -> list[str]:
    """Split SQL into its statements; comments go, strings and quoted names stay as they are.

    Raises:
        MigrationError: a string or a comment does not end.
    """
    statements = [""]
    for kind, piece in _pieces(text):
        if kind == "end":
            statements.append("")
        elif kind == "comment":
            statements[-1] += " "
        elif kind == "open":
            raise MigrationError(f"a migration has a {piece} without its end")
        else:
            statements[-1] += piece
    return [statement.strip() for statement in statements if statement.strip()]


def fill_in(
    statement: str,
    cluster: str,
    kept: Lifetimes = FOR_GOOD,
    database: str = "",
) -> str:
    """Put ``ON CLUSTER``, engines and windows in: for one server, or for a cluster's name.

    ``database``: where a view finds its tables, whoever asks it; empty: in the database of whoever
    asks.
    """
    values = {
        "{cluster}": f" ON CLUSTER '{cluster}'" if cluster else "",
        "{window}": _window(cluster),
        KEEP_MINUTE_ROWS: str(kept.minute_rows),
        KEEP_PRODUCT_EVENTS: str(kept.product_events),
        KEPT_FROM: _kept_from(kept.minute_rows, kept.minutes_from),
        SETTLED: f"toDate('{ALWAYS_SETTLED}')" if cluster else _settled(database),
        SETTLED_BY_WORKERS: f"toDate('{NEVER_SETTLED}')" if cluster else _settled(database),
    }

    def value(match: re.Match[str]) -> str:
        engine = _ENGINE.fullmatch(match[0])
        if engine:
            return _engine(engine[1], engine[2], statement if cluster else "")
        return values[match[0]]

    return _PLACEHOLDER.sub(value, statement)


def table_of(statement: str) -> str:
    """The table or materialized view that a statement of a migration is about; else nothing."""
    found = _TABLE.match(statement.strip())
    return found[1] if found else ""


def _engine(name: str, arguments: str | None, replicated_by: str) -> str:
    """A table's engine; ``replicated_by``: the statement that makes it on a cluster."""
    if not replicated_by:
        return f"{name}({arguments})" if arguments is not None else name
    path, replica = PATH, "{replica}"
    if table_of(replicated_by) in EVERYWHERE:
        path, replica = PATH_EVERYWHERE, "{shard}:{replica}"
    more = f", {arguments}" if arguments else ""
    return f"Replicated{name}('{path}', '{replica}'{more})"


def _kept_from(days: int, at_least: int) -> str:
    """As few functions as will do: a view names it in many places, and each is analysed."""
    seconds, there = days * 86_400, f"toDateTime({at_least}, 'UTC')"
    if not days:
        return there
    if days < _MANY_DAYS:
        since = f"toStartOfFifteenMinutes(now('UTC') - {seconds}) + 900"
    else:
        since = f"greatest(0, intDiv(toUnixTimestamp(now()) - {seconds}, 900) * 900 + 900)"
        since = f"toDateTime({since}, 'UTC')"
    return f"greatest({since}, {there})" if at_least else since


def _settled(database: str) -> str:
    """A constant once a query is planned, so that it prunes parts: a subquery would not be one.

    It is looked up for each branch of a query, which must all find the same though it may change
    meanwhile: so there is a day for each five minutes in which a query begins, and those alone are
    changed in which no query that is being planned can have begun (:mod:`.users_days`).
    """
    table = f"{database}.{SETTLED_TABLE}" if database else SETTLED_TABLE
    slot = f"intDiv(toUnixTimestamp(initialQueryStartTime()), {SLOT_SECONDS}) % {SLOTS}"
    return f"joinGet('{table}', 'days', toUInt8(0))[{slot} + 1]"


def _window(cluster: str) -> str:
    if not cluster:
        return f"non_replicated_deduplication_window = {WINDOW}"
    return (
        f"replicated_deduplication_window = {WINDOW}, "
        f"replicated_deduplication_window_seconds = {WINDOW_DAYS * 86_400}"
    )


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    for match in _PIECE.finditer(text):
        yield match.lastgroup or "other", match[0]


def _unquoted(statement: str) -> str:
    return "".join(piece for kind, piece in _pieces(statement) if kind != "quoted")
