"""Files of metrics: what they say stays what is meant, or is refused with its line."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.operate.metrics.files import Written, parse, read_all

TWO = """
# what we sell
metrics:
  - metric_id: api_calls
    name: API calls
    interval_days: 30
    match: [api_request, api_call]
    filters:
      - {property: status, operator: exact, value: 200}
  - metric_id: revenue
    name: "Revenue (€)"
    interval_days: 90
    calculation: sum
    property: amount
    match: [invoice.paid]
    filters:
      - property: due
        operator: gte
        value: {date: 2026-05-01T00:00:00Z}
"""


def written(tmp_path: Path, text: str, name: str = "metrics.yaml") -> list[Written]:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return read_all([tmp_path / name])


def data(one: Written) -> Any:
    return json.loads(one.data, parse_float=Decimal)


def test_a_file_has_many_metrics_each_field_with_its_line(tmp_path: Path) -> None:
    calls, revenue = written(tmp_path, TWO)
    assert data(calls)["filters"] == [{"property": "status", "operator": "exact", "value": 200}]
    assert data(revenue)["name"] == "Revenue (€)"
    assert data(revenue)["filters"][0]["value"] == {"date": "2026-05-01T00:00:00Z"}
    assert (calls.line, calls.line_of("filters[0].value")) == (4, 9)
    assert revenue.line_of("filters[0].value") == 19
    assert revenue.line_of("filters[0].valeu.what") == 17, "of what it stands in"
    assert revenue.line_of("currency") == 10, "what is missing has none"
    assert parse([calls, revenue])[1] == []


def test_every_definition_that_is_wrong_is_named_with_its_line_and_field(tmp_path: Path) -> None:
    text = TWO.replace("interval_days: 30", "interval_days: 14").replace(
        "operator: gte", "operatr: x"
    )
    right, wrong = parse(written(tmp_path, text))
    file = tmp_path / "metrics.yaml"
    assert right == []
    assert list(map(str, wrong)) == [
        f"{file}:6: api_calls: interval_days: found 14, expected 7, 30 or 90",
        (
            f"{file}:18: revenue: filters[0].operatr: a filter has no such field; did you mean "
            "operator?; it has property, operator, value"
        ),
    ]


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_json_is_read_as_json_with_lines(tmp_path: Path, indent: Any) -> None:
    items = [{"metric_id": "a", "name": "😀 \t/", "match": ["é"]}, {"metric_id": "b"}]
    for document in ({"metrics": items}, items, items[0]):
        text = json.dumps(document, indent=indent)
        found = written(tmp_path, text, "metrics.json")
        assert [data(one) for one in found] == (items if len(found) > 1 else items[:1])
    [one, two] = written(tmp_path, json.dumps(items, indent=2), "metrics.json")
    assert (one.line, two.line) == (2, 9)


def test_numbers_keep_their_digits(tmp_path: Path) -> None:
    digits = "12345678901234567890123456789012345678.123456789012345678"
    [one] = written(tmp_path, f"metric_id: a\nfilters: [{{value: {digits}}}, {{value: -2.50e3}}]")
    assert digits.encode() in one.data
    assert b"-2.50e3" in one.data


@pytest.mark.parametrize(
    ("plain", "meant"),
    [
        ("'200'", "200"), ("12:30:00", "12:30:00"), ('"no"', "no"), ("'2026-05-01'", "2026-05-01"),
        ("true", True), ("null", None), ("~", None), ("nope", "nope"), ("1.2.3", "1.2.3"),
        ("|\n    two\n    lines", "two\nlines\n"), ("'0o17'", "0o17"), ("!!str 200", "200"),
    ],
)  # fmt: skip
def test_a_scalar_is_what_is_meant(tmp_path: Path, plain: str, meant: object) -> None:
    [one] = written(tmp_path, f"metric_id: a\nname: {plain}\n")
    assert data(one)["name"] == meant


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        ("no", 'write true or false, or "no" in quotes'),
        ("Yes", 'or "Yes" in quotes'),
        ("off", "a word to others"),
        ("2026-05-01", 'write "2026-05-01" in quotes, or {date:'),
        ("2026-05-01T10:00:00Z", "could be a text or a date"),
        ("0o17", 'or put "0o17" in quotes'),
        ("0x1F", "no number as JSON writes them"),
        ("1_000", "no number as JSON writes them"),
        ("012", "no number as JSON writes them"),
        (".inf", "no number as JSON writes them"),
        ("+1", "no number as JSON writes them"),
        ("!!python/object:os.system 1", "of the kind"),
        ("!!binary aGVsbG8=", "of the kind"),
        ("&here 1", "anchors and aliases are not read"),
        ("[a", "not YAML"),
        ("a: b", "not YAML"),
        ("1\nname: 2", "'name' stands in line 2 already"),
        ("1\n? [a]\n: 2", "a field's name is a word"),
        ("1\n200: 2", "a field's name is a word"),
        ('"\\ud83d"', "half of a character"),
    ],
)
def test_what_has_two_meanings_is_refused_with_its_line(
    tmp_path: Path, plain: str, said: str
) -> None:
    with pytest.raises(UsageError) as refused:
        written(tmp_path, f"metric_id: a\nname: {plain}\n")
    assert said in refused.value.message
    assert f"{tmp_path / 'metrics.yaml'}:" in refused.value.message


def test_another_yaml_does_not_change_what_words_mean(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a word to others"):
        written(tmp_path, "%YAML 1.1\n---\nmetric_id: a\nname: no\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no metrics"),
        ("metrics: []", "has no metrics"),
        ("metrics: 5", ":1: a list of metrics is expected"),
        ("5", ":1: a list of metrics is expected"),
        ("metrics:\n  - 5", ":2: a metric is expected"),
        ("metrics: []\nversion: 2", ":2: 'version' stands beside"),
        ("- {metric_id: a}\n- {metric_id: a}", "metrics.yaml:1 already"),
        ("[" * 2_000, "too deep"),
        ("a: &a [" + "*a," * 100 + "]", "anchors and aliases"),
        ("\x00", "not YAML"),
    ],
)
def test_a_file_without_metrics_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        written(tmp_path, text)
    assert said in refused.value.message


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"metric_id: a\nname: \xe9")
    with pytest.raises(UsageError, match=r"latin.yaml:2: not UTF-8"):
        read_all([tmp_path / "latin.yaml"])
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_all([tmp_path / "none.yaml"])


TEXT = st.text(
    st.sampled_from("ano0é😀\"\\/\t\n\r\0\x7f\x85\u2028\ufeff #:-{}[],&*!|>'%@`=~<"), max_size=8
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["name", "match", "filters", "more"]), JSON))
def test_any_json_comes_out_as_it_went_in(fields: dict[str, Any]) -> None:
    from pipeline.operate.metrics.yaml_nodes import documents

    text = json.dumps(fields, indent=1)
    [document] = documents(text)
    import msgspec

    assert json.loads(msgspec.json.encode(document.plain)) == fields
