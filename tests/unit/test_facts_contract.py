"""The contract with producers, rule by rule, each with a readable example."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from pipeline.facts import REQUESTS, Facts, Rejection, Rules, reader
from pipeline.facts.exact import decimals
from pipeline.facts.exact.recipe_actions import TASK_RULES
from pipeline.facts.rules import before_events_were_kept

NOW = 1_772_368_496_789  # 2026-03-01T12:34:56.789Z
MINUTE = 1_772_368_440


class Rec(NamedTuple):
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    offset: int = 7
    timestamp: int = NOW


def request(data: dict[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    fields = {"operation": "chat", "model": "m", "status_code": 200, "duration_ms": 12.5}
    return {
        "specversion": "1.0",
        "id": "1",
        "source": "/gateway",
        "type": "usage.request.v1",
        "subject": "acme",
        "time": "2026-03-01T12:34:56.789Z",
        "data": fields | (data or {}),
    } | attributes


def action(**data: Any) -> dict[str, Any]:
    fields = {"recipe_id": "r", "job_id": "j", "step": 1, "kind": "action", "outcome": "succeeded"}
    return request(type="usage.recipe_action.v1") | {"data": fields | data}


def read(*records: Rec, topic: str = "usage.requests", rules: Rules | None = None) -> Facts:
    one = reader(topic, rules or Rules(duplicate_window=0))
    facts = one.facts()
    one.read(records, facts)
    return facts


def text(event: Any) -> bytes:
    return json.dumps(event).encode()


def row(facts: Facts) -> dict[str, Any]:
    assert [r.message for r in facts.rejections] == []
    (values,) = zip(*facts.columns, strict=True)
    return {name: value for (name, _), value in zip(facts.head.columns, values, strict=True)}


def refused(*records: Rec, topic: str = "usage.requests") -> Rejection:
    (rejection,) = read(*records, topic=topic).rejections
    return rejection


def field(name: str, value: Any) -> bytes:
    return text(request({name: value}))


def literal(name: str, number: str) -> bytes:
    """A request whose field holds a number exactly as written."""
    return field(name, "@@").replace(b'"@@"', number.encode())


def test_a_request_becomes_a_row() -> None:
    data = {
        "user_id": "u",
        "token_id": "k",
        "input_tokens": 3,
        "cost": "0.1",
        "currency": "EUR",
        "status_code": 400,
    }
    assert row(read(Rec(text(request(data))))) == {
        "minute": MINUTE,
        "tenant": "acme",
        "team_id": "",
        "agent_id": "",
        "token_id": "k",
        "user_id": "u",
        "model": "m",
        "operation": "chat",
        "failed": 1,
        "duration_us": 12_500,
        "input_tokens": 3,
        "output_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 0,
        "reasoning_output_tokens": 0,
        "unmetered": 0,
        "cost_nanos": 100_000_000,
        "currency": "EUR",
    }


@pytest.mark.parametrize(
    ("kind", "outcome", "task", "failed"),
    [
        ("trigger", "succeeded", 0, 0),
        ("control", "succeeded", 0, 0),
        ("action", "succeeded", 1, 0),
        ("action", "failed", 0, 1),
        ("action", "skipped", 0, 0),
        ("call", "succeeded", 1, 0),
        ("call", "failed", 0, 1),
    ],
)
def test_which_recipe_actions_are_tasks(kind: str, outcome: str, task: int, failed: int) -> None:
    event = action(kind=kind, outcome=outcome, items=500, rerun=True, iteration=4)
    found = row(read(Rec(text(event)), topic="usage.recipe-actions"))
    assert (found["task"], found["failed"], found["rule_set"]) == (task, failed, 1)


@pytest.mark.parametrize("in_batch", [False, True])
@pytest.mark.parametrize(("rule_set", "tasks"), [(1, [1, 0]), (200, [0, 1])])
def test_an_action_is_counted_by_the_rule_set_that_is_stored_with_it(
    monkeypatch: pytest.MonkeyPatch, rule_set: int, tasks: list[int], *, in_batch: bool
) -> None:
    """Many at a time, and one by one as those in batches are."""
    monkeypatch.setitem(TASK_RULES, 200, frozenset({("trigger", "failed")}))
    events = [action(), action(kind="trigger", outcome="failed")]
    records = [
        Rec(text([event] if in_batch else event), offset=offset)
        for offset, event in enumerate(events)
    ]
    rules = Rules(duplicate_window=0, task_rule_set=rule_set)
    facts = read(*records, topic="usage.recipe-actions", rules=rules)
    names = [name for name, _ in facts.head.columns]
    columns = dict(zip(names, map(list, facts.columns), strict=True))
    assert (columns["task"], columns["rule_set"]) == (tasks, [rule_set] * 2)


def test_the_rule_set_in_force_is_one_of_those_there_are() -> None:
    assert Rules().task_rule_set in TASK_RULES


@pytest.mark.parametrize(
    ("number", "nanos"),
    [
        ("0.000000001", 1),
        ("0.0000000005", 0),
        ("0.0000000015", 2),
        ("0.00000000050000000000000000000001", 1),
        ('"1.5e-3"', 1_500_000),
        ("999999999.9999999999", 10**18),
        ("4.1e-05", 41_000),
        ("-0", 0),
        ("1e-1000000000000", 0),
        ("123456789.123456789", 123_456_789_123_456_789),
        ("0.1", 100_000_000),
    ],
)
def test_cost_is_kept_to_nano_units_half_even(number: str, nanos: int) -> None:
    found = row(read(Rec(literal("cost", number))))
    assert (found["cost_nanos"], found["currency"]) == (nanos, "USD")


@pytest.mark.parametrize(
    "number",
    [
        *("1000000000", "-0.0000000001", "1e400", "0." + "1" * 1023, "true", "[]"),
        *('"NaN"', '"1_0"', '"٣"', '" 1"', '"+1"', '".5"', '"5."', '"01"', '""'),
    ],
)
def test_what_is_no_cost(number: str) -> None:
    rejection = refused(Rec(literal("cost", number)))
    assert rejection.reason == "invalid_data"
    assert rejection.message.startswith("data.cost: found ")


def test_without_a_cost_the_currency_is_ignored_and_empty() -> None:
    found = row(read(Rec(text(request({"currency": "nonsense", "cost": None})))))
    assert (found["cost_nanos"], found["currency"]) == (0, "")


@pytest.mark.parametrize(
    ("number", "microseconds"),
    [
        *(("0", 0), ("0.0005", 0), ("0.0015", 2), ("1e2", 100_000), ("1000000000", 10**12)),
        *(("0.00050000000000000000001", 1), ("999999999.9995", 10**12)),
    ],
)
def test_durations_are_kept_to_microseconds_half_even(number: str, microseconds: int) -> None:
    assert row(read(Rec(literal("duration_ms", number))))["duration_us"] == microseconds


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("duration_ms", "1000000000.0000000001"),
        ("duration_ms", "-1e-400"),
        ("duration_ms", "1e400"),
        ("duration_ms", '"5"'),
        ("input_tokens", "5.0"),
        ("input_tokens", "1e2"),
        ("input_tokens", "-1"),
        ("input_tokens", "10000000001"),
        ("output_tokens", "9223372036854775807"),
        ("cache_read_input_tokens", "10000000001"),
        ("cache_creation_input_tokens", "10000000001"),
        ("reasoning_output_tokens", "10000000001"),
        ("input_tokens", "9223372036854775808"),
        ("input_tokens", "true"),
        ("status_code", "99"),
        ("status_code", "600"),
        ("model", '""'),
        ("model", "null"),
        ("user_id", "5"),
        ("user_id", json.dumps("x" * 1025)),
    ],
)
def test_fields_out_of_range_or_of_another_type(name: str, number: str) -> None:
    rejection = refused(Rec(literal(name, number)))
    assert (rejection.reason, rejection.tenant) == ("invalid_data", "acme")
    assert rejection.type == "usage.request.v1"
    assert f"data.{name}: found" in rejection.message
    assert "expected" in rejection.message


def test_lengths_are_counted_in_code_points() -> None:
    assert row(read(Rec(field("user_id", "😀" * 1024))))["user_id"] == "😀" * 1024


def test_an_empty_user_is_an_absent_one() -> None:
    assert row(read(Rec(field("user_id", ""))))["user_id"] == ""


def test_the_last_of_repeated_names_holds() -> None:
    value = text(request()).replace(b'"model":', b'"model": 5, "m\\u006fdel":')
    assert row(read(Rec(value)))["model"] == "m"


BODY = text(request()["data"])
CE = tuple(("ce_" + k, v.encode()) for k, v in request().items() if k != "data")
JSON = ("content-type", b"Application/JSON; charset=utf-8")


def test_the_three_forms_give_the_same_row() -> None:
    structured = Rec(text(request()))
    binary = Rec(BODY, (JSON, *CE))
    batch = Rec(text([request()]))
    rows = [row(read(record)) for record in (structured, binary, batch)]
    assert rows[0] == rows[1] == rows[2]


def test_the_header_decides_the_form_and_the_last_repeated_one_holds() -> None:
    wrong = ("content-type", b"application/cloudevents-batch+json")
    right = ("content-type", b"APPLICATION/CloudEvents+JSON; charset=utf-8")
    assert refused(Rec(text(request()), (right, wrong))).reason == "malformed"
    assert row(read(Rec(text(request()), (wrong, right))))["tenant"] == "acme"


def test_a_header_that_is_not_utf_8_reads_as_nothing() -> None:
    headers = tuple((k, b"\xff" if k == "ce_subject" else v) for k, v in CE)
    rejection = refused(Rec(BODY, (JSON, *headers)))
    assert (rejection.reason, rejection.tenant) == ("invalid_envelope", "")
    assert rejection.type == "usage.request.v1"


@pytest.mark.parametrize("kind", [b"", b"text/plain", b"application/octet-stream", b"\xff", None])
def test_binary_is_told_by_its_specversion_whatever_the_content_type(kind: bytes | None) -> None:
    """As the SDKs of CloudEvents send it: without a content-type, or with that of the data."""
    there = [("content-type", kind)] if kind is not None else []
    assert row(read(Rec(BODY, (*there, *CE)))) == row(read(Rec(text(request()))))


def test_a_media_type_of_cloudevents_goes_before_a_specversion() -> None:
    structured = ("content-type", b"application/cloudevents+json")
    assert row(read(Rec(text(request()), (*CE, structured))))["tenant"] == "acme"
    batch = ("content-type", b"application/cloudevents-batch+json")
    assert refused(Rec(BODY, (*CE, batch))).reason == "malformed"


def test_a_null_header_is_as_if_it_were_not_there() -> None:
    def null(name: str) -> Any:
        return (name, None)

    nulls = [null(name) for name in ("ce_specversion", "ce_id", "ce_datacontenttype", "ce_x")]
    nulls.append(null("content-type"))
    assert row(read(Rec(BODY, (*CE, *nulls)))) == row(read(Rec(BODY, CE)))
    without = tuple((k, v) for k, v in CE if k != "ce_specversion")
    for headers in ((*without, null("ce_specversion")), without):
        rejection = refused(Rec(BODY, headers))
        assert rejection.message == "specversion: found nothing, expected the string '1.0'."


@pytest.mark.parametrize(
    ("respelled", "shown"),
    [
        (lambda name: name.replace("_", "-"), "ce_specversion, not ce-specversion"),
        (str.upper, "ce_specversion, not CE_SPECVERSION"),
        (str.title, "ce_specversion, not Ce_Specversion"),
    ],
)
def test_headers_that_are_nearly_right_are_refused_with_how_to_spell_them(
    respelled: Callable[[str], str], shown: str
) -> None:
    rejection = refused(Rec(BODY, (JSON, *((respelled(k), v) for k, v in CE))))
    assert rejection.reason == "invalid_envelope"
    assert rejection.message.startswith("specversion: found nothing, expected the string '1.0' (")
    assert rejection.message.endswith(f"Kafka's headers are spelled {shown}).")


def test_a_good_event_may_have_any_other_headers() -> None:
    """An unknown header is ignored, as ``ce-traceparent`` of somebody's proxy."""
    assert read(Rec(text(request()), (("ce-id", b"x"), ("CE_TYPE", b"y")))).counted == 1
    one_wrong = tuple(("ce_ID" if k == "ce_id" else k, v) for k, v in CE)
    message = refused(Rec(BODY, one_wrong)).message
    assert message.startswith("id: found nothing, expected")
    assert message.endswith("spelled ce_id, not ce_ID).")


TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "reasoning_output_tokens",
)


def test_token_counts_go_to_ten_milliard() -> None:
    found = row(read(Rec(text(request(dict.fromkeys(TOKENS, 10**10))))))
    assert [found[name] for name in TOKENS] == [10**10] * 5
    message = refused(Rec(field("output_tokens", 10**10 + 1))).message
    assert message == (
        "data.output_tokens: found the number 10000000001, "
        "expected an integer from 0 to 10^10, or nothing."
    )


@pytest.mark.parametrize("in_batch", [False, True])
@pytest.mark.parametrize(
    ("sent", "unmetered"),
    [
        ({}, 1),
        ({"input_tokens": None, "output_tokens": None}, 1),
        ({"reasoning_output_tokens": 5}, 1),
        ({"input_tokens": 0}, 0),
        ({"output_tokens": 0}, 0),
        ({"input_tokens": None, "output_tokens": 7}, 0),
    ],
)
def test_a_request_with_neither_token_count_is_unmetered(
    sent: dict[str, Any], unmetered: int, *, in_batch: bool
) -> None:
    """Many at a time, and one by one as those in batches are."""
    others = [request({"input_tokens": 1, "output_tokens": 1}), request(sent)]
    values = [text(others)] if in_batch else [text(one) for one in others]
    facts = read(*(Rec(value, offset=n) for n, value in enumerate(values)))
    columns = dict(zip([name for name, _ in REQUESTS.columns], facts.columns, strict=True))
    assert list(columns["unmetered"]) == [0, unmetered]


@pytest.mark.parametrize("value", [b"text/plain", b"\xff"])
def test_the_datacontenttype_header_is_ignored(value: bytes) -> None:
    assert read(Rec(BODY, (JSON, *CE, ("ce_datacontenttype", value)))).counted == 1


def of_duplicates(*records: Rec) -> list[str]:
    """What each of the events after the first comes to: ``counted``, ``duplicate``, ``conflict``.

    Read at once, and each record alone.
    """
    numbered = [one._replace(offset=n) for n, one in enumerate(records)]
    at_once, one_by_one = reader("usage.requests", Rules()), reader("usage.requests", Rules())
    together, apart = at_once.facts(), one_by_one.facts()
    at_once.read(numbered, together)
    found = []
    for record in numbered:
        before = apart.duplicate, apart.conflicts
        one_by_one.read([record], apart)
        repeated, conflicts = apart.duplicate - before[0], apart.conflicts - before[1]
        found.append("conflict" if conflicts else "duplicate" if repeated else "counted")
    assert apart.outcomes == together.outcomes
    assert list(zip(*apart.columns, strict=True)) == list(zip(*together.columns, strict=True))
    assert found[0] == "counted"
    return found[1:]


def test_a_duplicate_of_other_data_than_the_last_ones_is_a_conflict() -> None:
    partial, final = Rec(text(request())), Rec(text(request({"output_tokens": 5})))
    found = of_duplicates(partial, final, final, partial)
    assert found == ["conflict", "duplicate", "conflict"]


def test_other_bytes_of_data_conflict_and_other_attributes_do_not() -> None:
    again = Rec(text(request(time="2026-03-01T12:34:57Z", traceparent="x")))
    spaced = Rec(json.dumps(request(), separators=(",", ":")).encode())
    assert of_duplicates(Rec(text(request())), again, spaced) == ["duplicate", "conflict"]
    other_names = [Rec(text(request(subject="b"))), Rec(text(request(source="b")))]
    assert of_duplicates(Rec(text(request())), *other_names) == ["counted", "counted"]


def test_the_data_of_all_forms_is_the_same_bytes() -> None:
    batch = Rec(b"[ " + text(request()) + b" ]")
    repeated_name = text(request()).replace(b'"data"', b'"data": {"a": [1]}, "d\\u0061ta"')
    records = [Rec(BODY, CE), batch, Rec(repeated_name), Rec(BODY, CE), Rec(BODY + b" ", CE)]
    found = of_duplicates(Rec(text(request())), *records)
    assert found == ["duplicate"] * 4 + ["conflict"], "of a binary record it is the whole value"


def test_a_conflict_is_a_reason_in_the_ledger() -> None:
    both = [request(), request({"model": "other"})]
    facts = read(Rec(text(both)), rules=Rules())
    assert facts.outcomes == {
        (MINUTE, "acme", "usage.request.v1", "counted", ""): 1,
        (MINUTE, "acme", "usage.request.v1", "duplicate", "conflict"): 1,
    }


def test_a_bad_element_is_rejected_alone() -> None:
    good, bad = text(request()), b'{"id" : 5}'
    facts = read(Rec(b"[" + good + b", " + bad + b" ,7," + good + b"]"))
    assert (facts.received, facts.counted, facts.rejected) == (4, 2, 2)
    assert [(r.index, r.reason, r.value) for r in facts.rejections] == [
        (1, "invalid_envelope", bad),
        (2, "malformed", b"7"),
    ]


def test_an_empty_batch_is_nothing_received_and_a_tombstone_is_skipped() -> None:
    facts = read(Rec(b"[]"), Rec(None))
    assert (facts.received, facts.skipped) == (0, 1)
    assert facts.outcomes == {(MINUTE, "", "", "skipped", ""): 1}


def test_a_batch_has_at_most_10000_elements() -> None:
    assert read(Rec(b"[" + b"1," * 9_999 + b"1]")).received == 10_000
    assert refused(Rec(b"[" + b"1," * 10_000 + b"1]")).reason == "malformed"


GOOD = text(request())


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"nonsense",
        b"5",
        b"\xef\xbb\xbf" + GOOD,
        GOOD + b"x",
        GOOD[:-1],
        GOOD.replace(b'"m"', b'"m","x":NaN'),
        GOOD.replace(b'"m"', b'"m","x":"\xff"'),
        GOOD.replace(b'"m"', b'"m","x":"\\ud800"'),
        GOOD.replace(b'"m"', b'"m","x":' + b"[" * 31 + b"]" * 31),
        b"[" * 1_000_000,
        b'{"a":' * 100_000,
        GOOD[:-1] + b" " * 1_048_576 + b"}",
    ],
)
def test_what_is_malformed_has_neither_tenant_nor_type(value: bytes) -> None:
    rejection = refused(Rec(value))
    assert (rejection.reason, rejection.tenant, rejection.type) == ("malformed", "", "")
    assert rejection.value == value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"", "expected an object, the event, or an array of events."),
        (b"\xef\xbb\xbf{}", "expected an object, the event, or an array of events."),
        (b'{"a":"\\ud800"}', "(a UTF-16 surrogate stands alone), expected structured"),
        (b'{"a":"\\ud800', "(Input data was truncated), expected structured"),
    ],
)
def test_the_sentence_of_what_is_malformed(value: bytes, said: str) -> None:
    assert said in refused(Rec(value)).message


def test_a_value_may_have_a_mebibyte_and_nest_32_deep() -> None:
    padding = b" " * (1_048_576 - len(GOOD))
    assert read(Rec(GOOD[:-1] + padding + b"}")).counted == 1
    deep = b'"m","x":' + b"[" * 30 + b"]" * 30
    assert read(Rec(GOOD.replace(b'"m"', deep))).counted == 1


def test_a_batch_may_have_a_mebibyte_and_no_value_a_byte_more() -> None:
    for value in (GOOD, b"[" + GOOD + b"]"):
        padding = b" " * (1_048_576 - len(value))
        assert read(Rec(value + padding)).counted == 1
        assert refused(Rec(value + padding + b" ")).reason == "malformed"


def test_limits_are_the_same_where_events_are_decided_one_by_one() -> None:
    full = request({"user_id": "x" * 1024})
    assert read(Rec(text([full]))).counted == 1
    actions = [action(items=items) for items in (1, 0)]
    facts = read(Rec(text(actions)), topic="usage.recipe-actions")
    assert [r.index for r in facts.rejections] == [1]
    for depth, rejected in ((8, 0), (9, 1)):
        properties = json.loads('{"a":' * (depth - 1) + "{}" + "}" * (depth - 1))
        event = request(type="usage.event.v1", data={"name": "n", "properties": properties})
        one = reader("usage.events", Rules())
        for value in (event, [event]):
            facts = one.facts()
            one.read([Rec(text(value))], facts)
            assert facts.rejected == rejected


def test_an_unknown_field_may_hold_any_json() -> None:
    odd = b'"m","x":[1e400,' + b"9" * 5000 + b',{"\\u0000":"\\ud83d\\ude00"}]'
    assert read(Rec(GOOD.replace(b'"m"', odd))).counted == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("specversion", "1.1"),
        ("specversion", 1.0),
        ("id", ""),
        ("id", "x" * 257),
        ("source", None),
        ("type", 5),
        ("type", ""),
        ("subject", "*"),
        ("subject", "x" * 129),
        ("datacontenttype", "text/plain"),
        ("datacontenttype", ""),
        ("data", None),
        ("data", []),
        ("time", ""),
        ("time", "2026-03-01 12:34:56Z"),
        ("time", "2026-03-01T12:34:60Z"),
        ("time", "2026-03-01T12:34Z"),
        ("time", "2026-03-01T12:34:56"),
        ("time", "2026-03-01T12:34:56.0123456789Z"),
        ("time", "2026-02-29T12:34:56Z"),
        ("time", "2026-03-01T12:34:56Z\n"),
    ],
)
def test_what_an_envelope_must_not_be(name: str, value: Any) -> None:
    rejection = refused(Rec(text(request() | {name: value})))
    assert rejection.reason == "invalid_envelope"
    assert rejection.message.startswith(f"{name}: found ")
    assert rejection.tenant == ("" if name == "subject" else "acme")
    assert rejection.type == ("" if name == "type" else "usage.request.v1")


def test_an_unknown_type_is_told_before_bad_data() -> None:
    rejection = refused(Rec(text(request({"model": 5}, type="usage.other.v1"))))
    assert (rejection.reason, rejection.type) == ("unknown_type", "usage.other.v1")


@pytest.mark.parametrize("type_", ["usage.other.v1", "usage.event.v1", "x" * 100_000])
def test_a_type_that_the_topic_does_not_know_is_no_type_in_the_ledger(type_: str) -> None:
    records = [Rec(text(request(type=type_))), Rec(text(request(type=type_, time="never")))]
    facts = read(*records)
    assert [rejection.type for rejection in facts.rejections] == [type_, type_]
    assert facts.outcomes == {
        (MINUTE, "acme", "", "rejected", "unknown_type"): 1,
        (MINUTE, "acme", "", "rejected", "invalid_envelope"): 1,
    }


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        ("2026-03-01T12:44:56.789999999Z", None),
        ("2026-03-01T12:44:56.790Z", "too_early"),
        ("2025-01-25T12:34:56.789Z", None),
        ("2025-01-25T12:34:56.788999Z", "too_late"),
        ("2026-03-01t18:04:56.789+05:30", None),
        (None, None),
    ],
)
def test_the_event_time_is_compared_with_the_records(time: str | None, reason: str | None) -> None:
    """Of a batch, too, which is decided one by one."""
    for value in (request(time=time), [request(time=time)]):
        reasons = [r.reason for r in read(Rec(text(value))).rejections]
        assert reasons == ([reason] if reason else [])


def test_bounds_of_event_time_and_arrival() -> None:
    early = Rec(text(request(time="2026-03-01T12:34:56.1239Z")))
    facts = read(early, Rec(GOOD), Rec(b"x", timestamp=NOW + 5))
    assert facts.event_time == (NOW - 666, NOW)
    assert facts.arrival == (NOW, NOW + 5)


@pytest.mark.parametrize("timestamp", [-1, -(2**63), 2**63 - 1, 2**53])
def test_no_timestamp_makes_a_column_overflow(timestamp: int) -> None:
    facts = read(Rec(text(request(time=None)), timestamp=timestamp))
    assert [r.reason for r in facts.rejections] in (["too_early"], ["too_late"])
    assert all(0 <= minute < 2**32 for minute, *_ in facts.outcomes)


ESCAPED_COST = b'"\\u0063ost"'
"""A name that the compiled reader leaves to the reference, in which the bug is."""


def test_a_record_that_our_code_fails_on_is_set_aside_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound = decimals._rounded

    def broken(digits: str, kept: int) -> int:
        if digits == "777":
            raise ZeroDivisionError("a bug of ours")
        return sound(digits, kept)

    monkeypatch.setattr(decimals, "_rounded", broken)
    bomb = literal("cost", '"7.77e-4"').replace(b'"cost"', ESCAPED_COST)
    facts = read(Rec(GOOD), Rec(bomb), Rec(GOOD))
    assert (facts.counted, facts.rejected) == (2, 1)
    (rejection,) = facts.rejections
    assert (rejection.reason, rejection.tenant) == ("internal", "acme")
    assert "a bug of ours" in rejection.message


def test_the_digest_follows_every_rule() -> None:
    assert Rules().digest() == Rules().digest()
    assert Rules().duplicate_window == 1_000_000
    others = [Rules(too_early_seconds=1), Rules(contract="x"), Rules(duplicate_window=2)]
    others += [Rules(zones="x"), Rules(regexes="x")]
    assert len({rules.digest() for rules in [Rules(), *others]}) == 6


def test_the_digest_of_the_release_before_is_still_known() -> None:
    """By it a backfill knows its chunks: it is what that release itself computed."""
    assert before_events_were_kept(Rules(zones="2025b")).digest() == "bdbe62c0499fdcea"
