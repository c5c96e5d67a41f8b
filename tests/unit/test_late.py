"""Whether a block of an earlier day may still come (`pipeline.protocol.late`)."""

from __future__ import annotations

from datetime import date

import pytest

from pipeline.protocol.chunks import (
    Intent,
    Member,
    Members,
    Offset,
    Range,
    Source,
    commit_metadata,
    intent_metadata,
)
from pipeline.protocol.late import given_out, open_before, said

BEFORE, TODAY = date(2026, 11, 28), date(2026, 11, 29)
THIS = "this"
GROUP = (Member(0, 10, 20), Member(1, 5, 9))


def named(p: int, a: int, b: int, day: date | None, group: Members = GROUP) -> Offset:
    return Offset(a, intent_metadata(Range(Source("t", p), THIS, a, b), "r", group, day))


CLOSED = {0: Offset(20, commit_metadata(THIS, BEFORE)), 1: Offset(9, commit_metadata(THIS))}


@pytest.mark.parametrize(
    ("offsets", "intents", "covered", "found"),
    [
        (CLOSED, {}, {0: 20, 1: 9}, None),
        ({0: named(0, 10, 20, BEFORE)}, {}, {0: 10, 1: 5}, 0),
        ({0: named(0, 10, 20, BEFORE)}, {}, {0: 20, 1: 5}, 1),  # as one member announces all
        ({0: named(0, 10, 20, BEFORE)}, {}, {0: 20, 1: 9}, None),  # its commit was lost
        ({0: named(0, 10, 20, TODAY)}, {}, {0: 10, 1: 5}, None),
        ({0: named(0, 10, 20, None)}, {}, {0: 10, 1: 5}, None),
        ({1: named(1, 5, 9, BEFORE, ())}, {}, {0: 20}, 1),  # nothing is counted of it yet
        (CLOSED, {1: Intent(9, 12, "r", (), BEFORE)}, {0: 20, 1: 9}, 1),
        (CLOSED, {3: Intent(0, 2, "r", (), BEFORE)}, {0: 20, 1: 9}, 3),  # of a new partition
    ],
)
def test_an_open_intent_of_an_earlier_day_is_found_wherever_it_is_announced(
    offsets: dict[int, Offset],
    intents: dict[int, Intent],
    covered: dict[int, int],
    found: int | None,
) -> None:
    assert open_before(TODAY, offsets, intents, covered, THIS) == found


def test_the_latest_day_counts_of_offsets_and_of_members() -> None:
    assert said([*CLOSED.values(), named(1, 5, 9, TODAY), Offset(3, "")]) == TODAY
    assert said([Offset(3, "not ours")]) is None
    assert given_out([BEFORE, TODAY]) == TODAY
    assert given_out([BEFORE, None]) is None
    assert given_out([]) is None
