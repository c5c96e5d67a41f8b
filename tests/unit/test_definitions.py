"""What a definition of a metric may say, and the sentence for each thing that it may not."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from pipeline.facts.definitions import paths, regexes
from pipeline.facts.definitions.definition import FIELDS, Definition, written
from pipeline.facts.definitions.interpreted import interpreted
from pipeline.facts.definitions.invalid import InvalidDefinition
from pipeline.facts.definitions.reading import read
from pipeline.facts.exact.json_values import compact, decode

PLAIN = {"metric_id": "api_calls", "name": "API calls", "interval_days": 30, "match": ["api_call"]}
OF_REQUESTS = {"metric_id": "m", "name": "M", "interval_days": 7, "source": "requests"}
OF_ACTIONS = {**OF_REQUESTS, "source": "actions"}


def made(**fields: Any) -> Definition:
    """The definition of these fields over plain ones, through JSON."""
    return read(decode(json.dumps({**PLAIN, **fields}).encode(), 32))


def filtered(operator: str, value: Any, path: str = "status") -> dict[str, Any]:
    return {"filters": [{"property": path, "operator": operator, "value": value}]}


def refusal(fields: dict[str, Any]) -> str:
    with pytest.raises(InvalidDefinition) as caught:
        read(decode(json.dumps(fields).encode(), 32))
    return str(caught.value)


def test_what_is_not_said_has_its_default_and_what_is_ignored_is_gone() -> None:
    assert made() == Definition(
        metric_id="api_calls", name="API calls", interval_days=30, match=("api_call",)
    )
    ignored = made(property=7, currency=12, filters=None, retired=None)
    assert ignored == made()
    assert read({**OF_REQUESTS, "match": 5}).match == ()
    assert made(match=["b", "a", "b"]).match == ("b", "a")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"interval_days": 14}, "interval_days: found 14, expected 7, 30 or 90"),
        ({"interval_days": 7.0}, "interval_days: found 7.0, expected 7, 30 or 90"),
        ({"interval_days": None}, "interval_days: found nothing, expected 7, 30 or 90"),
        ({"metric_id": "A b"}, 'metric_id: found "A b", expected 1 to 64 small letters, digits,'),
        ({"metric_id": "a\n"}, "metric_id: found"),
        ({"name": ""}, 'name: found "", expected a string of 1 to 80 characters'),
        ({"name": "n" * 81}, "(83 characters), expected a string of 1 to 80 characters"),
        ({"calculation": "sum"}, 'property: missing; calculation "sum" needs one'),
        ({"calculation": "avg"}, 'calculation: found "avg", expected count, sum, average,'),
        ({"format": "currency"}, 'currency: missing; format "currency" needs a code such as USD'),
        (
            {"format": "currency", "currency": "usd"},
            'currency: found "usd", expected three capital letters, as USD',
        ),
        ({"display": "pie"}, 'display: found "pie", expected number or sparkline'),
        ({"match": []}, "match: found an array of 0, expected an array of 1 to 20 event names"),
        ({"match": ["a"] * 21}, "match: found an array of 21, expected an array of 1 to 20"),
        ({"match": [1]}, "match[0]: found 1, expected an event's name, of 1 to 1,024 characters"),
        ({"retired": "yes"}, 'retired: found "yes", expected true or false'),
        ({"source": "logs"}, 'source: found "logs", expected events, requests or actions'),
        ({"filters": [{}] * 17}, "filters: found an array of 17, expected an array of up to 16"),
        ({"filters": ["x"]}, 'filters[0]: found "x", expected an object with property, operator'),
        ({"filters": [{}]}, "filters[0].property: missing; a filter needs one"),
        (filtered("equals", 1), 'filters[0].operator: found "equals", expected exact, is_not,'),
        (filtered("is_nt", 1), "; did you mean is_not?"),
        (filtered("exact", 1, "p" * 257), "filters[0].property: found 257 characters, expected a"),
        (filtered("exact", 1, "a\\b"), 'filters[0].property: found "a\\\\b", expected no escapes'),
        (filtered("exact", [1]), "filters[0].value: found an array of 1, expected a string, a"),
        (filtered("exact", None), "filters[0].value: found nothing, expected a string, a number,"),
        (filtered("exact", "x" * 1025), "filters[0].value: found 1025 characters, expected up to"),
        (filtered("contains", 1), "filters[0].value: found 1, expected a string"),
        (filtered("gt", "1"), 'filters[0].value: found "1", expected a number, or a date'),
        (filtered("gt", True), "filters[0].value: found true, expected a number, or a date"),
        (
            filtered("gt", {"date": "2026-05-01"}),
            'filters[0].value.date: found "2026-05-01", expected an instant by RFC 3339',
        ),
        (filtered("between", [1]), "filters[0].value: found an array of 1, expected an array of"),
        (filtered("between", [2, 1]), "filters[0].value: found 2 before 1, expected the lower"),
        (
            filtered("between", [1, {"date": "2026-05-01T00:00:00Z"}]),
            "filters[0].value: found a number and a date, expected two numbers, or two dates",
        ),
        (filtered("in", []), "filters[0].value: found an array of 0, expected an array of 1 to"),
        (filtered("in", ["a"] * 201), "filters[0].value: found an array of 201, expected an array"),
        (filtered("in", ["a", ["b"]]), "filters[0].value[1]: found an array of 1, expected a"),
        (filtered("regex", "r" * 513), "filters[0].value: found 513 characters, expected up to"),
        (
            filtered("regex", "(?=a)"),
            "filters[0].value: not a regular expression of RE2: invalid perl operator: (?=",
        ),
        (filtered("not_regex", "a{1001}"), "filters[0].value: not a regular expression of RE2: "),
    ],
    ids=lambda one: str(one)[:60],
)
def test_each_limit_has_its_sentence(wrong: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal({**PLAIN, **wrong})


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            {**OF_REQUESTS, **filtered("exact", 200, "status_code")},
            (
                "filters[0].property: requests are kept by team_id, agent_id, token_id, user_id, "
                "model, operation and failed, not by status_code"
            ),
        ),
        (
            {**OF_REQUESTS, "calculation": "p95", "property": "duration_ms"},
            'calculation: found "p95", expected count, sum or average; requests are kept as sums',
        ),
        (
            {**OF_REQUESTS, "calculation": "sum", "property": "latency"},
            'property: found "latency", expected requests, input_tokens, output_tokens,',
        ),
        (
            {**OF_REQUESTS, "calculation": "sum", "property": "cost"},
            'format: found "numeric", expected "currency"; costs of different currencies never',
        ),
        (
            {
                **OF_REQUESTS,
                "calculation": "sum",
                "property": "duration_ms",
                **filtered("exact", "a", "model"),
            },
            (
                "filters[0].property: duration_ms of requests is kept by token_id and operation, "
                "not by model"
            ),
        ),
        (
            {
                **OF_REQUESTS,
                "calculation": "sum",
                "property": "total_tokens",
                **filtered("exact", True, "failed"),
            },
            "not by failed",
        ),
        (
            {**OF_ACTIONS, **filtered("gt", 1, "app")},
            "filters[0].operator: found gt, expected any but gt, gte, lt, lte and between",
        ),
        (
            {**OF_ACTIONS, **filtered("exact", "u", "$user_id")},
            "filters[0].property: actions are kept by recipe_id, app and failed, not by $user_id",
        ),
    ],
    ids=lambda one: str(one)[:60],
)
def test_what_sums_cannot_answer_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(wrong)


def test_what_sums_can_answer_is_taken() -> None:
    for property_ in ("requests", "input_tokens", "output_tokens", "total_tokens", "duration_ms"):
        read({**OF_REQUESTS, "calculation": "average", "property": property_})
    read({**OF_REQUESTS, **filtered("exact", True, "failed")})
    read(
        {**OF_ACTIONS, "calculation": "sum", "property": "tasks", **filtered("in", [False])}
        | {"filters": [{"property": "failed", "operator": "in", "value": [False]}]}
    )
    alias = read({**OF_REQUESTS, **filtered("is_set", None, "$user_id")})
    assert json.loads(interpreted(alias))["texts"][0]["path"] == "user_id"


def test_definitions_that_say_the_same_are_written_the_same() -> None:
    plain = made(**filtered("exact", 12.5))
    for fields in (
        {"format": "numeric", "currency": "EUR", "display": "number", "retired": False},
        {"calculation": "count", "property": "a", "source": "events"},
        {"match": ["api_call", "api_call"], "unknown": 1},
    ):
        assert compact(written(made(**fields, **filtered("exact", 12.5)))) == compact(
            written(plain)
        )
    text = compact(written(plain)).replace("12.5", "1.250e1")
    assert compact(written(read(decode(text.encode(), 32)))) == compact(written(plain))
    assert set(written(made(retired=True, **filtered("exact", 1)))) <= set(FIELDS)


def test_a_definition_is_the_same_after_it_was_written() -> None:
    values: list[tuple[str, Any]] = [
        ("exact", "200"),
        ("is_not", False),
        ("in", [1, "a", True, {"date": "2026-05-01T00:00:00+05:30"}]),
        ("between", [{"date": "2026-05-01T00:00:00Z"}, {"date": "2026-05-02T00:00:00Z"}]),
        ("lte", 10**50),
        ("regex", "a|b"),
        ("is_set", None),
    ]
    several = made(
        calculation="sum",
        property="",
        format="currency",
        currency="EUR",
        display="sparkline",
        retired=True,
        filters=[{"property": "p\\.q", "operator": op, "value": value} for op, value in values],
    )
    assert read(decode(compact(written(several)).encode(), 32)) == several


def test_numbers_may_come_as_any_type_of_python() -> None:
    for value in (Decimal("12.50"), 12.5):
        (one,) = read({**PLAIN, **filtered("exact", value)}).filters
        assert compact(written(made(**filtered("exact", 12.5)))["filters"][0]["value"]) == "12.5"
        assert one.values == made(**filtered("exact", 12.5)).filters[0].values
    with pytest.raises(InvalidDefinition, match="found"):
        read(PLAIN | filtered("gt", 1e999))


def test_a_number_equals_what_is_written_otherwise() -> None:
    (row,) = json.loads(interpreted(made(**filtered("in", [200, 1e308, "200"]))))["texts"]
    assert row["texts"] == ["n200", "x1e+308", "s200"]
    assert row["numbers"] == ["200"]


@pytest.mark.parametrize(
    ("operator", "value", "end"),
    [
        ("gt", "0.1234567890123456789", ("0.123456789012345678", 0)),
        ("gte", "-1e-19", ("-0.000000000000000001", 0)),
        ("lt", "-1e-19", ("-0.000000000000000001", 1)),
        ("lte", "1e-99999999999", ("0.000000000000000000", 1)),
        ("lt", "1e308", ("1" + "0" * 38, 1)),
        ("gt", "-1e308", ("-1" + "0" * 38, 1)),
        ("gt", "200", ("200", 0)),
        ("gte", "2e2", ("200", 1)),
    ],
)
def test_a_range_ends_where_the_number_does(
    operator: str, value: str, end: tuple[str, int]
) -> None:
    text = compact({**PLAIN, **filtered(operator, 0)}).replace('"value":0', f'"value":{value}')
    (row,) = json.loads(interpreted(read(decode(text.encode(), 32))))["ranges"]
    side = "low" if operator.startswith("g") else "high"
    assert (row[side], row[f"{side}_in"]) == end


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("", ("",)),
        ("a.b", ("a", "b")),
        ("a\\.b", ("a.b",)),
        ("a.", ("a", "")),
        ("k\\\\.x", ("k\\", "x")),
        ("..", ("", "", "")),
        ("\\.\\\\", (".\\",)),
    ],
)
def test_a_path_names_its_keys(path: str, keys: tuple[str, ...]) -> None:
    assert paths.read(path, "property") == path
    assert paths.keys_of(path) == keys
    assert paths.path_of(*keys) == path


def test_a_pattern_is_judged_by_re2_itself() -> None:
    assert not regexes.fault("(a+)+b")
    assert regexes.fault("(a")
    assert regexes.fault("\ud800") == "it holds half a surrogate pair"
