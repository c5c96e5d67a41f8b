"""Days of metrics: what they are kept by, and which are asked for."""

from __future__ import annotations

import hashlib

import pytest

from pipeline.clickhouse.schema import resources, views
from pipeline.views import catalogue
from pipeline.views.catalogue import ByDay

MEANING = (1, "23dda422f221e178")
"""The number in `_asks`, and the digest of all that says what a metric's events come to."""
SAY_SO = (
    "_of_events", "_left_of", "_all_hold", "_all_hold_plain", "_numbers", "_holds", "_is_range",
    "_within", "_decimal", "_instant", "_leaf", "_key",
)  # fmt: skip


def test_the_number_is_raised_where_the_same_question_is_answered_otherwise() -> None:
    """If this fails: would a day that was added up before come to something else now?

    Then raise the number in `_asks`; the days of before are taken no more. Either way, write the
    new digest here.
    """
    macros, _ = views.pieces(resources.views())
    asks = macros["_asks"].text
    says = "\n".join(macros[name].text for name in SAY_SO)
    [number] = [n for n in range(1, 100) if f"toString(({n}, d.calculation" in asks]
    assert (number, hashlib.sha256(says.encode()).hexdigest()[:16]) == MEANING


@pytest.mark.parametrize(
    ("made", "spared", "asked"), [("", 10**9, False), ("7", 1, False), ("7,8", 10**9, True)]
)
def test_days_are_asked_where_they_spare_enough(made: str, spared: int, asked: bool) -> None:
    by_day = ByDay("", "SELECT {made:String}, {as_of:String}", {"as_of": "x"})
    found = by_day.asked(made, spared)
    assert found == (f"(SELECT '{made}', 'x')" if asked else "")
    assert catalogue.WORTH > 1
