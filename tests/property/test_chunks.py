"""`chunks.plan` against a slow reading of the table in ``docs/exactly-once.md``."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from hypothesis import HealthCheck, assume, event, example, given, settings
from hypothesis import strategies as st

from pipeline.protocol.chunks import (
    Found,
    Halt,
    Intent,
    Lease,
    Member,
    Plan,
    Range,
    Source,
    commit_metadata,
    intent_metadata,
    late_before_of,
    plan,
    read_commit,
)
from tests.support.harness.examples import examples

SOURCE = Source("usage.requests", 0)
THIS, OLDER = "this-log", "an-older-log"
OURS, OTHERS = "r1", "r0"

offsets = st.integers(0, 6)
digests = st.sampled_from([OURS, OTHERS])


class Commit(NamedTuple):
    """A committed offset and what its metadata says."""

    offset: int
    incarnation: str | None
    """None: the metadata is not ours."""
    to: int | None
    rules: str

    @property
    def metadata(self) -> str:
        if self.incarnation is None:
            return "" if self.rules == OURS else "{not ours"
        if self.to is None:
            return commit_metadata(self.incarnation)
        return intent_metadata(Range(SOURCE, self.incarnation, self.offset, self.to), self.rules)


class Case(NamedTuple):
    """What a worker finds, in clear."""

    covered: int | None
    intent: Intent | None
    commit: Commit | None
    first: int
    last: int

    @property
    def found(self) -> Found:
        offset, metadata = (self.commit.offset, self.commit.metadata) if self.commit else (None, "")
        return Found(self.covered, self.intent, offset, metadata, self.first, self.last)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    intent = None
    if draw(st.booleans()):
        a = draw(offsets)
        intent = Intent(a, a + draw(st.integers(1, 3)), draw(digests))
    commit = None
    if draw(st.booleans()):
        c = draw(offsets)
        to = draw(st.none() | st.integers(c + 1, c + 3))
        commit = Commit(c, draw(st.sampled_from([THIS, THIS, OLDER, None])), to, draw(digests))
    first = draw(offsets)
    last = draw(st.integers(first, 9))
    return Case(draw(st.none() | offsets), intent, commit, first, last)


def obvious(case: Case, override_rules: bool) -> tuple[object, ...]:
    """Read the table from top to bottom; the first row that fits decides."""
    commit = case.commit if case.commit and case.commit.incarnation != OLDER else None
    e = ledger_end(case, commit)
    if commit and commit.offset > e:
        return ("halt", (e, commit.offset))
    if e > case.last:
        return ("halt", None)
    intents = open_intents(case, commit, e)
    if any(intent.a > e for intent in intents) or len({intent.b for intent in intents}) > 1:
        return ("halt", None)
    if not intents:
        return ("lost", e, case.first) if case.first > e else ("go on", e)
    # The store's row and the metadata speak of the same range; the row's digest is what counts.
    _, b, rules, *_ = intents[0]
    if case.first > e:
        return ("lost", e, b)
    if b > case.last or (rules != OURS and not override_rules):
        return ("halt", None)
    return ("replay", e, b)


def ledger_end(case: Case, commit: Commit | None) -> int:
    if case.covered is not None:
        return case.covered
    if case.intent:
        return case.intent.a
    return min(commit.offset, case.first) if commit else case.first


def open_intents(case: Case, commit: Commit | None, e: int) -> list[Intent]:
    """Return the store's and the metadata's, in this order, that have no ledger row."""
    intents = []
    if case.intent and case.intent.a >= e:
        intents.append(case.intent)
    if commit and commit.incarnation == THIS and commit.to is not None and commit.offset == e:
        intents.append(Intent(e, commit.to, commit.rules))
    return intents


def in_short(decided: Plan | Halt) -> tuple[object, ...]:
    if isinstance(decided, Halt):
        return ("halt", decided.missing)
    if decided.lost is not None:
        assert decided.start == decided.lost[1]
        assert decided.replay_to is None
        return ("lost", *decided.lost)
    if decided.replay_to is not None:
        return ("replay", decided.start, decided.replay_to)
    return ("go on", decided.start)


@settings(max_examples=examples(2000))
@given(cases(), st.booleans())
@example(Case(2, Intent(2, 4, OURS), None, 3, 9), False)
@example(Case(2, None, Commit(2, THIS, 4, OTHERS), 0, 9), False)
@example(Case(None, None, Commit(1, THIS, None, OURS), 3, 9), False)
def test_the_plan_is_what_the_table_says(case: Case, override_rules: bool) -> None:
    decided = plan(case.found, incarnation=THIS, rules=OURS, override_rules=override_rules)
    expected = obvious(case, override_rules)
    event(str(expected[0]))
    assert in_short(decided) == expected


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(cases(), st.booleans())
def test_nothing_counted_is_read_again_and_nothing_uncounted_is_passed_over(
    case: Case, override_rules: bool
) -> None:
    decided = plan(case.found, incarnation=THIS, rules=OURS, override_rules=override_rules)
    assume(isinstance(decided, Plan) and case.covered is not None)
    assert isinstance(decided, Plan)
    begins = decided.lost[0] if decided.lost else decided.start
    assert begins == case.covered
    if decided.lost:
        assert case.first > begins


@given(cases())
def test_a_halt_says_why_and_a_loss_or_replay_is_noted(case: Case) -> None:
    decided = plan(case.found, incarnation=THIS, rules=OURS)
    if isinstance(decided, Halt):
        assert decided.reason
    elif decided.lost or decided.replay_to is not None:
        assert decided.note


@given(
    st.integers(0, 2**62),
    st.integers(1, 10**6),
    st.text(max_size=40),
    st.text(max_size=40),
    st.none() | st.dates(),
)
def test_what_a_commit_says_is_read_back(
    a: int, length: int, incarnation: str, rules: str, day: date | None
) -> None:
    chunk = Range(SOURCE, incarnation, a, a + length)
    members = (Member(SOURCE.partition, a, a + length), Member(SOURCE.partition + 1, 0, 9))
    for group in ((), members):
        intent = Intent(a, a + length, rules, group, day)
        metadata = intent_metadata(chunk, rules, group, day)
        assert read_commit(a, metadata, incarnation) == (a, intent)
        assert read_commit(a, metadata, incarnation + "x") == (None, None)
        assert late_before_of(metadata) == day
    ended = commit_metadata(incarnation, day)
    assert read_commit(a, ended, incarnation) == (a, None)
    assert late_before_of(ended) == day


@given(st.text(max_size=60))
def test_any_metadata_can_be_read(metadata: str) -> None:
    assert read_commit(5, metadata, THIS)[0] in (5, None)


@given(st.integers(-1, 3), st.sampled_from("ab"), st.integers(-1, 3), st.sampled_from("ab"))
def test_a_lease_holds_where_nothing_has_changed(g: int, m: str, now: int, member: str) -> None:
    assert Lease(g, m).holds(now, member) == (g == now and m == member and now >= 0)
