"""A sealed group: its chunks, the token they are inserted under, and what announces them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

from pipeline.facts.heads import REQUESTS
from pipeline.protocol.chunks import Member, Members, Range, Source
from pipeline.protocol.groups import MOST_MEMBERS, token
from pipeline.protocol.partition import NOTHING, Chunk, Size

MOST = Size(100_000, 64 << 20)
"""What one group's chunks hold together, unless one alone holds more. Larger blocks save the store
nothing that counts, and several are inserted at the same time."""


class Group(NamedTuple):
    """Chunks of one topic that are inserted as one block."""

    members: Members
    """All that name it; a replay may make some of them only."""
    chunks: tuple[Chunk, ...]
    """Of those members that are not in the ledger yet, by partition."""
    late_before: date | None = None
    """The day that its rows are made under, of requests (`pipeline.protocol.late`)."""

    @classmethod
    def of(cls, chunks: Sequence[Chunk], late_before: date | None = None) -> Group:
        """Name the group of these chunks, made under a day if they are requests."""
        by_partition = sorted(chunks, key=lambda chunk: chunk.range.source)
        members = tuple(member_of(chunk.range) for chunk in by_partition)
        has_late = by_partition[0].facts.head.table == REQUESTS.table
        return cls(members, tuple(by_partition), late_before if has_late else None)

    @property
    def token(self) -> str:
        """The deduplication token of its inserts."""
        range_ = self.chunks[0].range
        return token(range_.source.topic, range_.incarnation, self.members)

    @property
    def ranges(self) -> list[Range]:
        """The ranges of its chunks."""
        return [chunk.range for chunk in self.chunks]


class Announced(NamedTuple):
    """A range as its intent names it."""

    range: Range
    members: Members = ()
    """Of its group; none where it is inserted by itself."""
    late_before: date | None = None


def announced(groups: Sequence[Group]) -> list[Announced]:
    """Return what is to be announced of the groups' chunks."""
    return [
        Announced(range_, group.members if len(group.members) > 1 else (), group.late_before)
        for group in groups
        for range_ in group.ranges
    ]


def member_of(range_: Range) -> Member:
    """Return the range as a member of a group."""
    return Member(range_.source.partition, range_.a, range_.b)


def sealed_together(
    chunks: Sequence[Chunk],
    shard_of: Callable[[Source], int] = lambda _: 0,
    late_before: date | None = None,
) -> list[Group]:
    """Put chunks that are sealed at the same time into groups of a bounded size, each of a shard.

    One block goes to one shard, where it is found again by its token.
    """
    return [Group.of(part, late_before) for part in parts(chunks, shard_of)]


def parts(
    chunks: Sequence[Chunk], shard_of: Callable[[Source], int] = lambda _: 0
) -> Iterator[list[Chunk]]:
    """The chunks of each of these groups, in order."""
    by_shard: dict[int, list[Chunk]] = {}
    for chunk in sorted(chunks, key=lambda c: c.range.source):
        by_shard.setdefault(shard_of(chunk.range.source), []).append(chunk)
    for _, some in sorted(by_shard.items()):
        yield from _parts(some)


def _parts(chunks: Sequence[Chunk]) -> Iterator[list[Chunk]]:
    part: list[Chunk] = []
    held = NOTHING
    for chunk in chunks:
        size = Size(chunk.facts.received, chunk.facts.held_bytes)
        is_other = bool(part) and _log(part[0]) != _log(chunk)
        if part and (is_other or len(part) == MOST_MEMBERS or (held + size).reaches(MOST)):
            yield part
            part, held = [], NOTHING
        part.append(chunk)
        held += size
    if part:
        yield part


def _log(chunk: Chunk) -> tuple[str, str]:
    return chunk.range.source.topic, chunk.range.incarnation


def range_of(topic: str, incarnation: str, member: Member) -> Range:
    """Return the range that a member of a group stands for."""
    return Range(Source(topic, member.partition), incarnation, member.a, member.b)
