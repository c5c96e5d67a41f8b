"""What a definition changes, how it is sent, and who is too late. Pure."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.errors import UsageError
from pipeline.facts.definitions.definition import Definition
from pipeline.facts.definitions.invalid import InvalidDefinition
from pipeline.meters import events, given
from pipeline.meters.changes import Kind, Line, change, overtaken, refusal, retirement
from pipeline.meters.stored import Stored, in_force, newest
from pipeline.operate.metrics.files import parse, read_all
from pipeline.operate.metrics.shown import as_yaml
from schemas.metric_definition import MAX_IN_FORCE

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
PLAIN: dict[str, Any] = {"metric_id": "a", "name": "A", "interval_days": 30, "match": ["x", "y"]}


def made(**fields: Any) -> Definition:
    return given.read(json.dumps({**PLAIN, **fields}).encode())


def version(number: int = 3, **fields: Any) -> Stored:
    return Stored(made(**fields), number, NOW, (0, number, 0))


def test_what_is_new_shows_all_that_it_says() -> None:
    found = change(None, made())
    assert (found.kind, found.version) == (Kind.NEW, 0)
    assert [str(line.field) for line in found.lines] == ["name", "interval_days", "match", "match"]
    assert {line.sign for line in found.lines} == {"+"}


def test_only_what_differs_is_shown() -> None:
    before = version(filters=[{"property": "s", "operator": "exact", "value": 200}])
    after = made(
        match=["x", "z"],
        calculation="sum",
        property="q",
        filters=[
            {"property": "r", "operator": "is_set"},
            {"property": "s", "operator": "exact", "value": 200},
        ],
    )
    assert change(before, after).kind is Kind.CHANGED
    assert change(before, after).lines == (
        Line("+", "calculation", '"sum"'),
        Line("+", "property", '"q"'),
        Line("-", "match", '"y"'),
        Line("+", "match", '"z"'),
        Line("+", "filters", '{"property":"r","operator":"is_set"}'),
    )


def test_what_says_the_same_changes_nothing() -> None:
    same = made(format="numeric", display="number", filters=[], calculation="count", property="q")
    assert change(version(), same).kind is Kind.UNCHANGED
    value = [{"property": "s", "operator": "exact", "value": 12.5}]
    again = given.read(json.dumps({**PLAIN, "filters": value}).replace("12.5", "1.250e1").encode())
    assert change(version(filters=value), again).kind is Kind.UNCHANGED


def test_a_metric_is_retired_and_comes_back() -> None:
    ended = retirement(version())
    assert (ended.kind, ended.after.retired, ended.lines) == (Kind.RETIRED, True, ())
    gone = version(4, retired=True)
    assert change(gone, made()).kind is Kind.RETURNS
    assert retirement(gone).kind is Kind.UNCHANGED
    assert in_force(newest([version(), gone])) == {}
    assert list(in_force(newest([version(), gone, version(5)]))) == ["a"]


def test_the_101st_metric_is_refused_but_no_change_of_the_hundred() -> None:
    hundred = {f"m{n}": version(1, metric_id=f"m{n}") for n in range(MAX_IN_FORCE)}
    one_more, changed = change(None, made()), change(hundred["m7"], made(metric_id="m7", name="B"))
    ended = retirement(hundred["m7"])
    assert refusal(hundred, [changed]) == ""
    assert refusal(hundred, [one_more]) == "101st metric: at most 100 are in force; retire one"
    assert refusal(hundred, [ended, one_more]) == ""
    assert refusal(hundred, [one_more, ended]) != ""
    assert refusal({**hundred, "m7": version(2, metric_id="m7", retired=True)}, [one_more]) == ""


def test_who_is_too_late_is_told_what_there_is() -> None:
    assert overtaken(version(4), 3) == "version 4 exists, you changed 3"
    assert overtaken(version(1), 0) == "version 1 exists, you wanted to make the first"
    assert overtaken(version(4, retired=True), 3) == (
        "version 4 exists, which retired it, you changed 3"
    )


def test_two_changes_of_a_version_have_one_id_and_a_later_one_another() -> None:
    one, other = events.event(made(), 3, NOW), events.event(made(name="B"), 3, NOW)
    assert (one["source"], one["id"]) == (other["source"], other["id"])
    assert one["data"] != other["data"]
    assert events.event(made(), 4, NOW)["id"] != one["id"]


def test_a_record_has_all_of_them_or_there_is_none() -> None:
    found = json.loads(events.record([(made(), 0), (made(metric_id="b"), 2)], NOW))
    assert [one["id"] for one in found] == ["a@1", "b@3"]
    assert {one["subject"] for one in found} == {"*"}
    large = made(filters=[{"property": "s", "operator": "in", "value": ["é" * 1000] * 200}] * 3)
    with pytest.raises(UsageError, match="give them in several files"):
        events.record([(large, 0)], NOW)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"intervl_days": 7}', "intervl_days: a metric has no such field; did you mean interval"),
        (b'{"filters": [{"value": 1, "op": 2}]}', "filters[0].op: a filter has no such field; it"),
        (b'{"metric_id": "b"}', 'metric_id: found "b", expected a, which the path names'),
        (b"[1]", "found an array of 1, expected an object"),
        (b"{", "not JSON: "),
        (b'"\xff"', "not JSON: it is not UTF-8"),
        (b"[" * 50, "not JSON: it nests more than"),
    ],
)
def test_what_people_give_is_read_more_strictly_than_the_log(data: bytes, said: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        given.read(data, "a")
    assert said in str(refused.value)


def test_the_path_may_give_the_id() -> None:
    named = json.dumps({name: value for name, value in PLAIN.items() if name != "metric_id"})
    assert given.read(named.encode(), "a") == made()
    with pytest.raises(InvalidDefinition, match="metric_id: found nothing"):
        given.read(named.encode())


def test_what_is_shown_can_be_applied_again(tmp_path: Any) -> None:
    digits = "12345678901234567890123456789012345678.123456789012345678"
    text = json.dumps({**PLAIN, "name": 'no: "\x85\u2028é'})[:-1]
    strange = given.read(
        f'{text},"filters":[{{"property":"a\\\\.b","operator":"in","value":[{digits},"on","200",'
        f'true,{{"date":"2026-05-01T00:00:00Z"}}]}},{{"property":"","operator":"is_set"}}]}}'.encode()
    )
    path = tmp_path / "shown.yaml"
    path.write_text(as_yaml([Stored(strange, 1, NOW, (0, 0, 0)), version(metric_id="b")]))
    assert parse(read_all([path])) == ([strange, made(metric_id="b")], [])
    assert replace(strange, name="A") != made()
