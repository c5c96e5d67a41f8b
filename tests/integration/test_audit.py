"""`usage audit` and `usage status` on a real broker, the embedded store and a real worker."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.clickhouse.client import Store
from pipeline.facts.readers import readers
from pipeline.operate.audit import run, sums, tiling
from pipeline.operate.audit.selection import ChunkSelection
from tests.support.harness import poison
from tests.support.harness.produce import EVENTS, RECIPE_ACTIONS, REQUESTS, Traffic
from tests.support.harness.scene import Scene


def audit(scene: Scene, selection: ChunkSelection | None = None) -> tuple[int, dict[str, Any]]:
    """Audit; return the exit status and what it says to programs."""
    with scene.connect() as store:
        report = run.audit(scene.loaded(), store, selection)
    return report.exit_code, report.as_json()


def findings(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [finding for check in report["checks"] for finding in check["findings"]]


def kinds(report: dict[str, Any]) -> set[str]:
    return {finding["kind"] for finding in findings(report)}


def counted(scene: Scene, records: int = 1500, *, is_set_up: bool = False) -> None:
    """Count some events, then stop the worker."""
    if not is_set_up:
        scene.set_up(partitions=2)
    worker = scene.worker()
    for seed in (1, 2):  # so that each partition has two chunks at least
        scene.send(records // 2, seed)
        scene.settle()
    assert worker.terminate() == 0, worker.tail()
    scene.workers.remove(worker)
    scene.kafka.await_empty(scene.group)


def chunk(store: Store, topic: str) -> tuple[int, int, int]:
    """Return partition and offsets of a first chunk with counted events."""
    [row] = store.query(
        "SELECT partition, from_offset, to_offset FROM chunks FINAL WHERE counted > 0 "
        "AND topic = {topic:String} ORDER BY from_offset LIMIT 1",
        {"topic": topic},
    )
    return row[0], row[1], row[2]


def test_silent_when_all_is_well_and_while_a_worker_writes(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.set_up(partitions=2)
    scene.worker()
    sender, traffic = scene.sender(), Traffic(3)
    sender.send_traffic(traffic, 1000)
    scene.await_received(500)
    running = scene.start("audit", "--json", "--within", "4", "--recount")
    while running.is_running:
        before = scene.received()
        sender.send_traffic(traffic, 50)
        scene.await_received(before + 1)
    assert running.exit_code == 0, running.tail(100)
    _land_between_the_reads(scene, traffic, monkeypatch)
    scene.settle()
    code, report = audit(scene, ChunkSelection())
    assert (code, report["state"], findings(report)) == (0, "ok", [])
    exact = {check["name"]: check["compared"] for check in report["checks"]}
    for table in ("partitions_1m", "requests_15m", "tasks_15m", "events_15m", "entities"):
        keys = exact[f"recount: {table}"]
        assert keys.endswith(", 0 as the least they must hold")
        assert not keys.startswith("0 keys")
    said = scene.run("audit")
    assert "all is well" in said

    status = json.loads(scene.run("status", "--json"))
    assert (status["state"], status["lag_records"], status["open_intents"]) == ("stable", 0, 0)
    sources = len(scene.sources) + 1  # definitions of metrics have one
    assert [len(worker["partitions"]) for worker in status["workers"]] == [sources]
    assert len(status["partitions"]) == sources
    assert all(line["counted_to"] == line["log_end"] for line in status["partitions"])
    assert 0 <= status["newest_arrival_age_seconds"] < 120
    kind = readers(scene.loaded().reader).kind
    assert [worker["reader"] for worker in status["workers"]] == [kind]
    assert f"stable, 1 worker (1 {kind}), lag 0 records" in scene.run("status")


def _land_between_the_reads(
    scene: Scene, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks that come after the ledger was read and before the tables, in the only look."""
    scene.settle()
    read = sums.read

    def read_late(store: Store, span: sums.Kept) -> sums.Sums:
        scene.sender().send_traffic(traffic, 60)
        scene.settle()
        return read(store, span)

    monkeypatch.setattr(sums, "read", read_late)
    with scene.connect() as store:
        report = run.audit(scene.loaded(), store, within_seconds=0)
    monkeypatch.undo()
    assert not report.findings
    notes = [note for check in report.checks for note in check.notes]
    assert any("workers were counting all the time" in note for note in notes)


def test_each_damage_is_named(scene: Scene) -> None:
    """Done by hand, one after another on one store, each undone before the next."""
    scene.set_up(partitions=2)
    _send_of_a_month_that_is_over(scene)
    counted(scene, is_set_up=True)
    topic = scene.topic(REQUESTS)
    with scene.connect() as store:
        _tables_damage(scene, store)
        _latency_damage(scene, store)
        _ledger_damage(scene, store, topic)
    _offset_damage(scene, topic)
    code, report = audit(scene)
    assert (code, findings(report)) == (0, [])
    _inserted_twice(scene)


def _send_of_a_month_that_is_over(scene: Scene) -> None:
    """Send a request that goes into the users' tables at once: others wait for their day."""
    event = {
        "specversion": "1.0", "id": "of-before", "source": "//test",
        "type": "usage.request.v1", "subject": "tenant-000",
        "time": (datetime.now(UTC) - timedelta(days=70)).isoformat(),
        "data": {
            "operation": "chat", "model": "m", "status_code": 200, "duration_ms": 1,
            "user_id": "u", "input_tokens": 1,
        },
    }  # fmt: skip
    sender = scene.sender()
    sender.send(REQUESTS, "tenant-000", json.dumps(event).encode())
    sender.flush()


def _tables_damage(scene: Scene, store: Store) -> None:
    rebuilt = "MODIFY SETTING lightweight_mutation_projection_mode = 'rebuild'"
    store.command(f"ALTER TABLE entities {rebuilt}")  # it has a projection
    for table, kind in (
        ("requests_15m", "rollup"),
        ("tasks_15m", "rollup"),
        ("events_15m", "rollup"),
        ("entities", "rollup"),
        ("requests_1m", "tables"),
        ("events_1m", "tables"),
        ("totals_15m", "tables"),
        ("users_1d", "tables"),
        ("users_1mo", "tables"),
        ("product_events", "tables"),
        ("partitions_1m", "outcomes"),
    ):
        [(tenant,)] = store.query(f"SELECT tenant FROM {table} WHERE tenant != '' LIMIT 1")
        gone = {"tenant": tenant}
        store.command(f"CREATE TABLE kept AS {table} ENGINE = Memory")
        store.command(f"INSERT INTO kept SELECT * FROM {table}")
        store.command(
            f"DELETE FROM {table} WHERE tenant = {{tenant:String}}",
            gone,
            settings={"lightweight_deletes_sync": 2},
        )
        code, report = audit(scene)
        assert code == 1
        assert kind in kinds(report), (table, report)
        assert any(f["where"] == table or kind == "outcomes" for f in findings(report))
        assert any(f.get("difference", 0) < 0 or f.get("right") == table for f in findings(report))
        store.command(
            f"INSERT INTO {table} SELECT * FROM kept WHERE tenant = {{tenant:String}}",
            gone,
            settings={"insert_deduplicate": 0},
        )
        store.command("DROP TABLE kept")


def _latency_damage(scene: Scene, store: Store) -> None:
    """Some requests are as they were, but for how long they took."""
    for table in ("requests_1m", "requests_15m"):
        store.command(f"CREATE TABLE kept AS {table} ENGINE = Memory")
        store.command(f"INSERT INTO kept SELECT * FROM {table}")
        store.command(
            f"ALTER TABLE {table} UPDATE latency = [] WHERE 1", settings={"mutations_sync": 2}
        )
        code, report = audit(scene)
        wrong = [f for f in findings(report) if f["where"] == f"{table}.latency"]
        assert code == 1
        assert wrong
        assert all(f["difference"] < 0 for f in wrong)
        assert len(wrong) == len(findings(report))
        store.command(f"TRUNCATE TABLE {table}")
        off = {"insert_deduplicate": 0, "deduplicate_insert": "disable"}
        store.command(f"INSERT INTO {table} SELECT * FROM kept", settings=off)
        store.command("DROP TABLE kept")


def _ledger_damage(scene: Scene, store: Store, topic: str) -> None:
    partition, a, b = chunk(store, topic)
    key = f"topic = '{topic}' AND partition = {partition} AND from_offset = {a} AND to_offset = {b}"
    store.command("CREATE TABLE kept AS chunks ENGINE = Memory")
    store.command(f"INSERT INTO kept SELECT * FROM chunks WHERE {key}")

    # An extra row inside another.
    extra = "SELECT * REPLACE (from_offset + 1 AS from_offset, from_offset + 2 AS to_offset)"
    store.command(f"INSERT INTO chunks {extra} FROM kept")
    code, report = audit(scene)
    [overlap] = [f for f in findings(report) if f["kind"] == "overlap"]
    assert code == 1
    assert (overlap["partition"], overlap["from_offset"]) == (partition, a + 1)
    assert "outcomes" in kinds(report)
    _delete(store, f"topic = '{topic}' AND partition = {partition} AND from_offset = {a + 1}")

    # Counted wrongly: only a recount can tell which chunk.
    wrong_row = (
        "SELECT * REPLACE (received + 1 AS received, counted + 1 AS counted, "
        "now64(3) AS recorded_at)"
    )
    store.command(f"INSERT INTO chunks {wrong_row} FROM kept")
    code, report = audit(scene, ChunkSelection(REQUESTS, partition))
    [wrong] = [f for f in findings(report) if f["kind"] == "chunk"]
    assert code == 1
    assert (wrong["from_offset"], wrong["to_offset"]) == (a, b)
    assert wrong["stored"]["counted"] == wrong["recounted"]["counted"] + 1
    _delete(store, key)

    # A row removed.
    code, report = audit(scene)
    assert code == 1
    [gap] = [f for f in findings(report) if f["kind"] == "gap"]
    assert (gap["partition"], gap["from_offset"], gap["to_offset"]) == (partition, a, b)
    [rollup] = [f for f in findings(report) if f["kind"] == "rollup"]
    assert (rollup["where"], rollup["exact"]) == ("requests_15m", True)
    assert rollup["difference"] > 0
    store.command("INSERT INTO chunks SELECT * FROM kept")
    store.command("DROP TABLE kept")


def test_no_number_of_lost_ranges_hides_a_gap_or_an_overlap(scene: Scene) -> None:
    """What is lost comes first by topic, and there is as much of it as is listed."""
    scene.set_up(partitions=1)
    rows = "INSERT INTO chunks (topic, partition, incarnation, from_offset, to_offset, kind, lost) "
    with scene.connect() as store:
        store.command(
            f"{rows} SELECT '{scene.topic(EVENTS)}', 0, 'gone', number, number + 1, 'lost', 1 "
            f"FROM numbers({tiling.SHOWN})"
        )
        store.command(
            f"{rows} SELECT '{scene.topic(REQUESTS)}', 0, 'gone', begin, begin + 10, 'chunk', 0 "
            "FROM (SELECT arrayJoin([0, 15, 20]) AS begin)"
        )
    code, report = audit(scene)
    assert code == 1
    ledger = report["checks"][0]
    assert ledger["state"] == "damaged"
    of_ledger = [(f["kind"], f["from_offset"], f["to_offset"]) for f in ledger["findings"]]
    assert of_ledger[:2] == [("gap", 10, 15), ("overlap", 20, 25)]
    assert {kind for kind, *_ in of_ledger[2:]} == {"lost"}
    [note] = ledger["notes"]
    assert "the first 1,000 are listed" in note


def _delete(store: Store, where: str, table: str = "chunks") -> None:
    store.command(f"DELETE FROM {table} WHERE {where}", settings={"lightweight_deletes_sync": 2})


def _offset_damage(scene: Scene, topic: str) -> None:
    [(source, end)] = [
        (source, offset) for source, offset in scene.committed().items() if source == (topic, 0)
    ]
    assert end is not None
    for moved, kind in ((end + 7, "ahead"), (end - 7, "behind")):
        scene.kafka.commit(scene.group, {source: moved})
        code, report = audit(scene)
        [found] = findings(report)
        assert (code, found["kind"], found["partition"]) == (1, kind, 0)
        assert found["where"] == f"{topic}[0]"
    scene.kafka.commit(scene.group, {source: end})


def _inserted_twice(scene: Scene) -> None:
    """Rows again through the head, under no token: every rollup has them, the ledger not."""
    with scene.connect() as store:
        store.command(
            "INSERT INTO actions_in SELECT minute, tenant, recipe_id, app, rule_set, 1, 0 "
            "FROM tasks_1m ORDER BY tenant LIMIT 5"
        )
    code, report = audit(scene, ChunkSelection(RECIPE_ACTIONS))
    assert code == 1
    [rollup] = [f for f in findings(report) if f["kind"] == "rollup"]
    assert (rollup["where"], rollup["difference"], rollup["exact"]) == ("tasks_15m", 5, True)
    assert {f["right"] for f in findings(report) if f["kind"] == "tables"} == {"partitions_1m"}
    assert {f["where"] for f in findings(report) if f["kind"] == "recount"} == {"tasks_15m"}


def test_a_conflict_undone_by_hand_is_found_by_a_recount(scene: Scene) -> None:
    """A duplicate stays one in every sum; only the log knows that its data was another."""
    scene.set_up(partitions=1)
    poison.send_conflict(scene)
    scene.worker()
    scene.settle()
    with scene.connect() as store:
        key = "reason = 'conflict' AND tenant = 'tenant-e'"
        store.command("CREATE TABLE kept AS partitions_1m ENGINE = Memory")
        store.command(f"INSERT INTO kept SELECT * FROM partitions_1m WHERE {key}")
        store.command("INSERT INTO partitions_1m SELECT * REPLACE ('' AS reason) FROM kept")
        _delete(store, key, "partitions_1m")
    code, report = audit(scene)
    assert (code, findings(report)) == (0, [])
    code, report = audit(scene, ChunkSelection())
    assert code == 1
    wrong = {tuple(found["key"][3:]): found for found in findings(report)}
    conflict = wrong["tenant-e", "usage.request.v1", "duplicate", "conflict"]
    assert (conflict["stored"], conflict["recounted"]) == ([0], [1])


def test_what_has_expired_is_no_damage(scene: Scene) -> None:
    """Minute rows by their TTL; records by retention before they were counted, which is said."""
    scene.settings["USAGE_KEEP_MINUTE_ROWS"] = "2"
    counted(scene, 900)
    with scene.connect() as store:
        for table in ("requests_1m", "tasks_1m"):
            store.command(f"OPTIMIZE TABLE {table} FINAL")
        [(minutes, quarters)] = store.query(
            "SELECT (SELECT sum(requests) FROM requests_1m), "
            "(SELECT sum(requests) FROM requests_15m)"
        )
    assert minutes < quarters
    code, report = audit(scene)
    assert (code, findings(report)) == (0, [])
    scene.settings["USAGE_KEEP_MINUTE_ROWS"] = "0"
    scene.migrate()
    code, report = audit(scene)
    assert (code, findings(report)) == (0, [])

    scene.send(300)
    topic = scene.topic(REQUESTS)
    end = scene.committed()[topic, 0]
    _, last = scene.kafka.bounds(topic)[0]
    scene.kafka.delete_records(topic, 0, last - 5)
    code, report = audit(scene)
    assert (code, kinds(report)) == (3, {"expired"})
    scene.worker()
    scene.settle()
    code, report = audit(scene)
    [lost] = findings(report)
    assert (code, report["state"], lost["kind"]) == (3, "lost", "lost")
    assert (lost["from_offset"], lost["to_offset"]) == (end, last - 5)


def test_a_store_that_is_away_is_no_damage(scene: Scene) -> None:
    process = scene.start("audit", USAGE_CLICKHOUSE="http://127.0.0.1:1/usage")
    assert process.wait(60) == 75, process.tail()
    assert len(process.output().splitlines()) == 1
