"""The one way to ClickHouse: ``clickhouse-connect`` over HTTP, whatever answers there.

An insert under a token is one block with the settings that ``docs/decisions/insert-path.md``
explains: the same rows under the same token, sent any number of times by anybody, count once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import clickhouse_connect
from clickhouse_connect.driver.exceptions import Error
from clickhouse_connect.driver.httpclient import HttpClient
from clickhouse_connect.driver.httputil import get_pool_manager
from urllib3.exceptions import HTTPError

from pipeline.clickhouse.faults import translate
from pipeline.clickhouse.native import Columns, Data, compressed, encode
from pipeline.errors import StoreRefused, StoreUnavailable
from pipeline.settings.kinds import is_loopback

if TYPE_CHECKING:
    from pipeline.facts.sent import Block
    from pipeline.settings import Settings

CONNECT_SECONDS = 5
READ_SECONDS = 60
"""Without a byte for this long a connection counts as dead; a chunk takes under a second."""

CONNECTIONS = 16
"""Kept open; more threads than that open connections of their own."""

MAX_ROWS = 1_048_448
"""Of one insert: more than a chunk can have by the time it is sealed (`pipeline.worker.work`)."""

ONE_BLOCK = {
    # The block is passed on whole, whatever its size: below both bounds blocks are joined until the
    # end of the insert (those that come out of a view's GROUP BY too), above one they are not.
    "min_insert_block_size_rows": 1 << 40,
    "min_insert_block_size_bytes": 0,
    "max_insert_block_size": 1 << 40,
    "max_insert_threads": 1,
    # A chunk's events may be of any month that USAGE_TOO_LATE_SECONDS allows.
    "max_partitions_per_insert_block": 0,
}

INSERT = {
    **ONE_BLOCK,
    "async_insert": 0,
    "materialized_views_ignore_errors": 0,
    "wait_end_of_query": 1,
}
"""Settings of every insert."""

DEDUPLICATED = {
    "insert_deduplicate": 1,
    "deduplicate_insert": "enable",
    "deduplicate_blocks_in_dependent_materialized_views": 1,
}
"""Settings of an insert under a token; the token itself is ``insert_deduplication_token``."""

NOT_DEDUPLICATED = {"insert_deduplicate": 0, "deduplicate_insert": "disable"}
"""Without a token every insert counts, even one equal to the last."""


class Prepared(NamedTuple):
    """One block of rows, encoded."""

    table: str
    columns: list[str]
    body: bytes


class Store:
    """One ClickHouse database, reached by HTTP. Thread safe: no session, a pool of connections.

    Every method raises only `StoreUnavailable` (trying again may help) and `StoreRefused`.
    """

    def __init__(self, client: HttpClient, database: str, compression: str | None) -> None:
        self._client = client
        self._compression = compression
        self.database = database
        self.where = client.url

    @classmethod
    def connect(cls, settings: Settings) -> Store:
        """Open a client for ``settings.clickhouse`` and ask the server who it is.

        The database need not exist yet.
        """
        # The driver also logs what it raises.
        logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
        url = settings.clickhouse
        compression = None if is_loopback(url.host) else "lz4"
        where = f"{url.scheme}://{url.host}:{url.port}"
        with _translated(where):
            client = clickhouse_connect.get_client(
                interface=url.scheme,
                host=url.host,
                port=url.port,
                username=url.user or "default",
                password=url.password.reveal(),
                # Sent along before the database exists, its name would be refused: set below.
                database="__default__",
                compress=compression or False,
                connect_timeout=CONNECT_SECONDS,
                send_receive_timeout=READ_SECONDS,
                client_name="usage-pipeline",
                autogenerate_session_id=False,
                tz_mode="aware",
                pool_mgr=_pool(settings),
            )
        client = cast("HttpClient", client)
        client.http_retries = 0
        client.database = url.database
        return cls(client, url.database, compression)

    @property
    def version(self) -> str:
        """The server's version as it was when we connected, ``26.9.2.1``."""
        return self._client.server_version or ""

    def insert(self, table: str, columns: Columns, data: Data, *, token: str | None = None) -> None:
        """Insert all rows as one block; under a token, at most once, in every target of its views.

        Args:
            table: in this database.
            columns: name and ClickHouse type of each.
            data: one list per column, in the same order; no rows is no insert.
            token: the deduplication token; without one, calling twice inserts twice.
        """
        prepared = self.prepare(table, columns, data)
        if prepared is not None:
            self.send(prepared, token=token)

    def prepare(self, table: str, columns: Columns, data: Data) -> Prepared | None:
        """Encode all rows as one block, without asking anybody; None where there are no rows.

        Raises `ValueRefused` (of code 0) for a value that a column's type does not hold.
        """
        rows = len(data[0]) if data else 0
        if not _is_for_one_block(table, rows):
            return None
        with _translated(self.where):
            body = encode(table, columns, data, self._compression)
        return Prepared(table, [name for name, _ in columns], body)

    def prepare_block(self, table: str, block: Block) -> Prepared | None:
        """Do so with rows that are encoded, and only to be compressed."""
        if not _is_for_one_block(table, block.rows):
            return None
        body = compressed(block.body, self._compression)
        return Prepared(table, [name for name, _ in block.columns], body)

    def send(self, prepared: Prepared, *, token: str | None = None) -> None:
        """Insert a block; under a token, at most once, in every target of the table's views."""
        with self._talking():
            self._client.raw_insert(
                f"`{prepared.table}`",
                column_names=prepared.columns,
                # The driver sends bytes again by itself when the connection breaks, never a
                # memoryview: who calls decides, and knows whether there is a token.
                insert_block=cast("bytes", memoryview(prepared.body)),
                settings=insert_settings(token),
                fmt="Native",
                compression=self._compression,
            )

    def query(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        consistent: bool = False,
        settings: Mapping[str, Any] | None = None,
    ) -> list[tuple[Any, ...]]:
        """Run a SELECT and return its rows; parameters are bound as ``{name:Type}``.

        ``consistent`` sees every insert that was acknowledged, on any replica.
        """
        options = {
            **(settings or {}),
            **({"select_sequential_consistency": 1} if consistent else {}),
        }
        with self._talking():
            result = self._client.query(sql, parameters=_bound(parameters), settings=options)
            return [tuple(row) for row in result.result_rows]

    def command(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        in_database: bool = True,
    ) -> None:
        """Run a statement without a result; ``in_database=False`` before the database exists."""
        with self._talking():
            self._client.command(
                sql,
                parameters=_bound(parameters),
                settings=dict(settings or {}),
                use_database=in_database,
            )

    @contextmanager
    def _talking(self) -> Iterator[None]:
        try:
            with _translated(self.where):
                yield
        except StoreUnavailable:
            # Idle connections may be as dead as the one that failed, and each would tell only by
            # its silence; those in use are not touched.
            self._client.close_connections()
            raise

    def close(self) -> None:
        """Close the connections."""
        self._client.close_connections()
        self._client.close()


def _is_for_one_block(table: str, rows: int) -> bool:
    """Say whether there is anything to insert. Raises StoreRefused for more than is inserted."""
    if rows > MAX_ROWS:
        raise StoreRefused(f"{rows} rows for {table} are too many for one block ({MAX_ROWS})")
    return rows > 0


def insert_settings(token: str | None) -> dict[str, Any]:
    """Everything that an insert is sent with, under a token or without."""
    if token is None:
        return INSERT | NOT_DEDUPLICATED
    return INSERT | DEDUPLICATED | {"insert_deduplication_token": token}


def _bound(parameters: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return dict(parameters) if parameters else None


def _pool(settings: Settings) -> Any:
    """A pool of our own: the driver's is shared, takes proxies from the environment and retries."""
    options: dict[str, Any] = {"maxsize": CONNECTIONS, "retries": 0}
    if settings.clickhouse_ca is not None:
        options["ca_cert"] = str(settings.clickhouse_ca)
    return get_pool_manager(**options)


@contextmanager
def _translated(where: str) -> Iterator[None]:
    try:
        yield
    except (Error, HTTPError, OSError) as error:
        raise translate(error, where) from error
