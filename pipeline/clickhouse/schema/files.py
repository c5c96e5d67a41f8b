"""Migration files: which there are, their statements, and what is filled in for a cluster."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.clickhouse.schema import parts
from pipeline.errors import MigrationError

WINDOW = 1_000_000
"""Tokens that each table remembers, counted per table partition; ClickHouse's default is none."""

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_PIECE = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)
      | (?P<quoted>'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*")
      | (?P<end>;)
      | (?P<open>['`"]|/\*)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_ENGINE = re.compile(r"\{engine:(\w+)(\([^{}]*\))?\}")
KEEP_MINUTE_ROWS = "{keep_minute_rows}"
_PLACEHOLDER = re.compile(r"\{(?:cluster|window|keep_minute_rows|engine:[^{}]*)\}")
_TOUCHES_VIEWS = re.compile(
    r"\b(MATERIALIZED\s+VIEW|MODIFY\s+QUERY|DROP|DETACH|ATTACH|RENAME|EXCHANGE|TRUNCATE)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Migration:
    """One numbered file of SQL."""

    number: int
    name: str
    text: str
    parts: Mapping[str, str] = field(default_factory=dict)
    """What its views may be made of: those of this file and of the files before."""

    @property
    def checksum(self) -> str:
        """SHA-256 of the file, as hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statements(self, cluster: str = "", keep_minute_rows: int = 0) -> list[str]:
        """The statements, without comments, filled in."""
        return [fill_in(one, cluster, keep_minute_rows) for one in self._written_out()]

    def of_minute_rows(self, cluster: str, keep_minute_rows: int) -> list[str]:
        """Those statements that say how long minutes are kept: all make a view, or make it anew."""
        return [
            fill_in(one, cluster, keep_minute_rows)
            for one in self._written_out()
            if KEEP_MINUTE_ROWS in one
        ]

    def _written_out(self) -> Iterator[str]:
        for statement in split(self.text):
            if not parts.defined(statement):
                yield parts.written_out(statement, self.parts)

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
    known: dict[str, str] = {}
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if not match:
            raise MigrationError(f"{path.name}: a migration is named 0001_what_it_does.sql")
        text = path.read_text(encoding="utf-8")
        known = known | dict(filter(None, map(parts.defined, split(text))))
        found.append(Migration(int(match[1]), match[2], text, known))
    for expected, migration in enumerate(found, start=1):
        if migration.number != expected:
            raise MigrationError(
                f"migrations: expected number {expected}, found {migration.number}"
            )
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


def fill_in(statement: str, cluster: str, keep_minute_rows: int = 0) -> str:
    """Put ``ON CLUSTER``, engines and windows in: for one server, or for a cluster's name.

    ``keep_minute_rows`` is in days; 0 is for good.
    """
    replicated = "Replicated" if cluster else ""
    values = {
        "{cluster}": f" ON CLUSTER '{cluster}'" if cluster else "",
        "{window}": _window(cluster),
        KEEP_MINUTE_ROWS: str(keep_minute_rows),
    }

    def value(match: re.Match[str]) -> str:
        engine = _ENGINE.fullmatch(match[0])
        if engine:
            return f"{replicated}{engine[1]}{engine[2] or ''}"
        return values[match[0]]

    return _PLACEHOLDER.sub(value, statement)


def _window(cluster: str) -> str:
    if not cluster:
        return f"non_replicated_deduplication_window = {WINDOW}"
    seconds = 30 * 86_400
    return (
        f"replicated_deduplication_window = {WINDOW}, "
        f"replicated_deduplication_window_seconds = {seconds}"
    )


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    for match in _PIECE.finditer(text):
        yield match.lastgroup or "other", match[0]


def _unquoted(statement: str) -> str:
    return "".join(piece for kind, piece in _pieces(statement) if kind != "quoted")
