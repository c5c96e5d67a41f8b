"""The simulator never gets further ahead of the group than the embedded broker keeps."""

from __future__ import annotations

from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from pipeline.simulate.pace import AHEAD_BYTES, room

SIZE = 50_000
"""Of each record, in bytes."""

Step = tuple[list[int], list[int], list[int]]


def steps() -> st.SearchStrategy[list[Step]]:
    """What is sent to three partitions, how much of it lands, and how much is counted."""
    each = st.lists(st.integers(0, 40), min_size=3, max_size=3)
    return st.lists(st.tuples(each, each, each), max_size=12)


@given(steps())
def test_no_partition_has_more_uncounted_than_is_kept(world: list[Step]) -> None:
    sent, landed, counted = [0] * 3, [0] * 3, [0] * 3
    limit = AHEAD_BYTES
    for wanted, lands, counts in world:
        for at, records in enumerate(wanted):
            may = max(0, -(-(limit - sum(sent) * SIZE) // SIZE))
            sent[at] += min(records, may)
            landed[at] = min(sent[at], landed[at] + lands[at])
            counted[at] = min(landed[at], counted[at] + counts[at])
        assert max(s - c for s, c in zip(sent, counted, strict=True)) * SIZE < AHEAD_BYTES + SIZE
        so_far = sum(sent), sum(sent) * SIZE
        ends = {TopicPartition("t", at): end for at, end in enumerate(landed)}
        behind = max(e - c for e, c in zip(landed, counted, strict=True))
        limit = so_far[1] + room(so_far, ends, behind)


def test_a_group_that_has_counted_all_leaves_all_the_room() -> None:
    ends = {TopicPartition("t", 0): 7}
    assert room((7, 7 * SIZE), ends, 0) == AHEAD_BYTES
    assert room((0, 0), {}, 0) == AHEAD_BYTES
    assert room((100, 100 * SIZE), ends, 0) < 0
