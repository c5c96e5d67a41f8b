"""Duplicates against a dict of names to offset and data: exact, whatever form and order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.facts import Facts, Reader, Rules
from pipeline.facts.readers import Readers
from pipeline.facts.repeats.window import Window
from tests.property import facts_strategies as make
from tests.property.facts_model import Rec, model
from tests.support.harness.examples import examples
from tests.support.harness.readers import KINDS

TOPICS = ["usage.requests", "usage.recipe-actions"]
WINDOWS = [1, 2, 5, 20, 1_000_000]
FEW = settings(max_examples=examples(80), deadline=None, suppress_health_check=list(HealthCheck))

few_names = st.sampled_from(["a", "b", "ab", "a\0", "", "é"])


@dataclass
class Due:
    """What some records must come to, one after the other."""

    window: int
    at: dict[tuple[str, str, str], tuple[int, bytes]] = field(default_factory=dict)
    rows: list[list[Any]] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    outcomes: Counter[Any] = field(default_factory=Counter)

    def read(self, topic: str, record: Rec) -> None:
        minute = record.timestamp // 60_000 * 60
        if record.value is None:
            self.outcomes[minute, "", "", "skipped", ""] += 1
            return
        for out in model(topic, record):
            outcome, reason = "rejected" if out.reason else "counted", out.reason
            if not out.reason:
                before, self.at[out.identity] = self.at.get(out.identity), (record.offset, out.data)
                if before is not None and record.offset - before[0] <= self.window:
                    outcome, reason = "duplicate", "conflict" if before[1] != out.data else ""
            if outcome == "counted":
                self.rows.append(out.row)
                self.times.append(out.time)
            self.outcomes[minute, out.tenant, out.known_type(topic), outcome, reason] += 1


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
    later = {**body["data"], "later": draw(st.sampled_from([1, 1.0, "é", "1"]))}
    data = draw(st.sampled_from([body["data"]] * 5 + [later, later, {}]))
    odd = draw(st.sampled_from([{}] * 5 + [{"datacontenttype": "application/json;a=b"}]))
    return body | names | odd | {"data": data}


tenants = st.sampled_from(["t1", "t1", "t2", "*"])
tombstones = st.builds(Rec, st.just(0), st.just(make.NOW), st.just(()), st.none())


def a_reader(readers: Readers, topic: str, window: int) -> Reader:
    return readers.reader(topic, Rules(duplicate_window=window))


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
    conflicts = [n for (*_, reason), n in due.outcomes.items() if reason == "conflict"]
    assert facts.conflicts == sum(conflicts)
    assert facts.received == facts.counted + facts.duplicate + facts.rejected
    assert facts.event_time == ((min(due.times), max(due.times)) if due.times else None)
    assert len(facts.rejections) == facts.rejected


@pytest.mark.parametrize("readers", KINDS, ids=str)
@pytest.mark.parametrize("topic", TOPICS)
def test_duplicates_are_those_of_a_dict(topic: str, readers: Readers) -> None:
    @FEW
    @given(logs(topic), st.sampled_from(WINDOWS), st.data())
    def holds(records: list[Rec], window: int, draw: st.DataObject) -> None:
        due, one = Due(window), a_reader(readers, topic, window)
        facts = one.facts()
        for record in records:
            due.read(topic, record)
        for piece in cut(draw, records):
            one.read(piece, facts)
        agree(facts, due)

    holds()


@pytest.mark.parametrize("readers", KINDS, ids=str)
@pytest.mark.parametrize("topic", TOPICS)
def test_what_is_remembered_is_what_was_read(topic: str, readers: Readers) -> None:
    @FEW
    @given(logs(topic), st.sampled_from(WINDOWS), st.data())
    def holds(records: list[Rec], window: int, draw: st.DataObject) -> None:
        start = draw.draw(st.integers(0, len(records) - 1))
        due, one = Due(window), a_reader(readers, topic, window)
        for record in records[:start]:
            due.read(topic, record)
        due = Due(window, due.at)
        for record in records[start:]:
            due.read(topic, record)
        facts = one.facts()
        for piece in cut(draw, records[:start]):
            one.remember(piece)
        for piece in cut(draw, records[start:]):
            one.read(piece, facts)
        agree(facts, due)

    holds()


@pytest.mark.parametrize("readers", KINDS, ids=str)
@pytest.mark.parametrize("topic", TOPICS)
def test_a_log_goes_on_from_others_as_if_they_were_one(topic: str, readers: Readers) -> None:
    @FEW
    @given(logs(topic), st.sampled_from(WINDOWS), st.data())
    def holds(records: list[Rec], window: int, draw: st.DataObject) -> None:
        due, one = Due(window), a_reader(readers, topic, window)
        *before, own = in_logs(draw, records)
        for log, _ in before:
            for record in log:
                due.read(topic, record)
        due = Due(window, due.at)
        for record in own[0]:
            due.read(topic, record)
        began, facts = 0, one.facts()
        for log, end in before:
            for piece in cut(draw, log):
                one.remember([replace(record, offset=record.offset - began) for record in piece])
            one.continue_after(end - began)
            began = end
        for piece in cut(draw, own[0]):
            one.read([replace(record, offset=record.offset - began) for record in piece], facts)
        agree(facts, due)

    holds()


def in_logs(draw: st.DataObject, records: Sequence[Rec]) -> list[tuple[Sequence[Rec], int]]:
    """The records in two or three logs, and where each ends: at its last record or behind it."""
    places = sorted(draw.draw(st.lists(st.integers(0, len(records)), min_size=1, max_size=2)))
    found, least = [], 0
    for a, b in pairwise([0, *places, len(records)]):
        log = records[a:b]
        least = max([least, *(record.offset + 1 for record in log)])
        most = records[b].offset if b < len(records) else least
        least = draw.draw(st.integers(least, most))
        found.append((log, least))
    return found


@pytest.mark.parametrize("far", [0, 2**32])
@pytest.mark.parametrize("window", [0, 1, 50, 700])
@pytest.mark.parametrize("pool", [3, 40, 4000])
def test_the_window_through_growth_and_a_moving_base(pool: int, window: int, far: int) -> None:
    seeded = random.Random(pool + window)
    keys = [seeded.getrandbits(64) for _ in range(pool)]
    one, offset, began = Window(window), seeded.choice([0, 10**12]), 0
    last: dict[int, tuple[int, int]] = {}
    for _ in range(20):
        if not seeded.randrange(4):  # the log ends here, and another one goes on from it
            one.continue_after(offset - began)
            began = offset
        events, due = [], []
        for _ in range(seeded.randrange(600)):
            offset += seeded.choice([0, 1, 1, 1, 1, 3])
            key, said = seeded.choice(keys), seeded.choice([0, 7, 7, 2**32 - 1])
            repeats = key in last and offset - last[key][0] <= window
            due.append((repeats, repeats and last[key][1] != said))
            last[key] = offset, said
            events.append((key, said, offset - began))
        assert repeats_in(one, events) == due
        offset += seeded.choice([0, 1, 1, 10, window, window + 1, far])


def test_a_crowded_window_forgets_nobody() -> None:
    """Full of single records, then of batches, so that it must grow while ids fall out of it."""
    seeded, window = random.Random(11), 40_000
    one, offset = Window(window), 0
    log: list[int] = []
    last: dict[int, tuple[int, int]] = {}
    for turn in range(90):
        due, events = [], []
        for _ in range(2000):
            is_new = seeded.random() < 0.7 or not log
            back = min(len(log), seeded.choice([10, window, window + 200, 2 * window]))
            log.append(seeded.getrandbits(64) if is_new else log[-seeded.randint(1, back)])
            said = seeded.choice([1, 1, 1, 2])
            repeats = log[-1] in last and offset - last[log[-1]][0] <= window
            due.append((repeats, repeats and last[log[-1]][1] != said))
            last[log[-1]] = offset, said
            events.append((log[-1], said, offset))
            offset += 1 if turn < 45 else seeded.random() < 0.3
        assert repeats_in(one, events) == due


def repeats_in(window: Window, events: list[tuple[int, int, int]]) -> list[tuple[bool, bool]]:
    """Whether each of some events (hash, content, offset) is a duplicate, and a conflict."""
    hashes, contents, offsets = zip(*events, strict=True) if events else ([], [], [])
    found = window.repeats(
        np.array(hashes, np.uint64), np.array(contents, np.uint32), np.array(offsets, np.int64)
    )
    return list(zip(*(which.tolist() for which in found), strict=True))
