"""Events-to-columns against the model: exact rows, right reasons, never an exception."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.facts import (
    ENTITIES,
    PRODUCT_EVENTS,
    RECIPE_ACTIONS,
    REQUESTS,
    Facts,
    Rules,
)
from pipeline.facts.python_facts import PARTS
from pipeline.facts.readers import Readers
from pipeline.facts.types import TYPES
from tests.property import facts_strategies as make
from tests.property.facts_model import PARTITION, Out, Rec, model
from tests.support.harness.examples import examples
from tests.support.harness.readers import KINDS, PYTHON

HEADS = {
    "usage.requests": REQUESTS,
    "usage.recipe-actions": RECIPE_ACTIONS,
    "usage.events": PRODUCT_EVENTS,
    "usage.entities": ENTITIES,
}
READ = [
    (topic, readers)
    for topic in HEADS
    for readers in KINDS
    if readers is PYTHON or topic in readers.raw_topics
]
pytestmark = pytest.mark.timeout(600)
FEW = settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))


def read(topic: str, *batches: Sequence[Rec], by: Readers = PYTHON) -> Facts:
    one = by.reader(topic, Rules(duplicate_window=0), PARTITION)  # duplicates: test_duplicates
    facts = one.facts()
    for batch in batches:
        one.read(batch, facts)
    return facts


def rows(facts: Facts) -> list[list[object]]:
    return [list(row) for row in zip(*facts.columns, strict=True)]


def agree(topic: str, records: Sequence[Rec], facts: Facts) -> list[Out]:
    """Assert that the facts are what the model says of each record."""
    outs = [(r, out) for r in records if r.value is not None for out in model(topic, r)]
    counted = [(r, out) for r, out in outs if not out.reason]
    rejected = [(r, out) for r, out in outs if out.reason]
    assert rows(facts) == [out.row for _, out in counted]
    found = [(x.offset, x.index, x.reason, x.tenant, x.type) for x in facts.rejections]
    assert found == [(r.offset, o.index, o.reason, o.tenant, o.type) for r, o in rejected]
    for rejection, (_, out) in zip(facts.rejections, rejected, strict=True):
        assert out.names in rejection.message
        assert out.index is not None or rejection.value == out.value
    assert facts.received == len(outs) == facts.counted + facts.rejected
    assert facts.skipped == sum(record.value is None for record in records)
    assert facts.size_bytes == sum(len(record.value or b"") for record in records)
    times = [out.time for _, out in counted]
    assert facts.event_time == ((min(times), max(times)) if times else None)
    assert facts.outcomes == outcomes(topic, records, outs)
    return [out for _, out in outs]


def outcomes(topic: str, records: Sequence[Rec], outs: list[tuple[Rec, Out]]) -> Counter[object]:
    expected: Counter[object] = Counter()
    for record, out in outs:
        kind = "rejected" if out.reason else "counted"
        minute = record.timestamp // 60_000 * 60
        expected[minute, out.tenant, out.known_type(topic), kind, out.reason] += 1
    for record in records:
        if record.value is None:
            expected[record.timestamp // 60_000 * 60, "", "", "skipped", ""] += 1
    return expected


@pytest.mark.parametrize(("topic", "readers"), READ, ids=str)
def test_any_valid_event_counts_with_exactly_its_row(topic: str, readers: Readers) -> None:
    @FEW
    @given(st.lists(st.tuples(make.events(topic), st.sampled_from(make.FORMS)), min_size=1))
    def holds(events: list[tuple[dict[str, object], str]]) -> None:
        records = [make.record(event, form, at) for at, (event, form) in enumerate(events)]
        outs = agree(topic, records, read(topic, records, by=readers))
        assert not [out for out in outs if out.reason]

    holds()


@pytest.mark.parametrize(("topic", "readers"), READ, ids=str)
def test_any_mutation_is_valid_or_rejected_for_the_models_reason(
    topic: str, readers: Readers
) -> None:
    @settings(FEW, max_examples=examples(500))
    @given(make.mutated(topic))
    def holds(record: Rec) -> None:
        agree(topic, [record], read(topic, [record], by=readers))

    holds()


@pytest.mark.parametrize(("topic", "readers"), READ, ids=str)
def test_records_read_together_come_to_what_each_comes_to_alone(
    topic: str, readers: Readers
) -> None:
    anything = st.one_of(make.mutated(topic), make.events(topic).map(plain), tombstones)

    @FEW
    @given(st.lists(anything, min_size=1, max_size=12), st.data())
    def holds(records: list[Rec], data: st.DataObject) -> None:
        for offset, record in enumerate(records):
            record.offset = offset
            record.timestamp += data.draw(st.sampled_from([0, 0, 30_000, -700_000]))
        together = read(topic, records, by=readers)
        agree(topic, records, together)
        cut = data.draw(st.integers(0, len(records)))
        apart = read(topic, records[:cut], records[cut:], by=readers)
        for name in PARTS:
            assert getattr(apart, name) == getattr(together, name), name

    holds()


def plain(event: dict[str, object]) -> Rec:
    return make.record(event, "plain")


tombstones = st.builds(Rec, st.just(0), st.just(make.NOW), st.just(()), st.none())


@pytest.mark.parametrize("topic", [one.topic for one in TYPES.values() if one.bulk])
def test_the_fast_path_gives_what_the_slow_one_gives(
    topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ZeroDivisionError

    @FEW
    @given(st.lists(st.one_of(make.events(topic).map(plain), make.mutated(topic)), min_size=1))
    def holds(records: list[Rec]) -> None:
        fast = read(topic, records)
        with monkeypatch.context() as patch:
            patch.setattr("pipeline.facts.bulk.path.FastPath.read", refuse)
            slow = read(topic, records)
        for name in PARTS:
            assert getattr(fast, name) == getattr(slow, name), name

    holds()


@pytest.mark.parametrize("readers", KINDS, ids=str)
def test_bytes_at_random_never_raise_and_agree_with_the_model(readers: Readers) -> None:
    seeded = random.Random(7)
    topic = "usage.requests"
    good = make.dumps(
        {
            "specversion": "1.0",
            "id": "1",
            "source": "s",
            "type": "usage.request.v1",
            "subject": "t",
            "time": "2026-03-01T12:34:56.789Z",
            "data": {
                "operation": "chat",
                "model": "é",
                "status_code": 200,
                "duration_ms": 12.5,
                "cost": 0.00125,
                "x": [{"y": "\n"}],
            },
        }
    ).encode()
    records = [Rec(at, make.NOW, (), _damaged(good, seeded)) for at in range(5000)]
    agree(topic, records, read(topic, records, by=readers))


def _damaged(value: bytes, seeded: random.Random) -> bytes:
    octets = bytearray(value)
    for _ in range(seeded.choice([0, 1, 1, 2, 5])):
        octets[seeded.randrange(len(octets))] ^= 1 << seeded.randrange(8)
    return bytes(octets[: seeded.choice([len(octets), len(octets), seeded.randrange(len(octets))])])
