"""The compiled reader against the reference: all of `Facts`, the live sums, blocks byte for byte.

What each event must come to, `test_facts` and `test_duplicates` ask of both by a model; here are
the records that no model was written for. Where the library is not built, its stand-in is asked.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from random import Random
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.clickhouse.native import encode
from pipeline.clickhouse.shards import Shards
from pipeline.facts import Facts, Reader, Rejection, Rules
from pipeline.facts.compiled.facts import CompiledFacts
from pipeline.facts.python_facts import PARTS
from pipeline.facts.sent import Block, rows_of, sent
from pipeline.protocol.chunks import Range, Source
from pipeline.protocol.ledger import Ledger
from pipeline.protocol.partition import Chunk
from pipeline.protocol.sealed import Group
from tests.property import facts_strategies as make
from tests.property.facts_model import PARTITION, Rec
from tests.property.reader_grid import DATA, grid
from tests.support.harness.examples import PART, examples
from tests.support.harness.fuzz import Fuzz
from tests.support.harness.no_server import NoServer
from tests.support.harness.readers import COMPILED, IS_BUILT, PYTHON

TOPICS = list(DATA)
REQUEST = (
    b'{"specversion":"1.0","id":"%d","source":"s","type":"usage.request.v1","subject":"t",'
    b'"data":{"operation":"chat","model":"m","status_code":200,"duration_ms":1,"input_tokens":1}}'
)
Headers = tuple[tuple[str, bytes], ...]
PER_SEED = 400
SOME = PART * (0.3 if IS_BUILT else 0.02)
"""How much of the grid is read: all of it is 40,000 records a topic, most of them rejected."""
pytestmark = pytest.mark.timeout(600)
FEW = settings(max_examples=examples(80), deadline=None, suppress_health_check=list(HealthCheck))


def agree(topic: str, batches: Sequence[Sequence[Rec]], window: int) -> Facts:
    """Assert that both readers come to the same, batch by batch."""
    rules = Rules(duplicate_window=window)
    python, compiled = (
        one.reader(topic, rules, PARTITION)  # one after the other: what they do not share
        for one in (PYTHON, COMPILED)
    )
    due, found = read(python, batches), read(compiled, batches)
    for name in {*PARTS, "held_bytes"} - {"rejections"}:
        assert getattr(found, name) == getattr(due, name), name
    assert rejections(found) == rejections(due)
    assert found.minutes() == due.minutes()
    assert isinstance(found, CompiledFacts)
    assert found.inconsistent() == due.inconsistent()
    for bounds in [due.event_time] if due.event_time else []:
        for milliseconds in bounds:
            assert found.before(milliseconds / 1000) == due.before(milliseconds / 1000)
    if due.counted:
        block = encode("", due.head.columns, due.columns, None)
        assert encode("", found.head.columns, found.columns, None) == block
        assert found.chunk.block() == block
        for times in (1, 2):
            rows = rows_of([due] * times)
            block = encode("", *rows, None)
            assert sent([found] * times) == Block(rows.columns, len(rows.data[0]), block)
    return due


def rejections(facts: Facts) -> list[Rejection]:
    """With headers of one kind: each reader has them as they were fetched."""
    return [one._replace(headers=tuple(one.headers)) for one in facts.rejections]


def read(reader: Reader, batches: Sequence[Sequence[Rec]]) -> Facts:
    facts = reader.facts()
    for batch in batches:
        reader.read(batch, facts)
    return facts


def some(records: Sequence[Rec], size: int) -> list[Sequence[Rec]]:
    return [records[first : first + size] for first in range(0, len(records), size)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("topic", TOPICS)
def test_damaged_and_hostile_records(topic: str, seed: int) -> None:
    seeded, fuzz, now = Random(seed), Fuzz(seed), time.time()
    records: list[Rec] = []
    offset = 0
    for _ in range(max(60, round(PER_SEED * PART))):
        _, value, headers = fuzz.message(topic, now)
        offset += seeded.choice((1, 1, 1, 2, 5))
        at = round(now * 1000) + seeded.choice((0, 0, 0, 40_000, -70_000, -(10**15)))
        records.append(Rec(offset, at, cast("Headers", tuple(headers)), value))
        if seeded.random() < 0.1:
            old = seeded.choice(records[-50:])
            offset += 1
            records.append(Rec(offset, old.timestamp, old.headers, old.value))
    agree(topic, some(records, 97), 1000)


@pytest.mark.parametrize("topic", TOPICS)
def test_every_field_with_odd_values_and_every_byte_damaged(topic: str) -> None:
    records = grid(topic, 1, SOME)
    due = agree(topic, some(records, 101), 1000)
    assert due.counted + due.duplicate
    assert due.rejected


@pytest.mark.parametrize("topic", TOPICS)
def test_any_events_in_any_form_and_any_batches(topic: str) -> None:
    event = st.builds(make.record, make.events(topic), st.sampled_from(make.FORMS))
    tombstones = st.builds(Rec, st.just(0), st.just(make.NOW), st.just(()), st.none())

    @FEW
    @given(
        st.lists(st.one_of(event, event, make.mutated(topic), tombstones), min_size=1, max_size=40),
        st.sampled_from([0, 1, 5, 1_000_000]),
        st.data(),
    )
    def holds(records: list[Rec], window: int, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from([0, 2**31 - 3, 2**32 + 7, 2**42]))
        for record in records:
            offset += data.draw(st.sampled_from([1, 1, 1, 2, 3000]))
            record.offset = offset
            record.timestamp += data.draw(st.sampled_from([0, 0, 30_000, -700_000]))
        places = sorted(data.draw(st.lists(st.integers(0, len(records)), max_size=3)))
        cuts = pairwise([0, *places, len(records)])
        agree(topic, [records[a:b] for a, b in cuts if a < b], window)

    holds()


def test_the_day_that_requests_are_made_under_is_one_more_column_whoever_read_them() -> None:
    """Added up or not, of one chunk or of two; the bytes are those of the driver's own type."""
    ledger, day = Ledger(Shards([NoServer()]), "me", "rules"), date(2026, 11, 29)
    prepared = []
    for one in (PYTHON, COMPILED):
        chunks = []
        for p in range(2):
            reader = one.reader("usage.requests", Rules(), p)
            facts = read(reader, [[Rec(n, make.NOW, (), REQUEST % n) for n in range(70)]])
            range_ = Range(Source("usage.requests", p), "this", 0, 70)
            chunks.append(Chunk(range_, facts, facts.minutes()))
        insert, outcomes = ledger.prepare(Group.of(chunks, day))
        without, _ = ledger.prepare(Group.of(chunks))
        prepared.append(insert.block)
        assert outcomes.block is not None
        assert "late_before" not in outcomes.block.columns
        columns, data = rows_of([chunk.facts for chunk in chunks])
        due = encode("", [*columns, ("late_before", "Date")], [*data, [day] * len(data[0])], None)
        assert insert.block is not None
        assert without.block is not None
        assert insert.block.body == due
        assert insert.block.columns == [*without.block.columns, "late_before"]
    assert prepared[0] == prepared[1]
