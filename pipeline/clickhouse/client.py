"""The one way to ClickHouse: ``clickhouse-connect`` over HTTP, whatever answers there.

An insert under a token is one block with the settings that ``docs/decisions/insert-path.md``
explains: the same rows under the same token, sent any number of times by anybody, count once.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar, cast

import clickhouse_connect
from clickhouse_connect.driver.exceptions import Error
from clickhouse_connect.driver.httpclient import HttpClient
from clickhouse_connect.driver.httputil import get_pool_manager
from urllib3.exceptions import HTTPError

from pipeline.clickhouse import cluster
from pipeline.clickhouse.faults import translate
from pipeline.clickhouse.native import (
    Columns,
    Constant,
    Data,
    compressed,
    encode,
    with_constant,
)
from pipeline.clickhouse.servers import Server, Servers
from pipeline.errors import StoreRefused, StoreUnavailable
from pipeline.settings.kinds import is_loopback

if TYPE_CHECKING:
    from pipeline.facts.sent import Block
    from pipeline.settings import Settings
    from pipeline.settings.kinds import Address

T = TypeVar("T")

CONNECT_SECONDS = 5
READ_SECONDS = 60
"""Without a byte for this long a connection counts as dead; a chunk takes under a second."""

CONNECTIONS = 16
"""Kept open; more threads than that open connections of their own."""

ANOTHERS_TURN, TURNS, TURN_SECONDS = 286, 20, (0.02, 0.1)
"""ClickHouse's code where another insert of a cluster's table waits for its quorum: it refuses at
once, before anything is inserted, so that an insert is sent again after some hundredths of a
second, so many times."""

MAX_ROWS = 2_096_896
"""Of one insert: more than twice what a chunk can have by the time it is sealed
(`pipeline.worker.work`), for an event has up to two rows in `partitions_1m`."""

ONE_BLOCK = {
    # The block is passed on whole, whatever its size: below both bounds blocks are joined until the
    # end of the insert (those that come out of a view's GROUP BY too), above one they are not.
    "min_insert_block_size_rows": 1 << 40,
    "min_insert_block_size_bytes": 0,
    # What a view groups may be several blocks: joined by the bounds above, if not by these.
    "min_insert_block_size_rows_for_materialized_views": 0,
    "min_insert_block_size_bytes_for_materialized_views": 0,
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

KEYS_DIFFER = {"optimize_on_insert": 0}
"""Settings of an insert whose rows have keys of their own: adding up is left to merges."""

NOT_DEDUPLICATED = {"insert_deduplicate": 0, "deduplicate_insert": "disable"}
"""Without a token every insert counts, even one equal to the last."""


class Place(NamedTuple):
    """Some servers of a cluster, and one of its databases."""

    addresses: tuple[Address, ...]
    database: str
    verify: Callable[[HttpClient, str], None] | None = None
    """Is given each client that is opened, and its address; raises what keeps us from using it."""


class Prepared(NamedTuple):
    """One block of rows, encoded."""

    table: str
    columns: list[str]
    body: bytes
    keys_differ: bool = False
    """Whether hardly any of its rows has a key that another has, in most tables that take them."""


class Store:
    """One ClickHouse database, reached by HTTP. Thread safe: no session, a pool of connections.

    Of a cluster it is reached at any of the servers that were given: where one is away, the next is
    asked. Every method raises only `StoreUnavailable` (trying again may help) and `StoreRefused`.
    """

    def __init__(
        self,
        servers: Servers[HttpClient],
        database: str,
        compression: str | None,
        *,
        is_clustered: bool = False,
    ) -> None:
        self._servers = servers
        self._compression = compression
        self.is_clustered = is_clustered
        """Whether it is one of a cluster's servers."""
        self._asked: Mapping[str, Any] = cluster.QUERIES if is_clustered else {}
        self._inserted: Mapping[str, Any] = cluster.ACKNOWLEDGED if is_clustered else {}
        self._under_token: Mapping[str, Any] = cluster.IN_PARALLEL if is_clustered else {}
        self._changed: Mapping[str, Any] = cluster.CHANGES if is_clustered else {}
        self.database = database
        self._version = servers.current().client.server_version or ""

    @property
    def where(self) -> str:
        """The address that is asked next."""
        return self._servers.where

    @property
    def version(self) -> str:
        """The server's version as it was when we connected, ``26.9.2.1``."""
        return self._version

    @classmethod
    def connect(cls, settings: Settings, place: Place | None = None) -> Self:
        """Open a client for ``settings.clickhouse`` and ask the server who it is.

        The database need not exist yet. ``place``: some servers and another database of a cluster;
        otherwise all of them, in their order, for each has the tables of all shards.
        """
        # The driver also logs what it raises.
        logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
        url = settings.clickhouse
        addresses, database, verify = place or Place(url.addresses, url.database)
        by_text = {url.at(address): address for address in addresses}

        def opened(where: str) -> HttpClient:
            client = _opened(settings, where, by_text[where], database)
            if verify is not None:
                with _translated(where):
                    verify(client, where)
            return client

        servers = Servers(tuple(by_text), opened, _close)
        compression = _compression(addresses)
        is_clustered = bool(settings.clickhouse_cluster)
        return servers.ask(
            lambda _: cls(servers, database, compression, is_clustered=is_clustered),
            may_ask_again=True,
        )

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

    def prepare(
        self, table: str, columns: Columns, data: Data, constant: Constant | None = None
    ) -> Prepared | None:
        """Encode all rows as one block, without asking anybody; None where there are no rows.

        Raises `ValueRefused` (of code 0) for a value that a column's type does not hold.
        """
        rows = len(data[0]) if data else 0
        if not _is_for_one_block(table, rows):
            return None
        with _translated(self.where):
            body = encode(table, columns, data, self._compression, constant)
        return Prepared(table, _names(columns, constant), body)

    def prepare_block(
        self, table: str, block: Block, constant: Constant | None = None
    ) -> Prepared | None:
        """Do so with rows that are encoded, and only to be compressed."""
        if not _is_for_one_block(table, block.rows):
            return None
        body = block.body
        if constant is not None:
            body = with_constant(body, block.rows, constant)
        return Prepared(table, _names(block.columns, constant), compressed(body, self._compression))

    def send(self, prepared: Prepared, *, token: str | None = None) -> None:
        """Insert a block; under a token, at most once, in every target of the table's views."""
        of_cluster = self._inserted if token is None else {**self._inserted, **self._under_token}
        of_block = KEYS_DIFFER if prepared.keys_differ else {}
        settings = {**insert_settings(token), **of_cluster, **of_block}
        for _ in range(TURNS):
            try:
                return self._sent(prepared, settings, may_ask_again=token is not None)
            except StoreUnavailable as error:
                if error.code != ANOTHERS_TURN:
                    raise
            time.sleep(random.uniform(*TURN_SECONDS))  # noqa: S311  # nothing secret
        return self._sent(prepared, settings, may_ask_again=token is not None)

    def _sent(
        self, prepared: Prepared, settings: Mapping[str, Any], *, may_ask_again: bool
    ) -> None:
        self._ask(
            lambda client: client.raw_insert(
                f"`{prepared.table}`",
                column_names=prepared.columns,
                # The driver sends bytes again by itself when the connection breaks, never a
                # memoryview: who calls decides, and knows whether there is a token.
                insert_block=cast("bytes", memoryview(prepared.body)),
                settings=dict(settings),
                fmt="Native",
                compression=self._compression,
            ),
            may_ask_again=may_ask_again,
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
            **self._asked,
            **(settings or {}),
            **({"select_sequential_consistency": 1} if consistent else {}),
        }

        def rows(client: HttpClient) -> list[tuple[Any, ...]]:
            result = client.query(sql, parameters=_bound(parameters), settings=options)
            return [tuple(row) for row in result.result_rows]

        return self._ask(rows, may_ask_again=True)

    def command(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        in_database: bool = True,
    ) -> None:
        """Run a statement without a result; ``in_database=False`` before the database exists."""
        self._ask(
            lambda client: client.command(
                sql,
                parameters=_bound(parameters),
                settings={**self._changed, **(settings or {})},
                use_database=in_database,
            ),
            may_ask_again=False,
        )

    def _ask(self, call: Callable[[HttpClient], T], *, may_ask_again: bool) -> T:
        def asked(server: Server[HttpClient]) -> T:
            try:
                with _translated(server.where):
                    return call(server.client)
            except StoreUnavailable:
                # Idle connections may be as dead as the one that failed, and each would tell only
                # by its silence; those in use are not touched.
                server.client.close_connections()
                raise

        return self._servers.ask(asked, may_ask_again=may_ask_again)

    def close(self) -> None:
        """Close the connections."""
        self._servers.close()


def _close(client: HttpClient) -> None:
    client.close_connections()
    client.close()


def _opened(settings: Settings, where: str, address: Address, database: str) -> HttpClient:
    url = settings.clickhouse
    with _translated(where):
        client = clickhouse_connect.get_client(
            interface=url.scheme,
            host=address.host,
            port=address.port,
            username=url.user or "default",
            password=url.password.reveal(),
            # Sent along before the database exists, its name would be refused: set below.
            database="__default__",
            compress=_compression([address]) or False,
            connect_timeout=CONNECT_SECONDS,
            send_receive_timeout=READ_SECONDS,
            client_name="usage-pipeline",
            autogenerate_session_id=False,
            tz_mode="aware",
            pool_mgr=_pool(settings),
        )
    client = cast("HttpClient", client)
    client.http_retries = 0
    client.database = database
    return client


def _compression(addresses: Sequence[Address]) -> str | None:
    return None if all(is_loopback(address.host) for address in addresses) else "lz4"


def _names(columns: Columns, constant: Constant | None) -> list[str]:
    names = [name for name, _ in columns]
    return names if constant is None else [*names, constant.name]


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
