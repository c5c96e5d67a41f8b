"""Two shards: each partition's rows at its own, exact whoever dies, and wherever it was.

Two embedded stores stand for them. Replicas are what they cannot show (docs/scaling.md).
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import pairwise

import pytest

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.cluster import local_database
from pipeline.clickhouse.schema import files, lock, old_latency, quiet, views
from pipeline.clickhouse.schema.migrate import check, migrate
from pipeline.clickhouse.shards import TABLE, Shards
from pipeline.errors import Halted, MigrationError, StoreRefused
from pipeline.operate.audit.sums import kept
from pipeline.operate.backups import restoring
from pipeline.operate.backups.place import Place
from pipeline.operate.backups.restoring import make_room, restore
from pipeline.operate.backups.taking import back_up
from pipeline.operate.backups.whole import Whole, whole
from pipeline.settings import Settings, load
from tests.support.harness import hooks
from tests.support.harness.clickhouse_parts import settings_for
from tests.support.harness.clustered import EVERYWHERE, clustered
from tests.support.harness.kafka_broker import KafkaBroker
from tests.support.harness.sharded import ShardedScene
from tests.support.harness.store import EmbeddedStore, url_at
from tests.support.harness.waiting import until

EVENTS = 400
DEATHS = (
    ("after:intend", 1),
    ("after:record_intent", 1),
    # A group's facts are in its shard when another group's are in none.
    ("after:insert:facts", 2),
    ("before:ledger", 1),
)
"""Where a worker dies, the how many-th time; each meets what the one before has left."""

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def set_up(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShardedScene]:
    """Provide a scene with two stores of its own, and topics of four partitions."""
    folder = tmp_path_factory.mktemp("shards")
    with ExitStack() as stack:
        stores = [EmbeddedStore(folder, f"shard-{number}") for number in (1, 2)]
        for store in stores:
            store.start()
            stack.callback(store.kill9)
        scene = ShardedScene(kafka, stores, folder)
        scene.set_up(partitions=4)
        yield scene


@pytest.fixture
def sharded(set_up: ShardedScene) -> Iterator[ShardedScene]:
    """Provide it without workers; what earlier tests have sent stays."""
    yield set_up
    set_up.end()


def test_the_migrator_made_everything_on_all_servers(sharded: ShardedScene) -> None:
    own, front = local_database(sharded.database), sharded.database
    of_one = [one for one in sharded.said if EVERYWHERE not in one.statement]
    assert {one.database for one in of_one} == {own}
    # The lock is at the first server; rows of before a table was made would be at each shard.
    rest = [text for _, text in of_one if lock.PREFIX not in text]
    copies = [text for text in rest if not text.startswith("SYSTEM SYNC REPLICA")]
    assert copies[::2] == copies[1::2]
    assert all(text.startswith("INSERT") for text in copies), copies
    for before, text in pairwise(rest):  # a server may lack what the others have of a table
        if copied := re.search(r"^FROM (\w+)$", text, re.MULTILINE):
            assert before == f"SYSTEM SYNC REPLICA `{copied[1]}`"
    made = [(one.database, files.table_of(one.statement)) for one in sharded.said
            if one.statement.lstrip().startswith("CREATE TABLE")]  # fmt: skip
    assert {table for database, table in made if database == front} == files.EVERYWHERE
    assert {"chunks", "intents", "requests_in", TABLE} < {
        t for database, t in made if database == own
    }
    settings = sharded.loaded()
    with clustered(sharded.stores) as said, closing(Store.connect(settings)) as store:
        assert not any(migrate(store, settings))
        check(store)
        assert not old_latency.may_be_there(store)
    assert all(one.statement.startswith("CREATE DATABASE IF NOT") or lock.PREFIX in one.statement
               or f"IF NOT EXISTS {TABLE}" in one.statement
               or "IF NOT EXISTS migrations" in one.statement for one in said), said  # fmt: skip


def test_what_is_kept_is_set_and_found_where_the_rows_are(sharded: ShardedScene) -> None:
    settings = load(sharded.environment(USAGE_KEEP_MINUTE_ROWS="35"))
    with clustered(sharded.stores) as said, closing(Store.connect(settings)) as store:
        assert kept(store).minutes is None
        migrate(store, settings)
        assert kept(store).minutes is not None
        migrate(store, sharded.loaded())
        assert kept(store).minutes == views.minutes_from(store) > 0
        assert not any(migrate(store, sharded.loaded()))
    altered = [one for one in said if "TTL" in one.statement]
    assert {one.database for one in altered} == {local_database(sharded.database)}


def test_a_cluster_is_not_taken_for_one_server(sharded: ShardedScene) -> None:
    settings = settings_for(sharded.store.port, sharded.database)
    said = "is that of a cluster, but USAGE_CLICKHOUSE_CLUSTER says one server"
    with closing(Store.connect(settings)) as store, pytest.raises(MigrationError, match=said):
        migrate(store, settings)


@pytest.mark.parametrize("order", [(1, 0), (0,)])
def test_other_shards_are_refused_by_migrator_and_worker(
    sharded: ShardedScene, order: tuple[int, ...]
) -> None:
    stores = [sharded.stores[n] for n in order]
    url = ";".join([url_at(stores[0].port, sharded.database),
                    *(f"http://127.0.0.1:{one.port}" for one in stores[1:])])  # fmt: skip
    settings = load(sharded.environment(USAGE_CLICKHOUSE=url))
    with clustered(stores) as said, closing(Store.connect(settings)) as store:
        with pytest.raises(MigrationError, match="but USAGE_CLICKHOUSE names it as shard 1 of"):
            migrate(store, settings)
        with pytest.raises(StoreRefused, match="but USAGE_CLICKHOUSE names it as shard 1 of"):
            Shards.connect(settings, store)
    assert said == []


def test_exact_after_workers_that_die_between_and_within_the_shards(sharded: ShardedScene) -> None:
    sharded.send(EVENTS, bad=0.1)
    for number, (point, times) in enumerate(DEATHS):
        dying = sharded.worker(**hooks.environment(point, times))
        sharded.await_end(dying, -signal.SIGKILL)
        sharded.send(50, seed=number + 10)
    for _ in range(2):  # that share the partitions of each group
        sharded.worker()
    sharded.await_assigned(2)
    sharded.send(EVENTS, seed=2)
    sharded.check()
    assert sharded.misplaced() == []
    with sharded.shards() as shards:
        assert all(shard.query("SELECT 1 FROM chunks LIMIT 1") for shard in shards.stores)


def test_exact_when_one_shard_is_away_and_the_worker_dies_then(sharded: ShardedScene) -> None:
    """Its intents are in one shard and not in the other; the blocks of none are anywhere."""
    sharded.send(EVENTS, seed=20)
    worker = sharded.worker()
    sharded.settle()
    away = sharded.stores[1]
    with sharded.shards() as shards:
        [first, _] = shards.stores
        intents = "SELECT uniqExact(topic, partition, from_offset) FROM intents"
        before = first.query(intents)
        away.kill9()
        try:
            sharded.send(EVENTS, seed=21)
            until(
                lambda: first.query(intents) > before,
                within=60,
                what="intents in the shard that is there",
                explain=sharded.tails,
            )
            worker.kill9()
        finally:
            away.start()
    sharded.worker()
    sharded.send(EVENTS, seed=22)
    sharded.check()
    assert sharded.misplaced() == []


def test_a_backup_of_all_shards_and_the_log_behind_it_come_to_the_same(
    sharded: ShardedScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken while a worker counts; then the stores have nothing. The first restore is killed."""
    sharded.run(
        "key", "create", "--role", "viewer", "--scope", "a", "--name", "kept by all servers"
    )
    sharded.send(EVENTS, seed=30)
    worker = sharded.worker()
    sharded.await_assigned(1)
    place = Place("kept")
    with _whole(sharded) as (settings, of_all):
        taken = back_up(of_all, place, lambda _: False)
    assert not _held(sharded)
    sharded.send(EVENTS, seed=31)
    sharded.settle()
    sharded.stop(worker)
    with _whole(sharded) as (settings, of_all):
        _drop(of_all)
        make_room(of_all)
        with pytest.raises(Halted, match="is of 2 shards, USAGE_CLICKHOUSE names 1"):
            restore(settings, of_all._replace(shards=of_all.shards[:1]), place)
        with monkeypatch.context() as dying:
            dying.setattr(restoring, "_put_back_in_shards", _die)
            with pytest.raises(KeyboardInterrupt):
                restore(settings, of_all, place)
        with pytest.raises(MigrationError, match=r"drop it \(DROP DATABASE .* ON CLUSTER 'main'"):
            migrate(of_all.front, settings)
        with pytest.raises(MigrationError, match=r"lacks .* migrations"):
            check(of_all.front)
        _drop(of_all)
        make_room(of_all)
        assert restore(settings, of_all, place) == taken
        with pytest.raises(Halted, match="a backup is restored where there is nothing"):
            make_room(of_all)
        migrate(of_all.front, settings)
    assert "kept by all servers" in sharded.run("key", "list")
    assert "will be read again" in sharded.run("rewind", "--to-store")
    sharded.worker()
    sharded.check()
    assert sharded.misplaced() == []


@contextmanager
def _whole(scene: ShardedScene) -> Iterator[tuple[Settings, Whole]]:
    settings = scene.loaded()
    with (
        clustered(scene.stores),
        closing(Store.connect(settings)) as front,
        whole(settings, front) as of_all,
    ):
        yield settings, of_all


def _drop(of_all: Whole) -> None:
    for statement in of_all.dropping().split("; "):
        of_all.front.command(statement, in_database=False)


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def _held(scene: ShardedScene) -> list[str]:
    """The statements that would let chunks go on, where a shard holds them back."""
    with scene.shards() as shards:
        return [one for shard in shards.stores for one in quiet.let_go_statements([shard])]
