"""The time zones: those of the ``tzdata`` package, so that no answer depends on the machine.

Another version of the package may know other zones, which changes what some log comes to: its
version is among the rules (:class:`pipeline.facts.Rules`).
"""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from importlib import resources

import tzdata

VERSION: str = tzdata.IANA_VERSION
"""Of the time zone database: ``2026f``."""

_OFFSET = re.compile(r"(?:GMT|UTC|Z)?\s*([+-])([0-9]{1,2})(?::?([0-5][0-9]))?", re.IGNORECASE)


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """The names of all zones; case matters."""
    return frozenset(resources.files(tzdata).joinpath("zones").read_text("utf-8").split())


def hint(text: str) -> str:
    """Which zone was probably meant by a name that is none: ``, did you mean …?``; else nothing."""
    offset = _OFFSET.fullmatch(text.strip())
    if offset:
        return _offset_hint(*offset.groups())
    by_small = {zone.lower(): zone for zone in names()}
    by_city = {zone.rpartition("/")[2].lower(): zone for zone in sorted(names())}
    same = by_small.get(text.lower()) or by_city.get(text.lower().replace(" ", "_"))
    close = [same] if same else difflib.get_close_matches(text, sorted(names()), n=1, cutoff=0.5)
    return f", did you mean {close[0]!r}?" if close else ""


def _offset_hint(sign: str, hours: str, minutes: str | None) -> str:
    """IANA's fixed zones have the sign turned round, and whole hours only."""
    zone = f"Etc/GMT{'-' if sign == '+' else '+'}{int(hours)}"
    if zone in names() and not int(minutes or 0):
        return f", did you mean {zone!r} ({sign}{int(hours):02}:00: its sign is turned round)?"
    return "; an offset is none, a place is: 'Asia/Kolkata'"
