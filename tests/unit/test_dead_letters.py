"""Dead letters without Kafka: as lines, on the screen, chosen, planned to be sent again."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipeline.errors import UsageError
from pipeline.facts import Rejection, Rules
from pipeline.facts.judge import Judge
from pipeline.kafka.dead_letters.exchange import Correction, corrections, line
from pipeline.kafka.dead_letters.letter import DeadLetter, Headers, Mark, parse
from pipeline.kafka.dead_letters.selection import LetterSelection, check_reasons
from pipeline.operate.dead_letters import screen
from pipeline.operate.dead_letters.events import dated
from pipeline.operate.dead_letters.plan import Planner, RetryPlan
from pipeline.protocol.chunks import Source
from pipeline.protocol.rejected import CUT, MAX_BYTES, fitted, headers, origin
from pipeline.settings import load

SOURCE = Source("usage.requests", 3)
AT = Source("usage.dead-letter", 0)
ARRIVAL_MS = 1_780_315_200_123
NOW_MS = ARRIVAL_MS + 3_600_000
DATA = {"operation": "chat", "model": "m", "status_code": 200, "duration_ms": 5}
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "s",
    "type": "usage.request.v1",
    "subject": "acme",
    "data": DATA,
}
STRUCTURED: Headers = [("content-type", b"application/cloudevents+json")]
WRONG = json.dumps(EVENT | {"data": DATA | {"status_code": "200"}}).encode()


def rejected(
    value: bytes = WRONG, headers_: Headers = STRUCTURED, index: int | None = None
) -> Rejection:
    message = "data.status_code: found the string '200', expected an integer from 100 to 599."
    return Rejection(
        7, index, ARRIVAL_MS, "invalid_data", message, "acme", "usage.request.v1", value,
        tuple(headers_),  # type: ignore[arg-type]  # null headers
    )  # fmt: skip


def letter(value: bytes = WRONG, headers_: Headers = STRUCTURED, **changed: Any) -> DeadLetter:
    """What comes of a rejection by way of the topic."""
    rejection = rejected(value, headers_, changed.pop("index", None))
    sent, all_headers = fitted(rejection.value, headers(SOURCE, rejection))
    found = parse(origin(SOURCE, rejection), all_headers, sent, AT)
    assert found is not None
    return replace(found, **changed)


def planned(one: DeadLetter, correction: Correction | None = None, **how: bool) -> RetryPlan:
    planner = Planner(settings=load({}), judge=Judge(Rules()), **how)
    return planner.plan(one, correction, NOW_MS)


def good(**changed: Any) -> Correction:
    return Correction(json.dumps(EVENT | changed).encode(), None)


# As records ----------------------------------------------------------------------------------


def test_a_dead_letter_keeps_its_records_headers_and_its_own_hold() -> None:
    strange: Headers = [("ce_id", b"\xff"), ("dl_reason", b"mine"), ("empty", None), *STRUCTURED]
    one = letter(b"", strange, index=None)
    assert one.reason == "invalid_data"
    assert list(one.headers) == [("ce_id", b"\xff"), ("empty", None), *STRUCTURED]
    assert (one.origin, one.source, one.offset, one.index) == (
        "usage.requests:3:7",
        SOURCE,
        7,
        None,
    )
    assert letter(index=2).origin == "usage.requests:3:7:2"


def test_what_could_not_be_read_has_no_header() -> None:
    names = {name for name, _ in headers(SOURCE, rejected()._replace(tenant="", type=""))}
    wanted = ("reason", "message", "topic", "partition", "offset", "timestamp")
    assert names == {"content-type", *(f"dl_{name}" for name in wanted)}
    names = {name for name, _ in headers(SOURCE, rejected(headers_=(), index=0))}
    assert names == {f"dl_{name}" for name in (*wanted, "index", "tenant", "type")}


@pytest.mark.parametrize(
    ("value_bytes", "header_bytes"), [(5 << 20, 10), (100, 9 << 20), (3 << 20, 3 << 20)]
)
def test_what_is_too_large_for_the_topic_is_cut_and_says_so(
    value_bytes: int, header_bytes: int
) -> None:
    one = headers(SOURCE, rejected(b"", [("ce_type", b"t" * header_bytes)]))
    value, kept = fitted(b"v" * value_bytes, one)
    assert len(value) + sum(len(name) + len(text) for name, text in kept) < MAX_BYTES - 1024
    texts = dict(kept)
    assert texts[CUT] == str(value_bytes).encode()
    assert texts["dl_reason"] == b"invalid_data"


def test_what_is_no_dead_letter_is_told() -> None:
    assert parse("key", [], b"", AT) is None
    assert parse("key", [("dl_topic", b"t"), ("dl_partition", b"x")], b"", AT) is None


def test_a_mark_of_another_incarnation_does_not_hold() -> None:
    assert letter().marked(Mark(1, 2, ARRIVAL_MS)).retried == Mark(1, 2, ARRIVAL_MS)
    assert letter().marked(Mark(1, 2, ARRIVAL_MS - 1)).retried is None


# As lines ------------------------------------------------------------------------------------


@given(st.binary() | st.text().map(str.encode), st.lists(st.tuples(st.text(), st.binary())))
def test_an_exported_line_comes_back_byte_for_byte(
    value: bytes, extra: list[tuple[str, bytes]]
) -> None:
    one = letter(value, [*STRUCTURED, *extra])
    text = line(one)
    assert "\n" not in text
    assert corrections([text.encode()], "f") == {one.origin: Correction(value, list(one.headers))}


def test_a_correction_may_be_the_event_itself_with_all_its_digits() -> None:
    text = b'{"origin": "o", "value": {"n": 1.50, "m": 12345678901234567890.1}}'
    assert corrections([b"\n", text], "f") == {
        "o": Correction(b'{"n": 1.50, "m": 12345678901234567890.1}', None)
    }


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([b"{"], "line 1"),
        ([b'{"value": "x"}'], "origin"),
        ([b'{"origin": "o"}'], "neither"),
        ([b'{"origin": "o", "value": "x", "value_base64": "eA=="}'], "leave one"),
        ([b'{"origin": "o", "value_base64": "?"}'], "line 1"),
        ([b'{"origin": "o", "value": "x"}'] * 2, "line 2: o was there before"),
        ([b'{"origin": "o", "value": "x", "headers": [{"value": "x"}]}'], "no `name`"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(lines: list[bytes], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        corrections(lines, "f")


# Chosen --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selection", "takes"),
    [
        (LetterSelection(), True),
        (LetterSelection(reasons=["malformed", "invalid_data"], tenants=["acme"]), True),
        (LetterSelection(reasons=["malformed"], tenants=["acme"]), False),
        (LetterSelection(topics=["usage.events"]), False),
        (LetterSelection(types=["usage.request.v1"]), True),
        (LetterSelection(since=ARRIVAL_MS), True),
        (LetterSelection(since=ARRIVAL_MS + 1), False),
        (LetterSelection(until=ARRIVAL_MS), False),
    ],
)
def test_a_selection_takes_what_is_meant(selection: LetterSelection, takes: bool) -> None:
    assert selection.takes(letter()) == takes


def test_a_reason_that_there_is_not_is_refused() -> None:
    check_reasons(["malformed", "internal"])
    with pytest.raises(UsageError, match="'malformd' is none; allowed: malformed, invalid_env"):
        check_reasons(["malformed", "malformd"])


# Sent again ----------------------------------------------------------------------------------


def test_what_would_be_rejected_again_is_refused_with_the_sentence() -> None:
    plan = planned(letter())
    assert "rejected again: invalid_data: data.status_code: found the string '200'" in plan.problem
    assert not planned(letter(), force=True).problem


def test_a_corrected_event_is_keyed_by_its_tenant_and_tells_its_origin() -> None:
    plan = planned(letter(), good(subject="globex"))
    assert (plan.problem, plan.tenant) == ("", "globex")
    assert plan.headers == [*STRUCTURED, ("dl_retry_of", b"usage.requests:3:7")]


def test_an_event_without_time_happened_when_it_first_arrived() -> None:
    value = planned(letter(), good()).value
    assert json.loads(value) == EVENT | {"time": "2026-06-01T12:00:00.123Z"}
    timed = good(time="2026-06-01T11:00:00Z")
    assert planned(letter(), timed).value == timed.value


def test_another_event_is_refused() -> None:
    assert "another event" in planned(letter(), good(id="2")).problem
    assert not planned(letter(), good(id="2"), force=True).problem
    assert not planned(letter(b"{"), good(id="2")).problem, "what it was cannot be told"


def test_one_that_was_sent_is_refused_unless_again() -> None:
    done = letter(retried=Mark(NOW_MS, 12, ARRIVAL_MS))
    plan = planned(done, good())
    assert plan.is_done
    assert "to offset 12" in plan.problem
    assert not planned(done, good(), again=True).problem


def test_a_cut_value_is_never_sent_as_it_is() -> None:
    cut = letter(size=10_000_000)
    assert "of its 10,000,000 bytes" in planned(cut, force=True).problem
    assert not planned(cut, good()).problem


def test_a_topic_that_nobody_reads_is_refused() -> None:
    assert "no worker" in planned(letter(source=Source("other", 0)), good(), force=True).problem


def test_an_element_is_sent_alone_and_structured() -> None:
    assert planned(letter(index=1), good()).headers[0] == STRUCTURED[0]


def test_a_correction_may_take_the_headers_away() -> None:
    """Of the binary form, to send a structured event in its place."""
    binary: Headers = [("content-type", b"application/json"), ("ce_specversion", b"1.0")]
    value = good().value
    assert planned(letter(b"{}", binary), Correction(value, None)).problem
    plan = planned(letter(b"{}", binary), Correction(value, []))
    assert (plan.problem, [name for name, _ in plan.headers]) == ("", ["dl_retry_of"])
    element = planned(letter(index=1), Correction(value, []))
    assert element.headers[0] == STRUCTURED[0], "an exported element has none to take away"


def test_a_batch_that_holds_nothing_or_something_wrong_is_refused() -> None:
    batch: Headers = [("content-type", b"application/cloudevents-batch+json")]
    one = letter(b"{}", batch)
    assert planned(one, Correction(b"[]", None)).problem == "it holds no event"
    mixed = Correction(json.dumps([EVENT, json.loads(WRONG)]).encode(), None)
    assert "element 1: invalid_data" in planned(one, mixed).problem
    both = planned(one, Correction(json.dumps([EVENT, EVENT | {"id": "2"}]).encode(), None))
    assert not both.problem
    assert {event["time"] for event in json.loads(both.value)} == {"2026-06-01T12:00:00.123Z"}


@given(st.binary(), st.sampled_from([[], STRUCTURED, [("content-type", b"application/json")]]))
def test_nothing_that_was_rejected_makes_planning_fail(value: bytes, headers_: Headers) -> None:
    plan = planned(letter(value, [*headers_, ("ce_specversion", b"1.0")]))
    assert plan.problem


@pytest.mark.parametrize("value", [b'{"a":1} \n', b'{"a":{"b":"}"}}', b'{"a":1,"time":null}'])
def test_dating_only_adds(value: bytes) -> None:
    found, _ = dated(value, [], 0)
    assert found.startswith(value.rstrip()[:-1])
    assert json.loads(found) == json.loads(value) | {"time": "1970-01-01T00:00:00.000Z"}


# On the screen -------------------------------------------------------------------------------


def printed(one: DeadLetter) -> str:
    out = StringIO()
    screen.show_one(one, Console(file=out, width=120))
    return out.getvalue()


def test_values_are_set_out_and_move_no_cursor() -> None:
    assert '    "status_code": "200"' in printed(letter())
    assert "00000000  ff 1b 41" in printed(letter(b"\xff\x1bA"))
    assert "\\x1b[31m" in printed(letter(b"\x1b[31m red [bold]"))
    assert "[bold]" in printed(letter(b"\x1b[31m red [bold]"))
    assert "\x1b" not in printed(letter(b"{", [("\x1bname", b"\x1b\xff")], message="\x1b"))
    assert '"n": 1.50' in printed(letter(b'{"n":1.50}')), "numbers stay as they were written"
    assert "999,999 bytes" in printed(letter(b"x" * 999_999))


def test_a_list_says_how_many_there_are() -> None:
    out = StringIO()
    some = [letter(), letter(retried=Mark(NOW_MS, 12, ARRIVAL_MS))]
    screen.show_list(some, 5, Console(file=out, width=200))
    assert "→ 12" in out.getvalue()
    assert "5 dead letters, the newest 2 of them shown" in out.getvalue()
