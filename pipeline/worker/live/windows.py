"""Windows that end with the running minute or with the last full one, kept up to date by sums.

A window of `size` minutes at time t, with m the start of t's minute: *last* is [m - size, m), what
``live_windows(as_of = m)`` says; *current* is the one that ends with the running minute,
[m - size + 1 min, m + 1 min).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import add, sub
from typing import NamedTuple

from pipeline.facts.interface import Minutes
from pipeline.facts.minutes import MEASURES
from pipeline.protocol.chunks import Source
from pipeline.worker.live.tenants import OTHER, Labels, Summed

MINUTE = 60
SIZES = {"1m": 1, "5m": 5, "1h": 60}
KEPT_MINUTES = 61
"""An hour, and the minute that runs beside it."""


class Window(NamedTuple):
    """One of the windows: its size by name, and whether the running minute is in it."""

    size: str
    current: bool

    def bounds(self, now_minute: int) -> tuple[int, int]:
        """Return [since, until) in epoch seconds when the running minute starts at now_minute."""
        until = now_minute + MINUTE if self.current else now_minute
        return until - SIZES[self.size] * MINUTE, until

    def has(self, minute: int, now_minute: int) -> bool:
        """Say whether a minute, by its start, is in the window."""
        since, until = self.bounds(now_minute)
        return since <= minute < until


WINDOWS = tuple(Window(size, current) for size in SIZES for current in (True, False))

_LONGEST = WINDOWS[-2:]

Totals = dict[str, Summed]
"""By tenant."""

_NOTHING: Summed = (0,) * len(MEASURES)
_Minutes = Mapping[tuple[int, str], Sequence[int]]
_ByMinute = dict[int, Totals]


class Live:
    """The stored minutes of a worker's partitions, and the windows over them."""

    def __init__(self, limit: int, allowed: Collection[str] = ()) -> None:
        self.labels = Labels(limit, allowed)
        """Of the windows."""
        self._counters = Labels(limit, allowed)
        # Their own: a counter may never lose what it has counted, or sums over labels would fall,
        # nor hand it to another label, which would be a rise that nobody caused.
        self.totals: Totals = {}
        """By label: what this process has counted and committed since it began, of whatever time.
        Only grows, and all labels together are all that was counted."""
        self.overflowing = 0
        """Tenants of the last hour that shared a label when the windows were last asked for."""
        self._stored: dict[Source, _ByMinute] = {}
        self._sliding = _Sliding()

    def restored(self, source: Source, minutes: Minutes) -> None:
        """Begin with what the store has of a partition that was just taken up."""
        again = source in self._stored
        self._stored[source] = {}
        _file(self._stored[source], minutes)
        if again:
            self._rebuild()
        else:
            self._sliding.add(minutes)

    def keep(self, sources: Iterable[Source]) -> None:
        """Forget the partitions that are no longer ours."""
        kept = set(sources)
        self._stored = {s: minutes for s, minutes in self._stored.items() if s in kept}
        self._rebuild()

    def forget(self, source: Source) -> None:
        """Forget one partition, until it is restored."""
        if self._stored.pop(source, None) is not None:
            self._rebuild()

    def is_restored(self, source: Source) -> bool:
        """Say whether the partition's stored minutes are known."""
        return source in self._stored

    def counted(self, source: Source, minutes: Minutes) -> None:
        """Add what a chunk, now committed, holds."""
        for (_, tenant), sums in minutes.items():
            _add(self.totals, self._counters.label(tenant), tuple(sums))
        stored = self._stored.get(source)
        if stored is not None:
            _file(stored, minutes)
            self._sliding.add(minutes)

    def advance(self, now_seconds: float) -> int:
        """Move on to now and forget what has left the windows; return the running minute.

        To be called now and then even if nobody asks for the windows: memory depends on it.
        """
        now_minute = int(now_seconds) // MINUTE * MINUTE
        if self._sliding.advance(now_minute):
            self._prune(now_minute)
        return now_minute

    def windows(
        self, now_seconds: float, open_chunks: Iterable[Minutes]
    ) -> Mapping[Window, Totals]:
        """Return each window's sums by label: what is stored, and what is in the open chunks."""
        now_minute = self.advance(now_seconds)
        stored, of_all = self._sliding.totals, self._sliding.sums
        held: dict[Window, Totals] = {w: {} for w in WINDOWS}
        for minutes in open_chunks:
            _spread(held, minutes, now_minute)
        self._look_at(tenant for w in _LONGEST for some in (stored, held) for tenant in some[w])
        found = {w: self.labels.grouped(stored[w], of_all[w]) for w in WINDOWS}
        for window, totals in held.items():
            for tenant, sums in totals.items():
                _add(found[window], self.labels.label(tenant), sums)
        return found

    def _look_at(self, tenants: Iterable[str]) -> None:
        """Free the places of those that fell silent, and see who has none."""
        present = dict.fromkeys(tenants)
        self.labels.release(present)
        self.overflowing = sum(self.labels.label(tenant) == OTHER for tenant in present)

    def _prune(self, now_minute: int) -> None:
        for source, by_minute in self._stored.items():
            self._stored[source] = _kept(by_minute, now_minute)

    def _rebuild(self) -> None:
        self._sliding = _Sliding(self._sliding.now_minute)
        for by_minute in self._stored.values():
            for minute, totals in by_minute.items():
                self._sliding.add({(minute, tenant): sums for tenant, sums in totals.items()})


class _Sliding:
    """Every window's sums, changed only by what comes in and what goes out."""

    def __init__(self, now_minute: int = 0) -> None:
        self.now_minute = now_minute
        self.totals: dict[Window, Totals] = {w: {} for w in WINDOWS}
        self.sums: dict[Window, Summed] = dict.fromkeys(WINDOWS, _NOTHING)
        """Of all tenants."""
        self._by_minute: _ByMinute = {}

    def add(self, minutes: _Minutes) -> None:
        _file(self._by_minute, minutes)
        _spread(self.totals, minutes, self.now_minute)
        of_minute: dict[int, Summed] = {}
        for (minute, _), sums in minutes.items():
            of_minute[minute] = _with(of_minute.get(minute, _NOTHING), sums)
        for window in WINDOWS:
            for minute, of_all in of_minute.items():
                if window.has(minute, self.now_minute):
                    self.sums[window] = _with(self.sums[window], of_all)

    def advance(self, now_minute: int) -> bool:
        """Move all windows to where the running minute starts at now_minute."""
        if now_minute == self.now_minute:
            return False
        for current, last in zip(WINDOWS[::2], WINDOWS[1::2], strict=True):
            if now_minute == self.now_minute + MINUTE:
                # What was current until now is the last one, to the minute.
                self.totals[last] = self.totals[current].copy()
                self.sums[last] = self.sums[current]
            else:
                self._move(last, now_minute)
            self._move(current, now_minute)
        self.now_minute = now_minute
        self._by_minute = _kept(self._by_minute, now_minute)
        return True

    def _move(self, window: Window, now_minute: int) -> None:
        old, new = _minutes(window, self.now_minute), _minutes(window, now_minute)
        self._apply(window, old.difference(new), sub)
        self._apply(window, new.difference(old), add)

    def _apply(
        self, window: Window, minutes: Iterable[int], change: Callable[[int, int], int]
    ) -> None:
        totals, of_all = self.totals[window], self.sums[window]
        for minute in minutes:
            for tenant, sums in self._by_minute.get(minute, {}).items():
                of_all = _with(of_all, sums, change)
                changed = totals[tenant] = _with(totals.get(tenant, _NOTHING), sums, change)
                if not any(changed):
                    del totals[tenant]
        self.sums[window] = of_all


def _minutes(window: Window, now_minute: int) -> set[int]:
    return set(range(*window.bounds(now_minute), MINUTE))


def _file(by_minute: _ByMinute, minutes: _Minutes) -> None:
    for (minute, tenant), sums in minutes.items():
        _add(by_minute.setdefault(minute, {}), tenant, tuple(sums))


def _kept(by_minute: _ByMinute, now_minute: int) -> _ByMinute:
    oldest = now_minute - KEPT_MINUTES * MINUTE
    return {minute: totals for minute, totals in by_minute.items() if minute >= oldest}


def _spread(totals: Mapping[Window, Totals], minutes: _Minutes, now_minute: int) -> None:
    wide: dict[int, list[Totals]] = {}
    for (minute, tenant), sums in minutes.items():
        into = wide.get(minute)
        if into is None:
            into = wide[minute] = [totals[w] for w in WINDOWS if w.has(minute, now_minute)]
        summed = tuple(sums)
        for of_window in into:
            _add(of_window, tenant, summed)


def _add(totals: Totals, tenant: str, sums: Summed) -> None:
    have = totals.get(tenant)
    totals[tenant] = sums if have is None else _with(have, sums)


def _with(have: Summed, sums: Iterable[int], change: Callable[[int, int], int] = add) -> Summed:
    return tuple(map(change, have, sums))
