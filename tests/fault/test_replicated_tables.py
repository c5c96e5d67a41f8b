"""The schema of a cluster, on the real engine with a real ZooKeeper.

The engine in a process makes replicated tables, and does not start their replicas: they can be read
and are empty, and neither ALTER nor INSERT is taken. It knows a cluster of other servers, and takes
no statement for all of them. So what is made here is what a migrated store of one server has come
to, as each server of a cluster has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import distributed, files, resources, views
from pipeline.clickhouse.schema.files import EVERYWHERE
from pipeline.views import catalogue
from pipeline.views.call import call
from tests.support.harness.clickhouse_parts import migrated_database
from tests.support.harness.engine_as import Somebody, engine_as
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.zookeeper_server import zookeeper

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

CONFIG = """
<zookeeper><node><host>127.0.0.1</host><port>{port}</port></node></zookeeper>
<macros><shard>1</shard><replica>{replica}</replica></macros>
<remote_servers><main>
<shard><replica><host>127.0.0.1</host><port>1</port></replica></shard>
<shard><replica><host>127.0.0.1</host><port>2</port></replica></shard>
</main></remote_servers>
"""
"""Its cluster has two shards, of which none answers."""

OWN = "usage_local"
WITHOUT_TOKENS = {"migrations"}
ONE_SERVER, CLUSTER = files.fill_in("{window}", ""), files.fill_in("{window}", "main")
ENGINE = re.compile(r"ENGINE = (\w*MergeTree(?:\([^()]*\))?)")
CREATED = re.compile(
    r"CREATE TABLE IF NOT EXISTS (\w+) ON CLUSTER 'main'.*ENGINE = (\w+)", re.DOTALL
)
GLOBAL = "distributed_product_mode = 'global', prefer_global_in_and_join = 1, "


@pytest.fixture(scope="module")
def migrated(store: EmbeddedStore) -> Iterator[Store]:
    with migrated_database(store.port) as connected:
        yield connected


def on_each(statement: str) -> str:
    """A statement for all servers, as each carries it out."""
    assert " ON CLUSTER 'main'" in statement
    return statement.replace(" ON CLUSTER 'main'", "", 1)


def as_a_cluster_has_it(statement: str) -> str:
    """A table's statement with the engine and the window of a cluster."""
    return files.fill_in(
        ENGINE.sub(r"ENGINE = {engine:\1}", statement).replace(ONE_SERVER, "{window}"), "main"
    )


def statements(store: Store) -> Iterator[str]:
    """Yield how tables are made, then those of all shards, then the views."""
    yield from ("CREATE DATABASE usage", f"CREATE DATABASE {OWN}")
    made = store.query(
        "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase() "
        "AND engine != 'View' ORDER BY engine = 'MaterializedView', name"
    )
    for name, statement in made:
        yield "USE usage" if name in EVERYWHERE else f"USE {OWN}"
        yield as_a_cluster_has_it(statement.replace(f"{store.database}.", ""))
    yield "USE usage"
    for name in sharded(store):
        yield on_each(distributed.statement(name, "of all", OWN, "main"))
    yield from (
        on_each(view.statement("main", files.Lifetimes(35, 200))) for view in views.shipped()
    )


def kept(store: Store) -> dict[str, str]:
    """The tables that keep rows, and their engines."""
    return dict(
        store.query(
            "SELECT name, engine FROM system.tables WHERE database = currentDatabase() "
            "AND endsWith(engine, 'MergeTree')"
        )
    )


def sharded(store: Store) -> list[str]:
    """Those whose rows are of a partition."""
    return sorted(kept(store).keys() - EVERYWHERE)


def test_two_replicas_of_everything_are_made(migrated: Store, tmp_path: Path) -> None:
    with zookeeper(tmp_path) as port:
        for replica in ("a", "b"):
            config = CONFIG.format(port=port, replica=replica)
            with engine_as(tmp_path / replica, tmp_path / f"of-{replica}", config=config) as engine:
                make(engine, statements(migrated))
                check_replicas(engine, kept(migrated), replica)
                check_front(engine, sharded(migrated))


def make(engine: Somebody, all_statements: Iterator[str]) -> None:
    for statement in all_statements:
        assert engine.ask(statement) == [], statement


def check_replicas(engine: Somebody, wanted: dict[str, str], replica: str) -> None:
    """Each table has a path of its own; one of every server is one for all shards."""
    found = engine.rows("SELECT table, zookeeper_path, replica_name FROM system.replicas")
    assert sorted(found) == sorted(
        [table, f"/clickhouse/tables/everywhere/usage/{table}", f"1:{replica}"]
        if table in EVERYWHERE
        else [table, f"/clickhouse/tables/1/{OWN}/{table}", replica]
        for table in wanted
    )
    engines = engine.rows("SELECT name, engine, engine_full FROM system.tables WHERE database IN "
                          f"('usage', '{OWN}') AND endsWith(engine, 'MergeTree')")  # fmt: skip
    assert {name: kind for name, kind, _ in engines} == {
        name: f"Replicated{kind}" for name, kind in wanted.items()
    }
    assert all(CLUSTER in full for name, _, full in engines if name not in WITHOUT_TOKENS)


def check_front(engine: Somebody, wanted: list[str]) -> None:
    """What views can read is of all shards, or whole on every server; no view leaves it."""
    found = engine.rows("SELECT name, engine, engine_full, create_table_query FROM system.tables "
                        "WHERE database = 'usage'")  # fmt: skip
    own = {name: full for name, kind, full, _ in found if kind == "Distributed"}
    assert own == {name: f"Distributed('main', '{OWN}', '{name}')" for name in wanted}
    assert {n for n, kind, *_ in found if kind not in ("View", "Distributed")} == EVERYWHERE
    shown = {name: text for name, kind, _, text in found if kind == "View"}
    assert shown.keys() == {view.name for view in views.shipped()}
    assert not [name for name, text in shown.items() if OWN in text or GLOBAL not in text]
    columns = engine.rows("SELECT table, groupArray((name, type, default_kind)) FROM "
                          f"system.columns WHERE database IN ('usage', '{OWN}') "
                          "GROUP BY database, table ORDER BY table")  # fmt: skip
    of = [(table, have) for table, have in columns if table in wanted]
    assert of[::2] == of[1::2]


def test_every_view_is_planned_over_two_shards(migrated: Store, tmp_path: Path) -> None:
    """None of them answers: where that is passed over, a view's answer is planned, and empty.

    Without what a cluster's views are set to, what joins two tables of all shards is refused.
    """
    config = CONFIG.format(port=1, replica="a").replace("zookeeper", "nothing")
    shown = {
        view.name: on_each(view.statement("main", files.Lifetimes(35, 200))).replace(
            "skip_unavailable_shards = 0", "skip_unavailable_shards = 1"
        )
        for view in views.shipped()
    }
    with engine_as(tmp_path / "a", tmp_path / "of-a", config=config) as engine:
        make(engine, (one for one in map(without_replicas, statements(migrated)) if one))
        make(engine, iter(shown.values()))
        for name, view in catalogue.names(migrated).items():
            asked = call(name, {one.name: catalogue._sample(one) for one in view.parameters})
            answer = engine.ask(f"SELECT * FROM usage.{asked}")
            assert isinstance(answer, list), f"{name}: {answer}"
        name = "active_recipes_by_month"
        make(engine, iter([shown[name].replace(GLOBAL, "")]))
        refused = engine.ask("SELECT * FROM usage.active_recipes_by_month(as_of = '2026-05-01 "
                             "00:00:00', months = 1, tz = 'UTC', tenant = '')")  # fmt: skip
        assert "Double-distributed IN/JOIN subqueries is denied" in refused


def without_replicas(statement: str) -> str:
    """Such a statement for one server alone; nothing for what follows its tables."""
    if statement.startswith("CREATE MATERIALIZED VIEW"):
        return ""
    one = re.sub(r"ENGINE = Replicated(\w+)\('[^']*', '[^']*'(?:, )?", r"ENGINE = \1(", statement)
    return one.replace(CLUSTER, ONE_SERVER)


def test_migrations_are_rendered_with_these_engines(migrated: Store) -> None:
    engines = dict(
        migrated.query(
            "SELECT name, engine FROM system.tables WHERE database = currentDatabase() "
            "AND engine NOT IN ('View', 'MaterializedView')"
        )
    )
    for migration in files.read(resources.migrations()):
        for statement in migration.statements("main"):
            made = CREATED.match(statement)
            if made and made[1] in engines:  # others a later one has dropped
                kind = engines[made[1]]
                replicated = f"Replicated{kind}" if kind.endswith("MergeTree") else kind
                assert made[2] == replicated
