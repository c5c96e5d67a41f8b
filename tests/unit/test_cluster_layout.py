"""What is wrong between the servers of a cluster and USAGE_CLICKHOUSE, each a sentence."""

from __future__ import annotations

import pytest

from pipeline.clickhouse.schema import layout
from pipeline.clickhouse.schema.layout import Layout, Server, problems
from pipeline.clickhouse.shards import Shards
from pipeline.errors import MigrationError
from pipeline.protocol.chunks import Source
from pipeline.settings import load


def server(name: str, shard: str, own: int = 0, shards: int = 2, cluster: str = "main") -> Server:
    return Server(f"http://{name}:8123", shard, name, {cluster: (shards, own)} if cluster else {})


HAVING = frozenset(["usage.migrations", "usage_local.chunks"])


GOOD: Layout = [[server("a1", "1"), server("a2", "1")], [server("b1", "2"), server("b2", "2")]]


def test_a_cluster_as_the_settings_have_it_is_right() -> None:
    assert list(problems("main", GOOD)) == []


@pytest.mark.parametrize(
    ("servers", "said"),
    [
        ([[server("a1", "1", cluster="other")], GOOD[1]], "knows no cluster 'main'"),
        ([[server("a1", "1", cluster="")], GOOD[1]], "it knows none: add it to `remote_servers`"),
        (GOOD[:1], "has 2 shards at http://a1:8123, but USAGE_CLICKHOUSE names 1"),
        ([[server("a1", "")], GOOD[1]], "http://a1:8123 has no macros `shard` and `replica`"),
        ([[server("a1", "1"), server("b1", "2")], GOOD[1]], "names both as replicas of shard 1"),
        ([[server("a1", "1")], [server("a2", "1")]], "names them as different shards"),
        ([[GOOD[0][0], GOOD[0][0]], GOOD[1]], "are both the replica 'a1' of '1'"),
        ([[*GOOD[0], GOOD[0][1]], GOOD[1]], "are both the replica 'a2' of '1'"),
        (
            [[server("a1", "1", 1), server("a2", "1", 2)], [server("b1", "2", 1)]],
            "http://a1:8123 and http://b1:8123 both in its shard 1, but their macros",
        ),
        (
            [[server("a1", "1", 1), server("a2", "1", 2)], [server("b1", "2")]],
            "'1' by its macros, which is more than one shard of the cluster main",
        ),
        (
            [[server("a1", "1")._replace(tables=HAVING), server("a2", "1")], GOOD[1]],
            "http://a2:8123 lacks 2 tables that other servers have",
        ),
    ],
)
def test_what_contradicts_is_said(servers: Layout, said: str) -> None:
    assert any(said in sentence for sentence in problems("main", servers))


def test_a_server_that_lacks_some_tables_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it migrates nobody minds: a migration that did not come to its end is run again."""
    some = [[server("a1", "1")._replace(tables=HAVING)]]
    lacking = server("b1", "2")._replace(tables=HAVING - {"usage_local.chunks"})
    settings = load({"USAGE_CLICKHOUSE_CLUSTER": "main"})
    monkeypatch.setattr(layout, "found", lambda _: some)
    layout.require_same_tables(settings)
    some.append([lacking])
    assert not list(problems("main", some))
    said = r"http://b1:8123 lacks 1 tables that other servers have \(the first: usage_local.chunks"
    with pytest.raises(MigrationError, match=said):
        layout.require_same_tables(settings)


def test_a_partition_is_at_the_shard_that_its_number_says() -> None:
    shards: Shards = Shards(["one", "two", "three"])  # type: ignore[list-item]  # no store is asked
    sources = [Source("usage.requests", p) for p in range(7)]
    parts = [(str(store), [s.partition for s in some]) for store, some in shards.parted(
        sources, lambda source: source.partition
    )]  # fmt: skip
    assert parts == [("one", [0, 3, 6]), ("two", [1, 4]), ("three", [2, 5])]
    assert [str(shards.of(p)) for p in range(4)] == ["one", "two", "three", "one"]
