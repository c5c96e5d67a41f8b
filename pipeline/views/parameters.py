"""From what a person typed to the values of a view's parameters. Pure."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from datetime import datetime, timedelta

from pipeline.errors import UsageError
from pipeline.facts import zones
from pipeline.process import times
from pipeline.views.call import Value
from pipeline.views.catalogue import View

GRAINS = ("minute", "hour", "day", "week", "month")
DEFAULTS = {
    "since": "30d",
    "until": "now",
    "as_of": "now",
    "months": "12",
    "periods": "3",
    "tz": "UTC",
    "grain": "",
    "k": "10",
    "tenant": "",
    "token": "",
    "metric": "",
}
"""What holds for an option that is not given; the grain then follows the range."""

GRAINS_UP_TO = ((timedelta(hours=3), "minute"), (timedelta(days=3), "hour"))
"""As dashboards have them (D2): an hour by the minute, a day by the hour, longer by the day."""

_YEARS = range(1970, 2106)  # what a DateTime can hold
LARGEST = 65_535


def values(view: View, given: Mapping[str, str], now: datetime) -> dict[str, Value]:
    """A value for each parameter of the view: what was given, else the default.

    ``view``: with its columns, for those by month begin with one. ``given``: parameters by name,
    as typed.

    Raises:
        UsageError: the view lacks a parameter, or a value is not what it must be.
    """
    has = [parameter.name for parameter in view.parameters]
    for name in given:
        if name not in has:
            raise UsageError(f"{view.name} takes no {option(name)}; {_takes(has)}")
    missing = [name for name in has if name not in given and name not in DEFAULTS]
    if missing:
        raise UsageError(f"{view.name} wants {', '.join(map(option, missing))}")
    texts = {name: given.get(name, DEFAULTS.get(name, "")) for name in has}
    found = {
        name: _value(name, text)
        for name, text in texts.items()
        if name not in _TIMES and (name != "grain" or name in given)
    }
    by_month = any(column.name == "month" for column in view.columns)
    found |= _times(texts, str(found.get("tz", "UTC")), now, by_month and "since" not in given)
    if "grain" in has and "grain" not in given:
        found["grain"] = _grain(found.get("since"), found.get("until"))
    return {name: found[name] for name in has}


def _grain(since: Value | None, until: Value | None) -> str:
    if isinstance(since, datetime) and isinstance(until, datetime):
        for longest, grain in GRAINS_UP_TO:
            if until - since <= longest:
                return grain
    return "day"


def option(parameter: str) -> str:
    """The option of a parameter: ``--as-of``."""
    return f"--{parameter.replace('_', '-')}"


def _takes(has: list[str]) -> str:
    return f"it takes {', '.join(map(option, has))}" if has else "it takes no options"


_TIMES = ("since", "until", "as_of")


def _times(
    texts: Mapping[str, str], tz: str, now: datetime, whole_months: bool
) -> dict[str, Value]:
    found: dict[str, Value] = {}
    # An end without its seconds would leave out the minute that runs. `as_of` does lose them: the
    # end of a month's last minute would be an instant of the next month.
    end = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    for name in ("as_of", "until", "since"):  # since is counted back from until
        if name in texts:
            text = texts[name]
            if name == "since" and whole_months:
                text = _first_month(end, tz)
            from_end = name == "since" or (name, text) == ("until", "now")
            at = _instant(name, text, tz, end if from_end else now)
            found[name] = at
            end = at if name == "until" else end
    since, until = found.get("since"), found.get("until")
    if isinstance(since, datetime) and isinstance(until, datetime) and since >= until:
        raise UsageError(
            f"--since {since:%Y-%m-%d %H:%M} is not before --until {until:%Y-%m-%d %H:%M}"
        )
    return found


def _first_month(end: datetime, tz: str) -> str:
    """The first day of the earliest of the months up to ``end``, ``2025-06-01``; whole months."""
    last = (end - timedelta(minutes=1)).astimezone(zoneinfo.ZoneInfo(tz))
    year, month = divmod(last.year * 12 + last.month - int(DEFAULTS["months"]), 12)
    return f"{year}-{month + 1:02}-01"


def _instant(name: str, text: str, tz: str, end: datetime) -> datetime:
    """As :mod:`pipeline.process.times` reads it; seconds are cut off, as the views do."""
    at = times.instant(text, name=option(name), now=end, zone=zoneinfo.ZoneInfo(tz))
    if at.year not in _YEARS:
        raise UsageError(f"{option(name)} {text!r} is not between 1970 and 2105")
    return at.replace(second=0, microsecond=0)


def _value(name: str, text: str) -> Value:
    if name == "tz":
        return zone(text)
    if name == "grain":
        if text not in GRAINS:
            raise UsageError(f"--grain {text!r} is none of {', '.join(GRAINS)}")
        return text
    if name in ("months", "periods", "k"):
        if not re.fullmatch(r"\d{1,5}", text) or not 1 <= int(text) <= LARGEST:
            raise UsageError(f"{option(name)} {text!r} is no whole number from 1 to {LARGEST:,}")
        return int(text)
    return text


def zone(text: str) -> str:
    """The time zone of that name.

    Raises:
        UsageError: there is none.
    """
    if text not in zones.names():
        raise UsageError(f"--tz {text!r} is no IANA time zone{zones.hint(text)}")
    return text
