"""Which worker gets which partitions: each topic is spread evenly, and as few move as may.

aiokafka's sticky assignor evens out the sum over all topics, so that workers which join one after
the other take over whole topics: of two, of four workers one may have all requests, as
``findings/aiokafka-sticky-topics.sh`` shows. The protocol's name and what members say of themselves
are its own all the same, so that workers of earlier releases are in the same group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any, ClassVar, NamedTuple

from aiokafka.coordinator.assignors.sticky.sticky_assignor import (
    StickyAssignorUserDataV1,
    StickyPartitionAssignor,
)
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)

from pipeline.protocol.chunks import Source
from pipeline.protocol.late import given_out

_DAY = b"+late<"
"""Before a day, at the end of what a member says and is told of itself. Releases that know nothing
of it read no further than to their own end."""


class Joining(NamedTuple):
    """A member of the group, as it joins."""

    topics: Collection[str]
    """Full names of those that it reads."""
    had: Collection[Source] = ()
    """What it was assigned last."""
    generation: int = -1
    """When that was: of two that had a partition, the later one did."""


def spread(
    partitions: Mapping[str, Collection[int]], members: Mapping[str, Joining]
) -> dict[str, set[Source]]:
    """Return what each member gets: of each topic, and in all, as many as others, give or take one.

    What a member had it keeps, as far as that allows; who joins takes from all, who leaves gives to
    all. In all only of members that read the same topics. The same for whoever works it out.
    """
    had = _had(members)
    given: dict[str, set[Source]] = {member: set() for member in members}
    total: Counter[str] = Counter()
    for topic in sorted(partitions, key=lambda name: (-len(partitions[name]), name)):
        sources = sorted(Source(topic, number) for number in partitions[topic])
        readers = sorted(member for member, one in members.items() if topic in one.topics)
        if not readers:
            continue
        kept = {member: [s for s in sources if had.get(s) == member] for member in readers}
        quotas = _quotas(kept, len(sources), total)
        for member, quota in quotas.items():
            given[member].update(kept[member][:quota])
        free = [s for s in sources if not any(s in given[member] for member in readers)]
        for member, quota in quotas.items():
            missing = max(0, quota - len(kept[member]))
            given[member].update(free[:missing])
            free = free[missing:]
            total[member] += quota
    _even_out(given, members, had)
    return given


def _even_out(
    given: dict[str, set[Source]], members: Mapping[str, Joining], had: Mapping[Source, str]
) -> None:
    """Let remainders of topics not add up: who has two more in all gives one that is one more."""
    while move := _move(given, members, had):
        source, giver, taker = move
        given[giver].remove(source)
        given[taker].add(source)


def _move(
    given: Mapping[str, Collection[Source]],
    members: Mapping[str, Joining],
    had: Mapping[Source, str],
) -> tuple[Source, str, str] | None:
    """Which partition goes from whom to whom next, rather one that the giver did not have."""
    counts = {member: Counter(s.topic for s in sources) for member, sources in given.items()}
    by_total = sorted(given, key=lambda member: (len(given[member]), member))
    for giver in reversed(by_total):
        for taker in by_total:
            if len(given[giver]) < len(given[taker]) + 2:
                break
            may = [
                s
                for s in given[giver]
                if s.topic in members[taker].topics
                and counts[giver][s.topic] > counts[taker][s.topic]
            ]
            if may:
                return min(may, key=lambda s: (had.get(s) == giver, s)), giver, taker
    return None


def _had(members: Mapping[str, Joining]) -> dict[Source, str]:
    in_order = sorted(members.items(), key=lambda one: (one[1].generation, one[0]))
    return {source: member for member, one in in_order for source in one.had}


def _quotas(
    kept: Mapping[str, Collection[Source]], count: int, total: Mapping[str, int]
) -> dict[str, int]:
    """How many each gets: one more who had it anyway, then who has least of other topics."""
    least, more = divmod(count, len(kept))
    order = sorted(kept, key=lambda one: (-min(len(kept[one]), least + 1), total[one], one))
    return {member: least + (place < more) for place, member in enumerate(order)}


class Days:
    """The day that this member knows, and the one that its generation was given."""

    def __init__(self) -> None:
        self.known: date | None = None
        self.said: date | None = None
        """What it knew as it joined."""
        self.given: date | None = None


class EvenStickyAssignor(StickyPartitionAssignor):  # type: ignore[misc]  # it has no types
    """The sticky assignor, with topics spread evenly; it gives out the generation's day."""

    days: ClassVar[Days] = Days()

    @classmethod
    def of(cls, days: Days) -> type[EvenStickyAssignor]:
        """Return the assignor of one member: its state is kept with the class."""
        return type(cls.__name__, (cls,), {"days": days})

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """Be asked for what this member says as it joins."""
        own = super().metadata(topics)
        day = cls.days.said = cls.days.known
        if day is None:
            return own
        said = own.user_data or StickyAssignorUserDataV1([], cls.generation).encode()
        return ConsumerProtocolMemberMetadata(own.version, own.subscription, said + _of_day(day))

    @classmethod
    def assign(
        cls, cluster: Any, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Be asked by the group's leader for what each member gets."""
        joining = {member: cls._joining(said) for member, said in members.items()}
        topics = {topic for one in joining.values() for topic in one.topics}
        partitions = {topic: cluster.partitions_for_topic(topic) or () for topic in topics}
        told = _of_day(given_out(_day(said.user_data) for said in members.values()))
        return {
            member: ConsumerProtocolMemberAssignment(cls.version, _by_topic(sources), told)
            for member, sources in spread(partitions, joining).items()
        }

    @classmethod
    def on_assignment(cls, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Be told what this member gets, before its callback is."""
        super().on_assignment(assignment)
        cls.days.given = _day(assignment.user_data)

    @classmethod
    def _joining(cls, said: ConsumerProtocolMemberMetadata) -> Joining:
        read = cls.parse_member_metadata(said)
        had = [Source(*tp) for tp in read.partitions]
        return Joining(frozenset(read.subscription), had, read.generation)


def _of_day(day: date | None) -> bytes:
    return b"" if day is None else _DAY + day.isoformat().encode()


def _day(user_data: bytes | None) -> date | None:
    _, found, text = (user_data or b"").rpartition(_DAY)
    try:
        return date.fromisoformat(text.decode("ascii")) if found else None
    except ValueError:  # whatever it is, it is none of ours
        return None


def _by_topic(sources: Collection[Source]) -> list[tuple[str, list[int]]]:
    numbers: dict[str, list[int]] = {}
    for topic, number in sorted(sources):
        numbers.setdefault(topic, []).append(number)
    return list(numbers.items())
