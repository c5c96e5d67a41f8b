"""Which events are set aside, and what a chunk comes to without them: the same always."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from pipeline.clickhouse.shards import Shards
from pipeline.errors import Halted, StoreRefused, ValueRefused
from pipeline.facts import REQUESTS, Facts, Rules, reader
from pipeline.facts.interface import offset_and_place
from pipeline.facts.set_aside import only, rejection, without
from pipeline.protocol.chunks import Plan, Source
from pipeline.protocol.fetched import Fetched
from pipeline.protocol.halves import MOST_REFUSED, TooManyRefused, refused_rows
from pipeline.protocol.ledger import PARTITIONS, Ledger, outcome_rows
from pipeline.protocol.partition import Chunk, Partition
from pipeline.protocol.sealed import Group
from pipeline.settings import load
from pipeline.worker import set_aside as module
from pipeline.worker.set_aside import SetAside
from pipeline.worker.telemetry.instruments import Instruments
from tests.support.harness.reads import made

SOURCE = Source("usage.requests", 0)
NOW_MS = 1_790_000_000_000


class Record:
    """A record of events, alone or as a batch."""

    def __init__(self, offset: int, *ids: str, value: bytes | None = None) -> None:
        self.offset, self.timestamp = offset, NOW_MS
        self.headers: list[tuple[str, bytes]] = []
        events = [self._event(id_) for id_ in ids]
        self.value = value or (events[0] if len(events) == 1 else b"[%s]" % b",".join(events))

    def _event(self, id_: str) -> bytes:
        return (
            b'{"specversion":"1.0","id":"%s","source":"s","type":"usage.request.v1",'
            b'"subject":"t","data":{"operation":"chat","model":"%s","status_code":200,'
            b'"duration_ms":1,"input_tokens":1}}' % (id_.encode(), id_.encode())
        )


def folded(records: Sequence[Any]) -> Chunk:
    partition = Partition(SOURCE, "i", reader("usage.requests", Rules()), Plan(0))
    end = records[-1].offset + 1
    made(partition.adding(Fetched(SOURCE, 0, 0, end, list(records))))
    chunk = partition.seal()
    assert chunk is not None
    return chunk


@given(st.lists(st.integers(1, 9), max_size=40), st.integers(1, 60))
def test_rows_stay_in_the_logs_order_while_the_store_takes_them(
    values: list[int], bound: int
) -> None:
    """A sum that may not pass a bound, against adding up one by one."""

    def refusal(rows: Sequence[int]) -> str | None:
        return "too much" if sum(values[row] for row in rows) > bound else None

    due, held = set(), 0
    for row, value in enumerate(values):
        if held + value > bound:
            due.add(row)
        else:
            held += value
    assert set(refused_rows(len(values), refusal)) == due


@given(st.sets(st.integers(0, 4999), max_size=6))
def test_few_questions_find_few_rows(bad: set[int]) -> None:
    asked = 0

    def refusal(rows: Sequence[int]) -> str | None:
        nonlocal asked
        asked += 1
        return "bad" if bad & set(rows) else None

    assert set(refused_rows(5000, refusal)) == bad
    assert asked <= 2 + 26 * len(bad)


@given(st.sets(st.integers(0, 199), max_size=9), st.booleans())
def test_a_row_that_the_store_names_is_asked_for_at_once(bad: set[int], names: bool) -> None:
    """And one that it names wrongly is found all the same."""
    asked = 0

    def refusal(rows: Sequence[int]) -> str | None:
        nonlocal asked
        asked += 1
        at = [n for n, row in enumerate(rows, 1) if row in bad]
        return f"violated at row {at[0] if names else 1}." if at else None

    assert set(refused_rows(200, refusal)) == bad
    assert not names or asked <= 2 + 2 * len(bad)


def test_a_store_that_takes_nothing_is_not_asked_for_each_event() -> None:
    with pytest.raises(TooManyRefused):
        refused_rows(100_000, lambda _: "no")
    assert MOST_REFUSED < 100_000
    assert len(refused_rows(2000, lambda rows: "no" if rows else None, most=2000)) == 2000


def test_every_row_knows_where_it_comes_from() -> None:
    """Over holes, repeats, tombstones, batches and what is rejected."""
    chunk = folded(
        [
            Record(3, "a"),
            Record(4, "b", "c", "a"),
            Record(7, value=b"no JSON"),
            Record(8, "b"),
            Record(9, "d"),
        ]
    )
    models = list(chunk.facts.columns[6])
    origins = [offset_and_place(origin) for origin in chunk.facts.origins]
    assert dict(zip(models, origins, strict=True)) == {
        "a": (3, 0), "b": (4, 0), "c": (4, 1), "d": (9, 0)
    }  # fmt: skip


def test_without_them_it_is_as_if_they_had_been_rejected_when_read() -> None:
    batch = Record(4, "b", "c", "a")
    facts = folded([Record(3, "a"), batch, Record(9, "d")]).facts
    rejected = {2: rejection(batch, 1, "t", "usage.request.v1", "no")}
    rest = without(facts, rejected)
    assert list(rest.columns[6]) == ["a", "b", "d"]
    assert [offset_and_place(origin) for origin in rest.origins] == [(3, 0), (4, 0), (9, 0)]
    assert (rest.received, rest.counted, rest.duplicate, rest.rejected) == (5, 3, 1, 1)
    minute = NOW_MS // 60_000 * 60
    assert rest.outcomes == {
        (minute, "t", "usage.request.v1", "counted", ""): 3,
        (minute, "t", "usage.request.v1", "duplicate", ""): 1,
        (minute, "t", "usage.request.v1", "rejected", "internal"): 1,
    }
    [found] = rest.rejections
    assert (found.offset, found.index, found.value) == (4, 1, batch._event("c"))
    assert (facts.counted, len(facts.columns[6]), facts.rejections) == (4, 4, [])


class NoStore:
    """Encodes as the store's client does; nothing is ever sent."""

    database = "none"

    def prepare(self, table: str, columns: Any, data: Any, constant: Any = None) -> None:
        if columns == PARTITIONS and data and max(data[INPUT]) >= 1 << 64:
            raise ValueRefused("ClickHouse at …: too large", reason="too large")


INPUT = [name for name, _ in PARTITIONS].index("input_tokens")


def test_a_sum_that_no_column_holds_leaves_out_the_event_that_makes_it_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three of 2^63 − 1 tokens in one minute, as they would be if nothing bounded them."""
    records = [Record(offset, str(offset)) for offset in range(3)]
    facts = folded(records).facts
    tokens: Any = facts.columns[[name for name, _ in REQUESTS.columns].index("input_tokens")]
    for row in range(3):
        tokens.items[row] = 2**63 - 1

    async def read(*_: object) -> dict[int, Any]:
        return dict(enumerate(records))

    monkeypatch.setattr(module, "_records", read)
    rest = asyncio.run(_rest(facts))
    assert [offset_and_place(origin)[0] for origin in rest.facts.origins] == [0, 1]
    [rejected] = rest.facts.rejections
    assert (rejected.offset, rejected.reason) == (2, "internal")
    assert rejected.message.endswith("the store refuses it: too large.")
    assert max(outcome_rows(rest)[INPUT]) == 2**64 - 2


def test_what_is_refused_without_an_event_halts() -> None:
    with pytest.raises(Halted, match="not for single events: ClickHouse"):
        asyncio.run(_rest(only(folded([Record(0, "a")]).facts, np.array([True]))))


class Failing:
    """A store, and copies of its tables, that are at one server when another one is asked."""

    def __init__(self, servers: str) -> None:
        self.where = "b"
        self.left = list(servers)

    def is_needed(self) -> bool:
        return True

    def rehearsal(self, _: object) -> Failing:
        return self

    def refusal(self, _: object) -> str | None:
        made_at, self.where = self.where, self.left.pop(0)
        if made_at != self.where:
            raise StoreRefused("unknown table", code=60)
        raise StoreRefused("no such right", code=497)


@pytest.mark.parametrize("servers", ["b", "aa", "abb"])
def test_a_failover_within_a_rehearsal_begins_it_anew(servers: str) -> None:
    """Copies are of one server; what else is refused is refused once."""
    store = cast("Any", Failing(servers))
    setting = SetAside(load({}), store, cast("Any", None), Instruments(CollectorRegistry()))
    setting._stage = store
    with pytest.raises(StoreRefused) as refused:
        setting.rehearsed([])
    assert refused.value.code == 497
    assert not store.left


async def _rest(facts: Facts) -> Chunk:
    store = cast("Any", NoStore())
    ledger = Ledger(Shards([store]), "me", "rules")
    setting = SetAside(load({}), store, ledger, Instruments(CollectorRegistry()))
    why = ValueRefused("ClickHouse at …: too large", reason="too large")

    async def at_once(call: Callable[[], Any]) -> Any:
        return call()

    chunk = module._with(folded([Record(0, "x")]), facts)
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]] = at_once
    group = await setting.rest(Group.of([chunk]), why, cast("Any", in_thread))
    [rest] = group.chunks
    return rest
