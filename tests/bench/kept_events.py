"""What it costs to keep product events: CPU of worker and store, bytes on the disk."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from unittest import mock

from pipeline.clickhouse.client import Prepared, Store
from pipeline.clickhouse.native import encode
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.facts import PRODUCT_EVENTS, Rules, reader
from pipeline.facts.bulk import columns as bulk
from pipeline.facts.columns import Maps
from pipeline.facts.python_facts import PythonFacts
from pipeline.settings import load as load_settings
from tests.bench.bed import Bed
from tests.bench.facts import Rec
from tests.bench.measure import cpu_seconds
from tests.support.harness.store import EmbeddedStore, url_at

CHUNK = 100_000
FETCH = 4_000
NAMES, TENANTS = 49, 2_000
DAY_MS = 86_400_000
PATHS = ("orders", "items", "users", "reports")

Values = dict[str, tuple[float, Callable[[random.Random], object]]]
"""Of properties: the share of events that have each, and what makes one."""

VALUES: Values = {
    "status": (0.8, lambda r: r.choice((200, 200, 200, 404, 500))),
    "ok": (0.4, lambda r: r.random() < 0.9),
    "duration_ms": (0.8, lambda r: round(r.random() * 5_000, 3)),
    "bytes": (0.4, lambda r: r.randrange(10**9)),
    "amount": (0.6, lambda r: round(r.random() * 500, 2)),
    "price": (0.2, lambda r: f"{r.random() * 90:.2f}"),
    "currency": (0.3, lambda r: r.choice(("USD", "EUR", "GBP", "INR", "JPY"))),
    "country": (0.5, lambda r: r.choice("ABCDEFGH") + r.choice("ABCDEFGH")),
    "path": (0.7, lambda r: f"/v1/{r.choice(PATHS)}/{r.randrange(1_300)}"),
    "request_id": (0.5, lambda r: f"{r.getrandbits(128):032x}"),
    "started_at": (0.3, lambda r: f"2026-05-01T12:{r.randrange(60):02d}:07Z"),
    "feature": (0.6, lambda r: f"feature_{r.randrange(30)}"),
    "version": (0.4, lambda r: f"{r.randrange(4)}.{r.randrange(10)}.0"),
    "browser": (0.3, lambda r: r.choice(("Chrome", "Firefox", "Safari", "Edge"))),
    "pages": (0.35, lambda r: r.randrange(40)),
    "items": (0.35, lambda r: r.randrange(12)),
    "score": (0.2, lambda r: round(r.random(), 6)),
    "user": (0.7, lambda r: {"plan": r.choice(("free", "team")), "role": "member"}),
    "device": (0.5, lambda r: {"type": "phone", "id": f"{r.randrange(99_999):x}"}),
    "tags": (0.15, lambda r: [f"t{r.randrange(20)}", f"t{r.randrange(20)}"]),
    "error": (0.15, lambda r: f"timeout after {r.randrange(60)} s"),
}


def records(count: int, first_ms: int, span_ms: int, seed: int) -> Iterator[Rec]:
    """Product events of many tenants and names, the first of each the most frequent."""
    seeded = random.Random(seed)
    for n in range(count):
        at = first_ms + n * span_ms // count
        tenant = int(TENANTS ** seeded.random())
        event = {
            "specversion": "1.0",
            "id": f"{seed}-{n}",
            "source": "/app",
            "type": "usage.event.v1",
            "subject": f"tenant-{tenant:04d}",
            "data": {
                "name": f"event_{int(NAMES ** seeded.random()):02d}",
                "user_id": f"u-{seeded.randrange(20 + TENANTS // tenant)}",
                "properties": {
                    name: make(seeded)
                    for name, (share, make) in VALUES.items()
                    if seeded.random() < share
                },
            },
        }
        yield Rec(n, at, (), json.dumps(event, separators=(",", ":")).encode())


def folded(some: list[Rec]) -> PythonFacts:
    """Read records as a worker does."""
    facts, one = PythonFacts(PRODUCT_EVENTS), reader("usage.events", Rules())
    for first in range(0, len(some), FETCH):
        one.read(some[first : first + FETCH], facts)
    assert facts.counted == len(some)
    return facts


def kept_events(bed: Bed) -> list[str]:
    """Measure reading, encoding and inserting with the properties and without them."""
    chunks = 2 if bed.scale.quick else 8
    now_ms = time.time_ns() // 1_000_000
    some = list(records(CHUNK, now_ms - DAY_MS, DAY_MS, seed=1))
    rows = [_read_us(some, bed.scale.runs), _encoded_us(some, bed.scale.runs)]
    store = EmbeddedStore(bed.folder, "kept")
    store.start()
    try:
        settings = load_settings({"USAGE_CLICKHOUSE": url_at(store.port, "usage")})
        connected = Store.connect(settings)
        migrate(connected, settings)
        blocks = list(_blocks(connected, chunks, now_ms))
        with_view = _inserted_us(connected, store, blocks)
        [size] = connected.query(
            "SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts "
            "WHERE database = currentDatabase() AND active AND table = 'product_events'"
        )
        connected.command("DROP VIEW product_events_mv")
        rows.append((with_view, _inserted_us(connected, store, blocks)))
    finally:
        store.kill9()
    names = ("worker: reading", "worker: encoding", "store: inserting")
    kept = folded(some[:FETCH]).columns[-1]
    assert isinstance(kept, Maps)
    return [
        (
            f"{CHUNK:,} product events of {len(kept.keys) / len(kept):.1f} leaves each, "
            f"{sum(len(r.value) for r in some) / len(some):.0f} bytes of JSON; the best of "
            f"{bed.scale.runs} runs, the store's of {chunks} chunks in all, over "
            f"{chunks} weeks. CPU per event. Merged, they take {size[0]:.0f} bytes each."
        ),
        "",
        "| | kept, µs | without, µs | more, µs |",
        "| --- | --- | --- | --- |",
        *(
            f"| {name} | {a:.2f} | {b:.2f} | {a - b:.2f} |"
            for name, (a, b) in zip(names, rows, strict=True)
        ),
    ]


def _without_leaves(properties: list[bytes]) -> Maps:
    nothing = Maps()
    nothing.counts.frombytes(bytes(4 * len(properties)))
    nothing.sizes.frombytes(bytes(4 * len(properties)))
    return nothing


def _read_us(some: list[Rec], runs: int) -> tuple[float, float]:
    with_leaves, without = [], []
    for _ in range(runs):
        with_leaves.append(_timed(lambda: folded(some)))
        with mock.patch.object(bulk, "leaves", _without_leaves):
            without.append(_timed(lambda: folded(some)))
    return min(with_leaves), min(without)


def _encoded_us(some: list[Rec], runs: int) -> tuple[float, float]:
    facts = folded(some)
    names, data = PRODUCT_EVENTS.columns, facts.columns
    kept = min(_timed(lambda: encode("t", names, data, None)) for _ in range(runs))
    return kept, min(_timed(lambda: encode("t", names[:-2], data[:-2], None)) for _ in range(runs))


def _timed(act: Callable[[], object]) -> float:
    before = time.process_time()
    act()
    return (time.process_time() - before) / CHUNK * 1e6


def _blocks(connected: Store, chunks: int, now_ms: int) -> Iterator[Prepared]:
    """Some chunks as they are sent, each of a week of its own."""
    for n in range(chunks):
        facts = folded(list(records(CHUNK, now_ms - (n + 1) * 7 * DAY_MS, DAY_MS, seed=n)))
        block = connected.prepare("events_in", PRODUCT_EVENTS.columns, facts.columns)
        assert block is not None
        yield block


def _inserted_us(connected: Store, store: EmbeddedStore, blocks: list[Prepared]) -> float:
    """CPU of the store for the inserts, until all is merged."""
    before = cpu_seconds(store.process.pid)
    for block in blocks:
        connected.send(block)
    spent = cpu_seconds(store.process.pid) - before
    connected.command("OPTIMIZE TABLE product_events FINAL")
    return spent / len(blocks) / CHUNK * 1e6
