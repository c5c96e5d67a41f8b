"""Which chunks that are sealed together become one group."""

from __future__ import annotations

from datetime import date

from pipeline.facts.interface import Head
from pipeline.facts.python_facts import PythonFacts
from pipeline.protocol.chunks import Member, Range, Source
from pipeline.protocol.groups import MOST_MEMBERS
from pipeline.protocol.partition import Chunk
from pipeline.protocol.sealed import MOST, Announced, announced, parts, sealed_together


def chunk(
    partition: int, events: int = 1, topic: str = "usage.requests", table: str = "requests_in"
) -> Chunk:
    facts = PythonFacts(Head(table, ()))
    facts.received = events
    return Chunk(Range(Source(topic, partition), "this", 0, 9), facts, {})


def test_a_group_is_of_one_topic_in_the_order_of_partitions() -> None:
    groups = sealed_together([chunk(2), chunk(0, topic="usage.events"), chunk(0)])
    assert [group.ranges[0].source.topic for group in groups] == ["usage.events", "usage.requests"]
    assert groups[1].members == (Member(0, 0, 9), Member(2, 0, 9))


def test_a_group_is_bounded_in_members_and_in_events() -> None:
    groups = sealed_together([chunk(p) for p in range(MOST_MEMBERS + 1)])
    assert [len(group.chunks) for group in groups] == [MOST_MEMBERS, 1]
    large = MOST.events // 2
    groups = sealed_together([chunk(0, large), chunk(1, large - 1), chunk(2, 2 * MOST.events)])
    assert [len(group.chunks) for group in groups] == [2, 1]


def test_a_chunk_by_itself_is_announced_and_named_as_before_groups() -> None:
    [group] = sealed_together([chunk(3)])
    assert announced([group]) == [Announced(group.ranges[0])]
    assert group.token == group.ranges[0].token


def test_requests_are_made_and_announced_under_the_day_that_is_given_out() -> None:
    day = date(2026, 11, 29)
    groups = sealed_together([chunk(0), chunk(1)], late_before=day)
    assert [group.late_before for group in groups] == [day]
    assert [one.late_before for one in announced(groups)] == [day, day]
    other = chunk(0, table="events_in")
    [group] = sealed_together([other], late_before=day)
    assert (group.late_before, announced([group])) == (None, [Announced(other.range)])


def test_a_group_is_of_one_shard() -> None:
    chunks = [chunk(p) for p in range(5)]
    groups = sealed_together(chunks, lambda source: source.partition % 2)
    assert len(list(parts(chunks, lambda source: source.partition % 2))) == len(groups)
    assert [[r.source.partition for r in group.ranges] for group in groups] == [[0, 2, 4], [1, 3]]
    assert len({group.token for group in groups}) == 2
