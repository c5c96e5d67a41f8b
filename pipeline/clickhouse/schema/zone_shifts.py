"""Zones whose days ClickHouse has otherwise than the ``tzdata`` package: how views set them right.

A day of the package is shown by ClickHouse once its instants are moved by what the two beginnings
are apart, those of its second half by what the next day's are. So a zone is a short list of
instants from which on one number of seconds is added, each half a day from any midnight, and a
beginning that ClickHouse names is moved back by the same. The lists stand in the views' text as
constants; whoever asks in another zone pays for no more than their analysis.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from pipeline.clickhouse.schema.parts import Macro

HALF_A_DAY = 43_200
_MARGIN = 3_600
_PLACES = 1 << 32
"""Instants of one zone, in seconds, lie within one multiple of it."""
_GRAINS = ("day", "week", "month")


class Shift(NamedTuple):
    """A zone, and by what its instants are moved from when on."""

    zone: str
    changes: tuple[tuple[int, int], ...]
    """(since when, seconds to add), in seconds since 1970, in order; before the first: none."""


Shifts = tuple[Shift, ...]


def between(zone: str, ours: Sequence[int], theirs: Sequence[int]) -> Shift | None:
    """What leads from our days to theirs; None where days are too long, too short or too far off.

    Args:
        zone: its name.
        ours: when each of some consecutive days begins by the package, in seconds since 1970.
        theirs: the same by ClickHouse.
    """
    apart = [engine - own for own, engine in zip(ours, theirs, strict=True)]
    shortest, longest = HALF_A_DAY + _MARGIN, 3 * HALF_A_DAY - _MARGIN
    lengths = (end - begin for days in (ours, theirs) for begin, end in pairwise(days))
    if not all(shortest <= one <= longest for one in lengths):
        return None
    if max(map(abs, apart)) > HALF_A_DAY - _MARGIN:
        return None
    return Shift(zone, tuple(_changes(ours, apart)))


def _changes(ours: Sequence[int], apart: Sequence[int]) -> Iterator[tuple[int, int]]:
    known = 0
    for begin, seconds in zip(ours, apart, strict=True):
        if seconds != known:
            yield begin - HALF_A_DAY, seconds
            known = seconds
    if known:  # nothing is known of later days
        yield ours[-1] + HALF_A_DAY, 0


def macros(shifts: Shifts) -> dict[str, Macro]:
    """The macros of ``_parts/calendar.sql`` that no file holds, by name."""
    return {macro.name: macro for macro in _macros(shifts)}


def _macros(shifts: Shifts) -> Iterator[Macro]:
    names = _texts(shift.zone for shift in shifts)
    buckets = _texts(f"{shift.zone} {grain}" for shift in shifts for grain in _GRAINS)
    asked = f"{{tz:String}} IN ({names})"
    by_grain = f"concat({{tz:String}}, ' ', {{grain:String}}) IN ({buckets})"
    for name, condition, sign in (
        ("_shown", asked, "+"),
        ("_shown_by_grain", by_grain, "+"),
        ("_started", by_grain, "-"),
    ):
        moved = f"if({condition}, at {sign} {_seconds(shifts)}, at)" if shifts else "at"
        yield Macro(name, ("at",), moved)


def _seconds(shifts: Shifts) -> str:
    """By what an instant of the zone that is asked for is moved."""
    lists = dict.fromkeys(shift.changes for shift in shifts)
    numbers = {changes: number for number, changes in enumerate(lists, 1)}
    places = [
        (number * _PLACES + since, seconds)
        for changes, number in numbers.items()
        for since, seconds in ((0, 0), *changes)
    ]
    keys, seconds = ([one[part] for one in places] for part in (0, 1))
    names = _texts(shift.zone for shift in shifts)
    bases = [numbers[shift.changes] * _PLACES for shift in shifts]
    base = f"transform({{tz:String}}, [{names}], {bases}, 0)"
    return f"transform(roundDown(toUnixTimestamp(at) + {base}, {keys}), {keys}, {seconds}, 0)"


def _texts(values: Iterator[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)
