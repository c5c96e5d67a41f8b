"""chDB, the ClickHouse engine in this process.

A connection costs 0.1 ms (measured, see the decision page) and serialises its queries, so every
request gets one of its own. Queries release Python's lock while they run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.clickhouse.quoting import quoted
from pipeline.clickhouse.schema.files import SETTLED_TABLE
from pipeline.clickhouse.schema.users_days import AT_ONCE
from pipeline.embedded.store.answers import Progress, Refusal
from pipeline.errors import StoreRefused

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
# A query has no id that a caller could choose, but carries this setting into system.processes.
_LABEL = "log_comment"


class Connection:
    """One connection and what was set in it. Not thread safe: one query at a time."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._applied: dict[str, str] = {}
        self._database = ""
        self._statements: list[str] = []

    def prepare(self, label: str, database: str, settings: Mapping[str, str]) -> None:
        """Apply a request's settings and database, and undo those of the request before.

        Raises:
            Refusal: an unknown setting or database.
        """
        wanted = {**settings, _LABEL: label}
        for name in wanted:
            if not _NAME.fullmatch(name):
                raise Refusal(115, "UNKNOWN_SETTING", f"Unknown setting '{name}'")
        dropped = self._applied.keys() - wanted.keys()
        if dropped or (self._database and not database):
            self._execute("; ".join(f"SET {name} = DEFAULT" for name in sorted(dropped)))
            self._execute("USE default")
            for statement in self._statements:
                self._execute(statement)
            self._database = ""
        if database and database != self._database:
            name = database.replace("\\", "\\\\").replace("`", "\\`")
            self._execute(f"USE `{name}`")
            self._database = database
        changed = [f"{n} = {quoted(v)}" for n, v in wanted.items() if self._applied.get(n) != v]
        if changed:
            self._execute(f"SET {', '.join(changed)}")
        self._applied = wanted

    def query(self, sql: str, output: str, parameters: Mapping[str, str]) -> tuple[bytes, Progress]:
        """Run one statement; its answer in ``output`` format unless the statement names another.

        Raises:
            Refusal: with the engine's code and text.
        """
        try:
            # Latin-1 text stands for bytes (see sql.py).
            result = self._session.query(sql.encode("latin-1"), output, params=dict(parameters))
        except RuntimeError as error:
            raise Refusal.of_engine(error) from None
        body = bytes(result.bytes())
        return body, Progress(
            result.storage_rows_read(),
            result.storage_bytes_read(),
            result.rows_written(),
            result.bytes_written(),
            len(body),
            int(result.elapsed() * 1e9),
        )

    def remember(self, statement: str) -> None:
        """Keep a SET or USE, for a session's later requests."""
        self._statements.append(statement)

    def close(self) -> None:
        """Give the connection back to the engine."""
        self._session.close()

    def _execute(self, sql: str) -> None:
        if sql:
            self.query(sql, "TabSeparated", {})


class Engine:
    """The engine over one folder, configured by a file.

    Raises:
        StoreRefused: chDB is not installed, or cannot read the folder.
    """

    def __init__(self, folder: Path, config: Path) -> None:
        self._folder = f"{folder}?config-file={quote(str(config))}"
        try:
            from chdb.session import Session
        except ImportError as error:
            raise StoreRefused(
                "the embedded store needs chDB: pip install 'usage-pipeline[embedded]'"
            ) from error
        self._open: Callable[[str], Any] = Session
        try:
            # Kept open: the engine lives as long as its last connection.
            self._first = self.connect()
            found, _ = self._first.query("SELECT version(), timezone()", "TabSeparated", {})
        except (RuntimeError, Refusal) as error:
            words = error.text if isinstance(error, Refusal) else str(error)
            raise StoreRefused(
                f"the store in {folder.parent} cannot be opened, its data may be damaged; "
                f"the engine says: {words}"
            ) from error
        self.version, self.timezone = found.decode().rstrip("\n").split("\t")

    def damaged(self) -> list[str]:
        """The parts that could not be read at the start; their rows are in no answer."""
        found, _ = self._first.query(
            "SELECT path FROM system.detached_parts WHERE reason LIKE 'broken%' ORDER BY path",
            "TabSeparated",
            {},
        )
        return found.decode().split()

    def publish_settled_days(self) -> None:
        """Fill what views look up, which is in memory alone; before anybody asks one.

        Where that cannot be, as in a database that is half restored, views read quarter hours.
        """
        found, _ = self._first.query(
            f"SELECT database FROM system.tables WHERE name = '{SETTLED_TABLE}'",  # noqa: S608
            "TabSeparated",
            {},
        )
        for database in found.decode().split():
            connection = self.connect()
            with suppress(Refusal):
                connection.prepare("", database, {})
                connection.query(AT_ONCE, "TabSeparated", {})
            connection.close()

    def connect(self) -> Connection:
        """A new connection with nothing set in it."""
        return Connection(self._open(self._folder))

    def kill(self, label: str) -> None:
        """End the query that runs under ``label``; nothing happens if it has ended."""
        connection = self.connect()
        try:
            connection.query(
                f"KILL QUERY WHERE Settings['{_LABEL}'] = {quoted(label)}", "TabSeparated", {}
            )
        finally:
            connection.close()

    def close(self) -> None:
        """Close the engine; only when no other connection is open."""
        self._first.close()
