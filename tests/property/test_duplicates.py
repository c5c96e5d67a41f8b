"""Duplicates against a dict of (source, id) to offset: exact, whatever the form and the order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.facts import Facts, Reader, Rules, reader
from pipeline.facts.repeats.window import Window
from tests.property import facts_strategies as make
from tests.property.facts_model import Rec, model
from tests.support.harness.examples import examples

TOPICS = ["usage.requests", "usage.recipe-actions"]
WINDOWS = [1, 2, 5, 20, 1_000_000]
FEW = settings(max_examples=examples(80), deadline=None, suppress_health_check=list(HealthCheck))

few_names = st.sampled_from(["a", "b", "ab", "a\0", "", "é"])


@dataclass
class Due:
    """What some records must come to, one after the other."""

    window: int
    at: dict[tuple[str, str], int] = field(default_factory=dict)
    rows: list[list[Any]] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    outcomes: Counter[Any] = field(default_factory=Counter)

    def read(self, topic: str, record: Rec) -> None:
        minute = record.timestamp // 60_000 * 60
        if record.value is None:
            self.outcomes[minute, "", "", "skipped", ""] += 1
            return
        for out in model(topic, record):
            outcome = "rejected" if out.reason else "counted"
            if not out.reason and self._repeats(out.identity, record.offset):
                outcome = "duplicate"
            if outcome == "counted":
                self.rows.append(out.row)
                self.times.append(out.time)
            self.outcomes[minute, out.tenant, out.known_type(topic), outcome, out.reason] += 1

    def _repeats(self, identity: tuple[str, str], offset: int) -> bool:
        before = self.at.get(identity)
        self.at[identity] = offset
        return before is not None and offset - before <= self.window


@st.composite
def logs(draw: st.DrawFn, topic: str) -> list[Rec]:
    """Records of all forms with few names among them, some rejected, and holes between them."""
    records, offset = [], draw(st.integers(0, 10**9))
    body = draw(make.events(topic))
    for _ in range(draw(st.integers(1, 12))):
        record = draw(st.one_of(_single(body), _single(body), _batch(body), tombstones))
        offset += draw(st.sampled_from([1, 1, 1, 2, 7]))
        record.offset = offset
        record.timestamp += draw(st.sampled_from([0, 0, 30_000]))
        records.append(record)
    return records


@st.composite
def _single(draw: st.DrawFn, body: dict[str, Any]) -> Rec:
    return make.record(draw(_named(body)), draw(st.sampled_from(make.FORMS)))


@st.composite
def _batch(draw: st.DrawFn, body: dict[str, Any]) -> Rec:
    events = draw(st.lists(_named(body), max_size=5))
    return Rec(0, make.NOW, (), make.dumps(events).encode())


@st.composite
def _named(draw: st.DrawFn, body: dict[str, Any]) -> dict[str, Any]:
    """The event under another name, of some tenant, sometimes with a field that is wrong."""
    names = {"source": draw(few_names), "id": draw(few_names), "subject": draw(tenants)}
    data = draw(st.sampled_from([body["data"]] * 5 + [{}]))
    odd = draw(st.sampled_from([{}] * 5 + [{"datacontenttype": "application/json;a=b"}]))
    return body | names | odd | {"data": data}


tenants = st.sampled_from(["t1", "t2", "*"])
tombstones = st.builds(Rec, st.just(0), st.just(make.NOW), st.just(()), st.none())


def a_reader(topic: str, window: int) -> Reader:
    return reader(topic, Rules(duplicate_window=window))


def cut(draw: st.DataObject, records: Sequence[Rec]) -> list[Sequence[Rec]]:
    """The records in up to four fetches."""
    places = sorted(draw.draw(st.lists(st.integers(0, len(records)), max_size=3)))
    bounds = [0, *places, len(records)]
    pieces = [records[a:b] for a, b in pairwise(bounds)]
    return [piece for piece in pieces if piece]


def agree(facts: Facts, due: Due) -> None:
    assert [list(row) for row in zip(*facts.columns, strict=True)] == due.rows
    assert facts.outcomes == due.outcomes
    kinds = dict.fromkeys(("counted", "duplicate", "rejected", "skipped"), 0)
    for (*_, outcome, _), events in due.outcomes.items():
        kinds[outcome] += events
    assert {kind: getattr(facts, kind) for kind in kinds} == kinds
    assert facts.received == facts.counted + facts.duplicate + facts.rejected
    assert facts.event_time == ((min(due.times), max(due.times)) if due.times else None)
    assert len(facts.rejections) == facts.rejected


@pytest.mark.parametrize("topic", TOPICS)
def test_duplicates_are_those_of_a_dict(topic: str) -> None:
    @FEW
    @given(logs(topic), st.sampled_from(WINDOWS), st.data())
    def holds(records: list[Rec], window: int, draw: st.DataObject) -> None:
        due, one = Due(window), a_reader(topic, window)
        facts = Facts(one.head)
        for record in records:
            due.read(topic, record)
        for piece in cut(draw, records):
            one.read(piece, facts)
        agree(facts, due)

    holds()


@pytest.mark.parametrize("topic", TOPICS)
def test_what_is_remembered_is_what_was_read(topic: str) -> None:
    @FEW
    @given(logs(topic), st.sampled_from(WINDOWS), st.data())
    def holds(records: list[Rec], window: int, draw: st.DataObject) -> None:
        start = draw.draw(st.integers(0, len(records) - 1))
        due, one = Due(window), a_reader(topic, window)
        for record in records[:start]:
            due.read(topic, record)
        due = Due(window, due.at)
        for record in records[start:]:
            due.read(topic, record)
        facts = Facts(one.head)
        for piece in cut(draw, records[:start]):
            one.remember(piece)
        for piece in cut(draw, records[start:]):
            one.read(piece, facts)
        agree(facts, due)

    holds()


@pytest.mark.parametrize("far", [0, 2**32])
@pytest.mark.parametrize("window", [0, 1, 50, 700])
@pytest.mark.parametrize("pool", [3, 40, 4000])
def test_the_window_through_growth_and_a_moving_base(pool: int, window: int, far: int) -> None:
    seeded = random.Random(pool + window)
    keys = [seeded.getrandbits(64) for _ in range(pool)]
    one, offset = Window(window), seeded.choice([0, 10**12])
    last: dict[int, int] = {}
    for _ in range(20):
        hashes, offsets, due = [], [], []
        for _ in range(seeded.randrange(600)):
            offset += seeded.choice([0, 1, 1, 1, 1, 3])
            key = seeded.choice(keys)
            due.append(key in last and offset - last[key] <= window)
            last[key] = offset
            hashes.append(key)
            offsets.append(offset)
        found = one.repeated(np.array(hashes, np.uint64), np.array(offsets, np.int64))
        assert found.tolist() == due
        offset += seeded.choice([0, 1, 1, 10, window, window + 1, far])


def test_a_crowded_window_forgets_nobody() -> None:
    """Full of single records, then of batches, so that it must grow while ids fall out of it."""
    seeded, window = random.Random(11), 40_000
    one, offset = Window(window), 0
    log: list[int] = []
    last: dict[int, int] = {}
    for turn in range(90):
        due, offsets = [], []
        for _ in range(2000):
            is_new = seeded.random() < 0.7 or not log
            back = min(len(log), seeded.choice([10, window, window + 200, 2 * window]))
            log.append(seeded.getrandbits(64) if is_new else log[-seeded.randint(1, back)])
            due.append(log[-1] in last and offset - last[log[-1]] <= window)
            last[log[-1]] = offset
            offsets.append(offset)
            offset += 1 if turn < 45 else seeded.random() < 0.3
        hashes = np.array(log[-2000:], np.uint64)
        assert one.repeated(hashes, np.array(offsets)).tolist() == due
