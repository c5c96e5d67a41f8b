"""The API's pure parts: what a reader accepts, documents of rows, cursors, tags, links."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.access.decision import Refusal
from pipeline.access.identity import Presented
from pipeline.access.roles import ALL, Caller, Role, grants
from pipeline.api import bodies, etags, log
from pipeline.api.cursors import Cursor, Signer
from pipeline.api.freshness import FRESH_SECONDS, WHOLE_SECONDS, Freshness
from pipeline.api.problems import Problem
from pipeline.api.sessions import COOKIE, Sessions
from pipeline.clickhouse.reading import Reader
from pipeline.errors import BrokerError
from pipeline.settings import load
from pipeline.views import formats

ROWS = st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=5), max_size=2), max_size=12)


@given(ROWS, st.integers(1, 14), st.lists(st.integers(0, 80), max_size=6))
def test_a_document_has_the_first_rows_however_they_come(
    rows: list[dict[str, str]], limit: int, cuts: list[int]
) -> None:
    whole = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    places = sorted({min(cut, len(whole)) for cut in cuts} | {0, len(whole)})
    pieces = [whole[a:b] for a, b in itertools.pairwise(places)]

    async def come() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def read() -> bytes:
        document = bodies.document(come(), b'{"rows":[', limit, lambda: "more")
        return b"".join([piece async for piece in document])

    found = json.loads(asyncio.run(read()))
    assert found["rows"] == rows[:limit]
    assert found["next"] == ("more" if len(rows) > limit else None)


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        ([], "json"),
        (["*/*"], "json"),
        (["application/*"], "json"),
        (["text/*"], "csv"),
        (["text/csv;q=0.5, application/json;q=0.4"], "csv"),
        (["text/csv", "application/json"], "json"),
        (["*/*, application/json;q=0"], "ndjson"),
        (["application/json;q=0"], None),
        (["image/png"], None),
        (["text/csv;q=x"], None),
        (["TEXT/CSV"], "csv"),
    ],
)
def test_what_is_accepted(accept: list[str], name: str | None) -> None:
    found = formats.accepted(accept)
    assert (found.name if found else None) == name


VALUES = st.dictionaries(
    st.sampled_from(["since", "until", "tenant", "tz", "k"]),
    st.one_of(
        st.text(max_size=20),
        st.integers(0, 70_000),
        st.integers(0, 2**32).map(lambda at: datetime.fromtimestamp(at, UTC)),
    ),
)


@given(VALUES, st.lists(st.text(max_size=5), max_size=3), st.integers(0, 10**9), st.text())
def test_a_cursor_comes_back_as_it_was_to_its_caller_alone(
    values: dict[str, str | int | datetime], columns: list[str], offset: int, user: str
) -> None:
    signer = Signer(b"secret")
    text = signer.sign(Cursor.of("view", values, tuple(columns), offset), user)
    cursor = signer.read(text, "view", user)
    assert cursor.values() == values
    assert (cursor.columns, cursor.offset) == (tuple(columns), offset)
    for other in (Signer(b"other"), signer):
        with pytest.raises(Problem) as refused:
            other.read(text, "view", user + "2" if other is signer else user)
        assert refused.value.status == 403
    with pytest.raises(Problem) as wrong:
        signer.read(text, "another", user)
    assert wrong.value.status == 400


@given(st.text(max_size=200))
def test_what_is_no_cursor_is_said_to_be_none(text: str) -> None:
    with pytest.raises(Problem) as refused:
        Signer(b"secret").read(text, "view", "user")
    assert refused.value.status in (400, 403)


def test_tags_match_as_http_says() -> None:
    tag = etags.etag("a", 1)
    assert tag != etags.etag("a", 2)
    for header in ([tag], [f'"x", {tag}'], ['"x"', tag], [f"W/{tag}"], ["*"]):
        assert etags.matches(header, tag)
    for header in ([], [""], ['"x"'], [tag.strip('"')]):
        assert not etags.matches(header, tag)


def test_a_link_works_once_and_its_cookie_only_for_our_own_pages() -> None:
    sessions = Sessions()
    owner = Caller("owner", grants(Role.ADMIN, (ALL,)))
    link = sessions.link(owner)
    assert sessions.enter("nonsense") is None
    cookie = sessions.enter(link)
    assert cookie is not None
    assert sessions.enter(link) is None

    def who(*headers: tuple[str, str]) -> Caller | Refusal | None:
        return asyncio.run(sessions.identify(Presented(headers, "127.0.0.1")))

    held = ("cookie", f"a=b; {COOKIE}={cookie}")
    ours = (("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:8080"))
    assert who() is None
    assert who(("cookie", "a=b")) is None
    assert who(held) == owner
    assert who(held, *ours, ("sec-fetch-site", "same-origin")) == owner
    for foreign in (
        (("host", "127.0.0.1:8080"), ("origin", "http://evil.example")),
        (("sec-fetch-site", "cross-site"),),
        (("sec-fetch-site", "same-site"),),
        (("origin", "null"),),
    ):
        assert isinstance(who(held, *foreign), Refusal)
    assert isinstance(who(("cookie", f"{COOKIE}=x{cookie}")), Refusal)
    assert isinstance(who(held, ("authorization", "Bearer xyz")), Refusal)
    assert who(held, ("authorization", "Basic eDp5")) == owner


class CountedStore:
    """Answers what `Freshness` asks: what was counted, and the newest of it."""

    def __init__(self) -> None:
        self.chunks, self.minute = 1, 0
        self.dear = 0

    async def rows(self, sql: str, _settings: object = None) -> list[dict[str, object]]:
        if "as_of" not in sql:
            return [{"chunks": self.chunks, "outcomes": self.chunks}]
        self.dear += 1
        at = f"2026-05-01T00:{self.minute:02d}:00+00:00"
        return [{"type": "usage.request.v1", "newest_event": at, "newest_arrival": at}]


def test_the_newest_is_asked_for_when_something_was_counted_or_may_have_expired() -> None:
    store, now = CountedStore(), 0.0
    freshness = Freshness(cast(Reader, store), lambda: now)

    def newest() -> tuple[str, int]:
        fresh = asyncio.run(freshness.now())
        return fresh.version, fresh.newest[0][2].minute

    assert newest() == ("1", 0)
    store.chunks, store.minute = 2, 7
    now += FRESH_SECONDS / 2
    assert newest() == ("1", 0)  # as it was, for a moment
    now += FRESH_SECONDS
    assert newest() == ("2", 7)
    now += FRESH_SECONDS
    assert newest() == ("2", 7)
    assert store.dear == 2  # nothing was counted
    now += WHOLE_SECONDS
    assert newest() == ("2", 7)
    assert store.dear == 3


def test_a_kafka_that_does_not_answer_is_not_waited_for_again_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def described(*_: object) -> None:
        asked.append("kafka")
        if len(asked) < 3:
            raise BrokerError("Kafka does not answer")

    monkeypatch.setattr(log, "admin", lambda _: None)
    monkeypatch.setattr(log, "described", described)
    now = 0.0
    kafka = log.Log(load({}), lambda: now)

    def ask() -> str:
        try:
            return asyncio.run(kafka.ask(lambda _: "answer"))
        except Problem as problem:
            return str(problem.status)

    assert [ask(), ask()] == ["503", "503"]
    assert len(asked) == 1
    now += log.AWAY_SECONDS
    assert [ask(), ask()] == ["503", "503"]
    now += log.AWAY_SECONDS
    assert [ask(), ask()] == ["answer", "answer"]
    assert len(asked) == 4
