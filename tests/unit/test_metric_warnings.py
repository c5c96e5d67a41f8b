"""What a dry run says of a definition that is probably not meant so. Pure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.facts.definitions.definition import Definition
from pipeline.meters import given
from pipeline.meters.seen import Property, by_path, share
from pipeline.meters.warned import refusal, warnings

NAMES = {"api_call": 900, "api_request": 100, "invoice.paid": 5}


def made(
    path: str = "status", operator: str = "exact", value: Any = 200, **more: Any
) -> Definition:
    filters = [{"property": path, "operator": operator, "value": value}]
    plain = {"metric_id": "m", "name": "M", "interval_days": 7, "match": ["api_call"]}
    return given.read(json.dumps({**plain, "filters": filters, **more}).encode())


def stands(path: str = "status", inside: tuple[str, ...] = (), **kinds: int) -> Property:
    named = {name.replace("_", " "): events for name, events in kinds.items()}
    return Property(path, named, {"string": ["n/a", "timeout"], "missing": []}, inside)


def said(definition: Definition, *found: Property, known: tuple[str, ...] = ()) -> dict[str, str]:
    return dict(warnings(definition, NAMES, found, [100, 50], known))


def test_a_name_that_nobody_sends_is_named_with_the_one_that_is_meant() -> None:
    assert said(made(match=["api_cal", "api_call", "zzz"])) == {
        "match[0]": 'no event named "api_cal" in 30 days; did you mean "api_call"?',
        "match[2]": 'no event named "zzz" in 30 days',
    }


def test_a_path_that_no_event_has() -> None:
    found = said(made("statu"), stands("statu", missing=100), known=("plan", "status"))
    assert found == {"filters[0].property": 'no event has "statu"; did you mean "status"?'}


@pytest.mark.parametrize(
    ("definition", "found", "field", "sentence"),
    [
        (
            made(value="200"),
            stands(number=98, string=2),
            "filters[0].value",
            (
                "a string equals strings only, and status is a number in 98 % of the events: "
                "write it without quotes"
            ),
        ),
        (
            made("plan", value=3),
            stands("plan", string=100),
            "filters[0].value",
            "plan is a string in 100 % of the events, not a number",
        ),
        (
            made("status", "regex", "^2"),
            stands(number=100),
            "filters[0].operator",
            "regex sees strings only, and status is a number in 100 % of the events",
        ),
        (
            made("status", "is_not", 200),
            stands(number=95, missing=5),
            "filters[0]",
            "is_not holds too where status is missing: 5 % of the events",
        ),
        (
            made("user"),
            stands("user", ("user.id",), object=20, string=80),
            "filters[0].property",
            "user is an object in 20 % of the events, which is missing there",
        ),
    ],
)
def test_what_is_of_another_kind(
    definition: Definition, found: Property, field: str, sentence: str
) -> None:
    assert said(definition, found)[field] == sentence


def test_what_adds_nothing_to_a_sum_is_counted_with_examples() -> None:
    definition = made(calculation="sum", property="amount")
    found = dict(
        line[::-1]
        for line in warnings(
            definition,
            NAMES,
            [stands("amount", number=90, string=7, missing=3), stands(number=100)],
            [100, 0],
        )
    )
    assert found == {
        "amount is no number in 7 % of the events, as 'n/a', 'timeout': adds nothing": "property",
        "amount is missing in 3 % of the events: adds nothing": "property",
        "no event is left by this filter": "filters[0]",
    }


def test_numbers_in_strings_are_numbers() -> None:
    assert said(made(), stands(number=60, number_in_a_string=40)) == {}
    summed = made(calculation="sum", property="status")
    assert said(summed, stands(number=60, number_in_a_string=40)) == {}


def test_a_path_that_is_an_object_everywhere_is_refused_with_what_is_in_it() -> None:
    inside = ("user.id", "user.plan")
    found = stands("user", inside, object=90, missing=10)
    refused = refusal(made("user"), [found])
    assert str(refused) == (
        "filters[0].property: user is an object, which has no value; its properties are user.id, "
        "user.plan"
    )
    assert refusal(made("user"), [stands("user", inside, object=90, string=1)]) is None
    assert refusal(made(), [stands(number=1, missing=5)]) is None


def test_kinds_are_said_in_shares() -> None:
    rows = [
        {"path": "status", "kind": kind, "events": events, "examples": [text], "of_events": []}
        for kind, events, text in (
            ("string", 10, "ok"),
            ("number", 980, "200"),
            ("boolean", 10, "1"),
        )
    ]
    [found] = by_path(rows)
    assert str(found) == "status: 98 % number, 1 % string, 1 % boolean"
    assert found.examples == {"number": ["200"], "string": ["ok"], "boolean": ["true"]}
    shares = [share(part, 1000) for part in (0, 1, 10, 500, 999, 1000)]
    assert shares == ["0 %", "under 1 %", "1 %", "50 %", "over 99 %", "100 %"]
