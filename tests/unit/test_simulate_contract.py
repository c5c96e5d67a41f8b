"""What the simulator sends, as the pipeline reads it: each event becomes what it was meant to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain, islice
from typing import NamedTuple

import pytest

from pipeline.facts import Facts, Rules, reader
from pipeline.simulate import malformed
from pipeline.simulate.stream import TOPICS, Message, Options, stream
from pipeline.simulate.world import build_world

START_MS = 1_780_315_200_000
OPTIONS = Options(
    rate=1000, late=0.1, malformed=0.1, duplicates=0.05, actions=0.25, events=0.25, changes=0.25
)


class Record(NamedTuple):
    offset: int
    timestamp: int
    headers: Sequence[tuple[str, bytes]]
    value: bytes | None


def sent(topic: str, count: int = 12_000) -> list[Message]:
    blocks = stream(build_world(11, 30), OPTIONS, run="run", start_ms=START_MS)
    return [m for m in islice(chain.from_iterable(blocks), count) if m.topic == topic]


def read(topic: str, messages: list[Message]) -> Facts:
    one = reader(topic, Rules())
    facts = one.facts()
    one.read([Record(n, m.at_ms, [], m.value) for n, m in enumerate(messages)], facts)
    return facts


@pytest.mark.parametrize("topic", TOPICS)
def test_every_event_counts_but_the_malformed_ones(topic: str) -> None:
    messages = sent(topic)
    facts = read(topic, messages)
    wrong = {r.offset: (r.message, r.value) for r in facts.rejections}
    kinds = Counter(m.kind for m in messages)
    assert {n: wrong[n] for n in wrong if messages[n].kind != "malformed"} == {}
    assert facts.rejected == kinds["malformed"] > 100
    assert facts.counted + facts.duplicate == len(messages) - kinds["malformed"]


@pytest.mark.parametrize("topic", TOPICS)
def test_every_malformed_event_is_rejected_for_its_reason(topic: str) -> None:
    messages = sent(topic)
    found = {r.offset: r.reason for r in read(topic, messages).rejections}
    assert found == {n: m.reason for n, m in enumerate(messages) if m.reason}
    assert set(found.values()) == {one.reason for one in malformed.BREAKAGES}


@pytest.mark.parametrize("topic", TOPICS)
def test_every_event_is_its_tenants(topic: str) -> None:
    messages = sent(topic)
    facts = read(topic, messages)
    tenants = facts.columns[[name for name, _ in facts.head.columns].index("tenant")]
    valid = [m.key.decode() for m in messages if not m.reason]
    if not facts.duplicate:
        assert list(tenants) == valid
    assert set(tenants) == set(valid)
