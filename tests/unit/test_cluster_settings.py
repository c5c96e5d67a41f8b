"""Without a cluster nothing is sent along or asked; with one, what exactness needs of it is."""

from __future__ import annotations

from typing import Any, cast

import pytest

from pipeline.clickhouse import cluster
from pipeline.clickhouse.client import DEDUPLICATED, INSERT, NOT_DEDUPLICATED, Prepared, Store
from pipeline.clickhouse.schema import views
from pipeline.clickhouse.schema.files import FOR_GOOD
from pipeline.clickhouse.servers import Servers
from pipeline.clickhouse.shards import Shards
from pipeline.settings import load

BLOCK = Prepared("chunks", ["a"], b"")


class Client:
    """Keeps the settings of what is sent."""

    server_version = "26.9"

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def raw_insert(self, *_: Any, settings: dict[str, Any], **__: Any) -> None:
        self.sent.append(settings)

    def command(self, *_: Any, settings: dict[str, Any], **__: Any) -> None:
        self.sent.append(settings)

    def query(self, *_: Any, settings: dict[str, Any], **__: Any) -> Any:
        self.sent.append(settings)
        return self

    result_rows = ()


def sent(*, is_clustered: bool) -> list[dict[str, Any]]:
    """The settings of a block with a token and without, a statement, and two questions."""
    client = Client()
    servers = Servers(["here"], lambda _: cast("Any", client))
    store = Store(servers, "usage", None, is_clustered=is_clustered)
    store.send(BLOCK, token="t")
    store.send(BLOCK)
    store.command("ALTER")
    store.query("SELECT 1")
    store.query("SELECT 1", consistent=True)
    return client.sent


def test_one_server_is_sent_what_it_was_always_sent() -> None:
    token, plain, command, query, consistent = sent(is_clustered=False)
    assert token == INSERT | DEDUPLICATED | {"insert_deduplication_token": "t"}
    assert plain == INSERT | NOT_DEDUPLICATED
    assert (command, query, consistent) == ({}, {}, {"select_sequential_consistency": 1})


def test_one_server_is_one_shard_and_is_asked_nothing_for_it() -> None:
    front = cast("Store", object())
    shards = Shards.connect(load({}), front)
    assert shards.stores == (front,)
    assert {shards.of(partition) for partition in range(9)} == {front}


def test_a_cluster_acknowledges_what_a_majority_has() -> None:
    token, plain, command, query, consistent = sent(is_clustered=True)
    for settings in (token, plain, command):
        assert settings["insert_quorum"] == "auto"
        assert settings["insert_quorum_timeout"] < 60_000
    # What is read consistently is inserted one at a time, or the reading would not be.
    assert (token["insert_quorum_parallel"], plain["insert_quorum_parallel"]) == (1, 0)
    assert query == dict(cluster.QUERIES)
    assert consistent == query | {"select_sequential_consistency": 1}


@pytest.mark.parametrize("name", cluster.QUERIES)
def test_only_a_clusters_views_are_set_to_it(name: str) -> None:
    for view in views.shipped():
        assert f"{name} = " not in view.statement("", FOR_GOOD)
        assert view.statement("main", FOR_GOOD).count(f"{name} = ") == 1
