"""Several addresses of one shard, at real endpoints that break: nothing is lost or misplaced.

Two proxies before one store stand for two replicas: they share rows and tokens, as replicas do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pipeline.clickhouse import client
from pipeline.clickhouse.client import Store
from pipeline.clickhouse.reading import Reader
from pipeline.clickhouse.shards import TABLE, Shards
from pipeline.errors import StoreRefused, StoreUnavailable
from pipeline.settings import Settings, load
from tests.support.harness.clickhouse_parts import Chain, new_database, rows
from tests.support.harness.process import free_port
from tests.support.harness.proxy import Mode, Proxy
from tests.support.harness.store import EmbeddedStore, url_at

BROKEN = [Mode.REFUSE, Mode.HANG, Mode.LOSE_ANSWERS]


class Replicas:
    """Two ways to one shard, its tables in a database of its own."""

    def __init__(self, store: EmbeddedStore, stack: ExitStack) -> None:
        self.first, self.second = (stack.enter_context(Proxy(store.port)) for _ in range(2))
        self.front = new_database(store.port)
        self.front.command(f"CREATE DATABASE {self.front.database}_local", in_database=False)
        self.settings = self.at(f"{self.url},http://127.0.0.1:{self.second.port}")

    @property
    def url(self) -> str:
        return url_at(self.first.port, self.front.database)

    def at(self, url: str) -> Settings:
        return load({"USAGE_CLICKHOUSE": url, "USAGE_CLICKHOUSE_CLUSTER": "main"})

    def name(self, number: int, shards: int) -> None:
        """Write down which shard this is."""
        table = f"{self.front.database}_local.{TABLE}"
        columns = "number UInt32, shards UInt32"
        made = f"CREATE OR REPLACE TABLE {table} ({columns}) ENGINE = MergeTree ORDER BY ()"
        self.front.command(made)
        self.front.command(f"INSERT INTO {table} VALUES ({number}, {shards})")

    def shard(self) -> Store:
        """Open the one shard there is."""
        [shard] = Shards.connect(self.settings, self.front).stores
        return shard


@pytest.fixture
def replicas(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replicas]:
    """Provide two addresses of one shard, and a client that waits some seconds."""
    monkeypatch.setattr(client, "READ_SECONDS", 8)
    with ExitStack() as stack:
        found = Replicas(store, stack)
        found.name(1, 1)
        yield found


@pytest.mark.parametrize("mode", BROKEN)
def test_a_block_of_unknown_fate_meets_its_token_at_the_other_replica(
    replicas: Replicas, mode: Mode
) -> None:
    chain = Chain(replicas.shard())
    with replicas.first.during(mode):
        chain.insert(rows(1_000), "t")
    assert chain.sums() == (1_000, 1_000)
    chain.insert(rows(1_000), "t")
    assert chain.sums() == (1_000, 1_000)


def test_without_a_token_the_caller_decides_whether_it_is_sent_again(replicas: Replicas) -> None:
    shard = replicas.shard()
    shard.command("CREATE TABLE plain (x UInt8) ENGINE = MergeTree ORDER BY x")
    with replicas.first.during(Mode.LOSE_ANSWERS), pytest.raises(StoreUnavailable):
        shard.insert("plain", [("x", "UInt8")], [[1]])
    assert shard.query("SELECT count() FROM plain") == [(1,)]
    assert shard.where.endswith(str(replicas.second.port))


@pytest.mark.parametrize("mode", BROKEN)
def test_questions_go_on_at_the_other(replicas: Replicas, mode: Mode) -> None:
    shard = replicas.shard()
    with replicas.first.during(mode):
        assert shard.query("SELECT 1") == [(1,)]
        assert Store.connect(replicas.settings).query("SELECT 2") == [(2,)]


def test_questions_of_the_api_go_on_at_the_other(replicas: Replicas) -> None:
    async def ask() -> list[dict[str, int]]:
        async with Reader.connected(replicas.settings) as reader:
            return await reader.rows("SELECT 1 AS one")

    with replicas.first.during(Mode.REFUSE):
        assert asyncio.run(ask()) == [{"one": 1}]


def test_nothing_is_sent_to_a_server_of_another_shard(replicas: Replicas) -> None:
    chain = Chain(replicas.shard())
    replicas.name(2, 2)  # what the other address turns out to be
    with replicas.first.during(Mode.REFUSE), pytest.raises(StoreRefused) as refused:
        chain.insert(rows(10), "t")
    assert "is shard 2 of 2, but USAGE_CLICKHOUSE names it as shard 1 of 1" in str(refused.value)
    replicas.name(1, 1)
    assert chain.sums() == (0, 0)


def test_a_server_that_does_not_know_its_shard_is_passed_over(replicas: Replicas) -> None:
    replicas.front.command(f"DROP TABLE {replicas.front.database}_local.{TABLE} SYNC")
    with pytest.raises(StoreUnavailable, match="does not know yet which shard it is"):
        replicas.shard()


def test_none_that_answers_is_said(replicas: Replicas) -> None:
    replicas.settings = replicas.at(f"{replicas.url},http://127.0.0.1:{free_port()}")
    with replicas.first.during(Mode.REFUSE), pytest.raises(StoreUnavailable, match="not answer"):
        replicas.shard()
