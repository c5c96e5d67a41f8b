"""The zones' offsets as rows: ClickHouse's functions of time take no zone that stands in a column.

They are those of the ``tzdata`` package. What a file lists is read from it (RFC 8536); what follows
by its last rule, summer time for good, is asked from `zoneinfo`, once for each such rule.
"""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import tzdata

from pipeline.facts import zones

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.clickhouse.client import Store

FIRST, LAST = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (1970, 2070))
"""Changes of offsets are known in between, in seconds since 1970."""

ALWAYS = 1 << 40
"""Beyond any instant, in seconds."""

OFFSETS = (
    ("version", "String"),
    ("zone", "String"),
    ("since", "Int64"),
    ("utc_offset", "Int32"),
    ("reached", "Int64"),
)

Change = tuple[int, int]
"""(since when, seconds to add to UTC)."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - in UTC, as ZoneInfo.fromutc takes it
_STEP = 14 * 86_400
_HEADER = struct.Struct(">4sc15x6l")


class _File(NamedTuple):
    changes: tuple[Change, ...]
    rule: str
    """What holds after the last change, as POSIX writes it; with a comma, it changes every year."""

    def is_changed(self, instant: int) -> bool:
        """Whether its list, which ends where one rule holds for good, goes on until then."""
        return self.changes[-1][0] >= instant


def load(store: Store, before_each: Callable[[], None] = lambda: None) -> bool:
    """Fill the table of zones, if it is not of this version; returns whether it was done.

    Killed in the middle, it starts again the next time: the version is written last.
    ``before_each`` is called before every statement.
    """
    newest = store.query("SELECT argMax(version, loaded_at) FROM _zone_versions", consistent=True)
    if newest == [(zones.VERSION,)]:
        return False
    rows = offsets()
    before_each()
    columns = [list(column) for column in zip(*rows, strict=True)]
    store.insert("_zone_offsets", OFFSETS, [[zones.VERSION] * len(rows), *columns])
    before_each()
    store.insert("_zone_versions", (("version", "String"),), [[zones.VERSION]])
    return True


@lru_cache(maxsize=1)
def offsets() -> list[tuple[str, int, int, int]]:
    """(zone, since, offset, reached) of all zones: see the table's own comments."""
    contents = {name: _content(name) for name in zones.names()}
    files = {content: _parse(content) for content in set(contents.values())}
    by_rule: dict[str, tuple[int, bytes]] = {}
    for content, file in files.items():
        if "," in file.rule:
            place = (file.changes[-1][0], content)
            by_rule[file.rule] = min(place, by_rule.get(file.rule, place))
    later = {rule: list(_by_looking(*place)) for rule, place in by_rule.items()}
    return [
        (name, *row)
        for name, content in sorted(contents.items())
        for row in _rows(files[content], later.get(files[content].rule, []))
    ]


@lru_cache(maxsize=64)
def rows_of(name: str) -> tuple[tuple[int, int, int], ...]:
    """(since, offset, reached) of one zone, without a look at the others."""
    content = _content(name)
    file = _parse(content)
    later = _by_looking(file.changes[-1][0], content) if "," in file.rule else ()
    return tuple(_rows(file, list(later)))


@lru_cache(maxsize=4)
def changed_since(instant: int) -> tuple[str, ...]:
    """The zones whose rules changed at or after an instant, in seconds since 1970."""
    return tuple(
        name for name in sorted(zones.names()) if _parse(_content(name)).is_changed(instant)
    )


def _content(name: str) -> bytes:
    return resources.files(tzdata).joinpath("zoneinfo", *name.split("/")).read_bytes()


def _parse(content: bytes) -> _File:
    """Read the second part of a file: the one with times of 64 bits, and the rule behind it."""
    utc, standard, leaps, times, types, letters = _HEADER.unpack_from(content)[2:]
    start = _HEADER.size + times * 5 + types * 6 + letters + leaps * 8 + standard + utc
    utc, standard, leaps, times, types, letters = _HEADER.unpack_from(content, start)[2:]
    at = start + _HEADER.size
    whens = struct.unpack_from(f">{times}q", content, at)
    whats = content[at + times * 8 : at + times * 9]
    at += times * 9
    seconds = [struct.unpack_from(">l", content, at + 6 * n)[0] for n in range(types)]
    changes = zip(whens, (seconds[what] for what in whats), strict=True)
    rule = content[at + types * 6 + letters + leaps * 12 + standard + utc :].strip().decode()
    return _File(((-ALWAYS, seconds[0]), *changes), rule)


def _by_looking(since: int, content: bytes) -> Iterator[Change]:
    """Yield the changes after an instant, which are weeks apart."""
    zone = ZoneInfo.from_file(io.BytesIO(content))
    known = _offset(zone, since)
    for end in range(since + _STEP, LAST + _STEP, _STEP):
        if _offset(zone, end) != known:
            low, high = end - _STEP, end
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(zone, middle) == known else (low, middle)
            known = _offset(zone, high)
            yield high, known


def _offset(zone: ZoneInfo, instant: int) -> int:
    there = zone.fromutc((_EPOCH + timedelta(seconds=instant)).replace(tzinfo=zone))
    offset = there.utcoffset()
    assert offset is not None  # noqa: S101 - a ZoneInfo's never is
    return offset.days * 86_400 + offset.seconds


def _rows(file: _File, later: Sequence[Change]) -> Iterator[tuple[int, int, int]]:
    listed = [change for change in file.changes if change[0] < LAST]
    after = [change for change in later if listed[-1][0] < change[0] < LAST]
    rows: list[Change] = []
    for since, offset in [*listed, *after]:
        if since <= FIRST:
            rows = [(-ALWAYS, offset)]
        elif offset != rows[-1][1]:
            rows.append((since, offset))
    ends = [since for since, _ in rows[1:]] + [ALWAYS]
    local_ends = (end + offset for end, (_, offset) in zip(ends, rows, strict=True))
    reached = itertools.accumulate(local_ends, max)
    yield from ((*row, end) for row, end in zip(rows, reached, strict=True))
