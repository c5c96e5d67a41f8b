"""The tables for a cluster, on the real engine with a real ZooKeeper.

The engine in a process makes replicated tables, and does not start their replicas: they can be read
and are empty, and neither ALTER nor INSERT is taken. So what is made here is what a migrated store
of one server has come to, as a cluster would have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import files, resources, views
from tests.support.harness.clickhouse_parts import migrated_database
from tests.support.harness.engine_as import Somebody, engine_as
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.zookeeper_server import zookeeper

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

CONFIG = """
<zookeeper><node><host>127.0.0.1</host><port>{port}</port></node></zookeeper>
<macros><shard>1</shard><replica>{replica}</replica></macros>
<default_replica_path>/clickhouse/tables/{{database}}/{{table}}/{{shard}}</default_replica_path>
<default_replica_name>{{replica}}</default_replica_name>
"""
WITHOUT_TOKENS = {"migrations"}
ONE_SERVER, CLUSTER = files.fill_in("{window}", ""), files.fill_in("{window}", "main")
CREATED = re.compile(
    r"CREATE TABLE IF NOT EXISTS (\w+) ON CLUSTER 'main'.*ENGINE = (\w+)", re.DOTALL
)


@pytest.fixture(scope="module")
def migrated(store: EmbeddedStore) -> Iterator[Store]:
    with migrated_database(store.port) as connected:
        yield connected


def as_a_cluster_has_it(statement: str) -> str:
    """A table's statement with the engine and the window of a cluster."""
    statement = re.sub(r"ENGINE = (\w*MergeTree)", r"ENGINE = Replicated\1", statement)
    return statement.replace(ONE_SERVER, CLUSTER)


def statements(store: Store) -> Iterator[str]:
    """Yield how tables are made, then views that read them, then views that read views."""
    yield from (
        as_a_cluster_has_it(statement).replace(f"{store.database}.", "usage.")
        for (statement,) in store.query(
            "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() "
            "AND engine != 'View' ORDER BY engine = 'MaterializedView', name"
        )
    )
    yield from (view.statement("", 35, 200) for view in views.shipped())


def test_two_replicas_of_every_table_are_made(migrated: Store, tmp_path: Path) -> None:
    wanted = dict(
        migrated.query(
            "SELECT name, engine FROM system.tables WHERE database = currentDatabase() "
            "AND endsWith(engine, 'MergeTree')"
        )
    )
    with zookeeper(tmp_path) as port:
        for replica in ("a", "b"):
            config = CONFIG.format(port=port, replica=replica)
            with engine_as(tmp_path / replica, tmp_path / f"of-{replica}", config=config) as engine:
                make(engine, statements(migrated))
                check(engine, wanted, replica)


def make(engine: Somebody, all_statements: Iterator[str]) -> None:
    for statement in ("CREATE DATABASE usage", "USE usage", *all_statements):
        assert engine.ask(statement) == [], statement


def check(engine: Somebody, wanted: dict[str, str], replica: str) -> None:
    """Each table has a path of its own, and the views answer from replicated tables."""
    found = engine.rows("SELECT table, zookeeper_path, replica_name FROM system.replicas")
    assert sorted(found) == sorted(
        [table, f"/clickhouse/tables/usage/{table}/1", replica] for table in wanted
    )
    engines = engine.rows("SELECT name, engine, engine_full FROM system.tables "
                          "WHERE database = 'usage' AND endsWith(engine, 'MergeTree')")  # fmt: skip
    assert {name: kind for name, kind, _ in engines} == {
        name: f"Replicated{kind}" for name, kind in wanted.items()
    }
    assert all(CLUSTER in full for name, _, full in engines if name not in WITHOUT_TOKENS)
    month = "since = '2026-05-01 00:00:00', until = '2026-06-01 00:00:00', tenant = ''"
    assert engine.rows(f"SELECT interactions FROM telemetry_summary({month})") == [[0]]


def test_migrations_are_rendered_with_these_engines(migrated: Store) -> None:
    engines = dict(
        migrated.query(
            "SELECT name, engine FROM system.tables WHERE database = currentDatabase() "
            "AND engine NOT IN ('View', 'MaterializedView')"
        )
    )
    for migration in files.read(resources.migrations()):
        for statement in migration.statements("main"):
            if made := CREATED.match(statement):
                kind = engines[made[1]]
                replicated = f"Replicated{kind}" if kind.endswith("MergeTree") else kind
                assert made[2] == replicated
