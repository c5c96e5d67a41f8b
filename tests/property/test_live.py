"""Live windows against a slow, obvious model: add up every minute that is in the window."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from pipeline.facts.interface import Minutes
from pipeline.protocol.chunks import Source
from pipeline.worker.live import KEPT_MINUTES, OTHER, WINDOWS, Labels, Live, Window
from pipeline.worker.live.tenants import Summed

SOURCES = [Source("usage.requests", n) for n in range(3)]
START = 1_700_000_040  # a full minute
TENANTS = ("a", "b", "c")

sums = st.lists(st.integers(0, 5), min_size=5, max_size=5)
minute = st.integers(-80, 12).map(lambda n: START + 60 * n)
minutes = st.dictionaries(st.tuples(minute, st.sampled_from(TENANTS)), sums, max_size=6)


@dataclass
class Counted:
    source: Source
    minutes: Minutes


@dataclass
class Moved:
    seconds: int


@dataclass
class Restored:
    source: Source


@dataclass
class Kept:
    sources: list[Source]


@dataclass
class Model:
    """All minutes of the partitions that are held, never moved nor pruned."""

    store: dict[Source, list[Minutes]] = field(default_factory=lambda: {s: [] for s in SOURCES})
    held: set[Source] = field(default_factory=set)

    def window(self, window: Window, now: int, chunk: Minutes) -> dict[str, Summed]:
        since, until = window.bounds(now // 60 * 60)
        found: dict[str, list[int]] = {}
        for some in [chunk, *(m for s in self.held for m in self.store[s])]:
            for (at, tenant), values in some.items():
                if since <= at < until:
                    have = found.setdefault(tenant, [0] * 5)
                    found[tenant] = [a + b for a, b in zip(have, values, strict=True)]
        return {tenant: tuple(values) for tenant, values in found.items() if any(values)}

    def stored(self, source: Source) -> Minutes:
        added: Minutes = {}
        for some in self.store[source]:
            for key, values in some.items():
                have = added.get(key, [0] * 5)
                added[key] = [a + b for a, b in zip(have, values, strict=True)]
        return added


steps = st.lists(
    st.one_of(
        st.builds(Counted, st.sampled_from(SOURCES), minutes),
        st.builds(Moved, st.one_of(st.integers(0, 150), st.integers(0, 4000))),
        st.builds(Restored, st.sampled_from(SOURCES)),
        st.builds(Kept, st.lists(st.sampled_from(SOURCES), unique=True)),
    ),
    max_size=12,
)


@given(steps, minutes)
def test_every_window_is_what_is_stored_and_what_is_open(
    taken: list[Counted | Moved | Restored | Kept], chunk: Minutes
) -> None:
    live, model, now = Live(10), Model(), START
    for step in taken:
        match step:
            case Counted(source, some):
                if source in model.held:
                    live.counted(source, some)
                    model.store[source].append(some)
            case Moved(seconds):
                now += seconds
            case Restored(source):
                live.restored(source, model.stored(source))
                model.held.add(source)
            case Kept(sources):
                live.keep(sources)
                model.held &= set(sources)
        found = live.windows(now, [chunk])
        few = live_with_few_labels(live).windows(now, [chunk])
        for window in WINDOWS:
            due = model.window(window, now, chunk)
            assert {t: s for t, s in found[window].items() if any(s)} == due, window
            assert added_up(few[window]) == added_up(due), window
            assert all(few[window][t] == due[t] for t in few[window].keys() & due.keys()), window


@given(steps, st.integers(0, 4))
def test_counters_add_up_to_all_that_was_counted_and_never_fall(
    taken: list[Counted | Moved | Restored | Kept], limit: int
) -> None:
    """However old it is, and whoever looks at the windows in between."""
    live, due, now = Live(limit), [0] * 5, START
    before: dict[str, Summed] = {}
    for step in taken:
        match step:
            case Counted(source, some):
                live.counted(source, some)
                due = added_up({"due": tuple(due)} | {str(k): tuple(v) for k, v in some.items()})
            case Moved(seconds):
                now += seconds
            case Restored(source):
                live.restored(source, {})
            case Kept(sources):
                live.keep(sources)
        live.windows(now, [])
        assert added_up(live.totals) == due
        assert len(live.totals.keys() - {OTHER}) <= limit
        for label, totals in before.items():
            assert all(a <= b for a, b in zip(totals, live.totals[label], strict=True)), label
        before = live.totals.copy()


def test_late_events_of_an_unseen_tenant_stay_in_its_counter() -> None:
    live = Live(1)
    live.counted(SOURCES[0], {(START - 60 * back, "late"): [1] * 5 for back in (70, 600, 2880)})
    live.windows(START, [])
    live.counted(SOURCES[0], {(START, "new"): [1] * 5})
    assert live.windows(START, [])[Window("1h", True)] == {}  # of no partition that is held
    assert live.totals == {"late": (3,) * 5, OTHER: (1,) * 5}


def live_with_few_labels(live: Live) -> Live:
    """The same windows, where all tenants but one share a label."""
    few = Live(1)
    few._stored, few._sliding = live._stored, live._sliding
    return few


def added_up(by_label: Mapping[str, Summed]) -> list[int]:
    return [sum(column) for column in zip(*by_label.values(), strict=True)] or [0] * 5


def test_minute_by_minute_windows_are_those_of_the_model() -> None:
    """Late events too, up to an hour and more; each minute is looked at twice."""
    live, model, source = Live(10), Model(), SOURCES[0]
    live.restored(source, {})
    model.held.add(source)
    some = random.Random(1)
    for n in range(200):
        now = START + 30 * n
        minute = now // 60 * 60 - 60 * some.choice((0, 0, 0, 1, 4, 5, 59, 60, 61))
        chunk = {(minute, some.choice(TENANTS)): [some.randrange(5) for _ in range(5)]}
        live.counted(source, chunk)
        model.store[source].append(chunk)
        found, few = live.windows(now, []), live_with_few_labels(live).windows(now, [])
        for window in WINDOWS:
            due = model.window(window, now, {})
            assert {t: s for t, s in found[window].items() if any(s)} == due, (n, window)
            assert added_up(few[window]) == added_up(due), (n, window)


@given(st.lists(st.sampled_from("abcdefgh"), max_size=30), st.integers(0, 4))
def test_there_are_never_more_labels_than_places_and_nothing_is_lost(
    tenants: list[str], limit: int
) -> None:
    labels = Labels(limit)
    seen = {t: (tenants.count(t),) * 5 for t in tenants}
    for tenant in seen:
        labels.label(tenant)
    grouped = labels.grouped(seen, (len(tenants),) * 5)
    assert len(grouped.keys() - {OTHER}) <= limit
    assert sum(s[0] for s in grouped.values()) == len(tenants)
    assert (OTHER in grouped) == (len(seen) > limit)


def test_admission_is_sticky_and_a_silent_tenant_frees_its_place() -> None:
    labels = Labels(1)
    assert [labels.label(t) for t in ("a", "b", "a")] == ["a", OTHER, "a"]
    assert labels.release({"a", "b"}) == set()
    assert labels.release({"b"}) == {"a"}
    assert [labels.label(t) for t in ("b", "a")] == ["b", OTHER]


def test_a_tenant_called_other_has_no_series_of_its_own() -> None:
    assert Labels(5).label(OTHER) == OTHER


def test_with_a_list_only_its_tenants_have_series() -> None:
    labels = Labels(1, allowed=["x", "y"])
    assert [labels.label(t) for t in ("a", "x", "y")] == [OTHER, "x", "y"]


def test_what_has_left_the_windows_is_forgotten_though_nobody_asks() -> None:
    live, source = Live(10), SOURCES[0]
    live.restored(source, {})
    for n in range(500):
        live.advance(START + 60 * n)
        live.counted(source, {(START + 60 * n, "a"): [1, 0, 0, 0, 0]})
    assert len(live._stored[source]) <= KEPT_MINUTES + 1
    assert len(live._sliding._by_minute) <= KEPT_MINUTES + 1
    assert live.windows(START + 60 * 499, [])[Window("1h", True)] == {"a": (60, 0, 0, 0, 0)}
