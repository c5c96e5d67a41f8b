"""Which worker gets which partitions (`pipeline.worker.transport.assignor`), as groups change."""

from __future__ import annotations

from collections import Counter
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from hypothesis import given
from hypothesis import strategies as st

from pipeline.protocol.chunks import Source
from pipeline.worker.transport.assignor import Days, EvenStickyAssignor, Joining, spread

TOPICS = {"a": 64, "b": 64, "c": 7, "definitions": 1}
ALL = {Source(topic, n) for topic, count in TOPICS.items() for n in range(count)}
PARTITIONS = {topic: range(count) for topic, count in TOPICS.items()}

TODAY, TOMORROW = date(2026, 11, 29), date(2026, 11, 30)

Given = dict[str, set[Source]]


def after(members: list[str], had: Given, generation: int = 1) -> Given:
    """What a group of these members gets, which had this."""
    joining = {m: Joining(list(TOPICS), had.get(m, set()), generation) for m in members}
    return spread(PARTITIONS, joining)


def holds(found: Given) -> None:
    """Each partition is one member's, and each topic is spread evenly."""
    assert sum(map(len, found.values())) == len(ALL)
    assert set().union(*found.values()) == ALL
    for topic in TOPICS:
        counts = [sum(s.topic == topic for s in sources) for sources in found.values()]
        assert max(counts) - min(counts) <= 1, (topic, counts)
    totals = [len(sources) for sources in found.values()]
    assert max(totals) - min(totals) <= 1


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=25))
def test_who_joins_takes_from_all_and_who_leaves_gives_to_all(
    changes: list[tuple[bool, int]],
) -> None:
    """One at a time, in any order: who stays changes partitions for remainders of topics only."""
    names = [f"m{n}" for n in range(40)]
    members = [names.pop()]
    had = after(members, {})
    for joins, which in changes:
        one = names.pop() if joins else members[which % len(members)]
        if not joins and len(members) == 1:
            continue
        (members.append if joins else members.remove)(one)
        found = after(members, had)
        holds(found)
        stayed = set(members) - {one}
        if joins:
            moved = sum(len(found[member] - had[member]) for member in stayed)
        else:
            moved = sum(len(had[member] - found[member]) for member in stayed)
        assert moved <= len(stayed) * len(TOPICS) / 2
        assert after(members, found) == found, "nothing moves when nobody comes or goes"
        had = found


@given(
    st.dictionaries(
        st.sampled_from("uvwxyz"),
        st.tuples(
            st.sets(st.sampled_from(sorted(TOPICS)), min_size=1),
            st.sets(st.sampled_from(sorted(ALL))),
            st.integers(-1, 3),
        ),
        min_size=1,
    )
)
def test_whatever_members_say_each_partition_goes_to_one_that_reads_it(
    said: dict[str, tuple[set[str], set[Source], int]],
) -> None:
    """Releases that read other topics, partitions that two claim: the later one had them."""
    joining = {member: Joining(*one) for member, one in said.items()}
    found = spread(PARTITIONS, joining)
    times = Counter(source for sources in found.values() for source in sources)
    read = set().union(*(topics for topics, _, _ in said.values()))
    assert times == Counter(source for source in ALL if source.topic in read)
    for member, sources in found.items():
        assert {source.topic for source in sources} <= said[member][0]


def test_workers_that_join_one_after_the_other_all_read_each_topic() -> None:
    had: Given = {}
    for count in range(1, 9):
        had = after([f"m{n}" for n in range(count)], had)
    assert all(sum(s.topic == "a" for s in sources) == 8 for sources in had.values())


def test_small_topics_are_not_all_one_workers() -> None:
    """Five of one partition: who joins gets two of them, and who stays keeps three."""
    partitions = {f"topic-{n}": range(1) for n in range(5)}
    alone = spread(partitions, {"m": Joining(list(partitions))})
    both = spread(
        partitions,
        {"m": Joining(list(partitions), alone["m"], 1), "n": Joining(list(partitions))},
    )
    assert sorted(map(len, both.values())) == [2, 3]
    assert both["m"] < alone["m"]


def test_it_speaks_as_the_sticky_assignor_of_earlier_releases() -> None:
    """The same protocol: what a member had comes along, and the leader's answer is read."""
    cluster: Any = SimpleNamespace(partitions_for_topic=lambda topic: set(PARTITIONS[topic]))
    topics = list(TOPICS)
    try:
        new = EvenStickyAssignor.metadata(topics)
        first = EvenStickyAssignor.assign(cluster, {"m": new})["m"]
        EvenStickyAssignor.on_assignment(first)
        EvenStickyAssignor.on_generation_assignment(5)
        told = EvenStickyAssignor.metadata(topics)
        found = EvenStickyAssignor.assign(cluster, {"m": told, "n": new})
    finally:
        EvenStickyAssignor.member_assignment, EvenStickyAssignor.generation = None, -1
    assert EvenStickyAssignor.name == "sticky"
    assert {Source(*tp) for tp in first.partitions()} == ALL
    parts = {member: {Source(*tp) for tp in one.partitions()} for member, one in found.items()}
    holds(parts)


class Cluster:
    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(range(TOPICS[topic]))


def joined(*known: date | None) -> tuple[list[Days], dict[str, Any]]:
    """What members say that know these days, each as one of a process of its own."""
    days = [Days() for _ in known]
    said = {}
    for n, (one, day) in enumerate(zip(days, known, strict=True)):
        one.known = day
        member = EvenStickyAssignor.of(one).metadata(list(TOPICS))
        said[f"m{n}"] = type(member).decode(member.encode())
    return days, said


@pytest.mark.parametrize(
    ("known", "given"),
    [
        ((TODAY,), TODAY),
        ((TODAY, TOMORROW, TODAY), TOMORROW),
        ((TODAY, None), None),
        ((None, None), None),
    ],
)
def test_a_generation_is_given_the_latest_day_that_its_members_know(
    known: tuple[date | None, ...], given: date | None
) -> None:
    """None where one knows none, as those of an earlier release."""
    days, said = joined(*known)
    told = EvenStickyAssignor.of(days[0]).assign(Cluster(), said)
    for one, assignment in zip(days, told.values(), strict=True):
        assignor = EvenStickyAssignor.of(one)
        one.given = TODAY
        assignor.on_assignment(type(assignment).decode(assignment.encode()))
        assert one.given == given
        assert assignor.member_assignment == assignment.partitions()
    assert [one.said for one in days] == list(known)


def test_members_of_an_earlier_release_read_what_is_said_with_a_day_and_give_none() -> None:
    days, said = joined(TODAY, TODAY)
    assignor = EvenStickyAssignor.of(days[0])
    told = assignor.assign(Cluster(), said)["m0"]
    assignor.on_assignment(told)
    again = assignor.metadata(list(TOPICS))
    read = StickyPartitionAssignor.parse_member_metadata(again)
    assert read.partitions == told.partitions()
    assignor.on_assignment(ConsumerProtocolMemberAssignment(0, told.assignment, b""))
    assert days[0].given is None
