"""`usage check`: what it says of files, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline.cli.events import check
from pipeline.facts.readers import told
from pipeline.settings import Settings

READER = f"; workers like this one: {told(Settings().reader)}\n"
AT = "2026-06-01T12:00:00Z"
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "s",
    "type": "usage.request.v1",
    "subject": "acme",
    "data": {"operation": "chat", "model": "m", "status_code": 200, "duration_ms": 5},
}


def event(id_: str, **changed: Any) -> dict[str, Any]:
    return EVENT | {"id": id_} | changed


def wrong(id_: str) -> dict[str, Any]:
    return event(id_, data=EVENT["data"] | {"status_code": 1000})


def run(text: str | bytes, *options: str) -> Result:
    return CliRunner().invoke(check, ["-", "--at", AT, *options], input=text, standalone_mode=False)


def said(text: str | bytes, *options: str) -> list[str]:
    return [
        line.removeprefix("standard input:") for line in run(text, *options).stdout.splitlines()
    ]


def lines(*events: object) -> str:
    return "".join(f"{json.dumps(one)}\n" for one in events)


def test_what_would_count_is_said_in_a_word() -> None:
    done = run(lines(event("1"), event("2"), [event("3"), event("4")]))
    assert (done.return_value, done.stdout, done.stderr) == (0, "", f"4 events, 0 wrong{READER}")


def test_each_line_that_is_wrong_is_said_with_field_found_and_expected() -> None:
    text = lines(event("1"), wrong("2")) + "\n{\n" + lines([event("3"), wrong("4")])
    assert run(text).return_value == 1
    sentence = (
        "invalid_data: data.status_code: found the number 1000, "
        "expected an integer from 100 to 599."
    )
    not_json = "malformed: The value: found what is not JSON (Input data was truncated)"
    assert said(text) == [
        f"2: {sentence}",
        f"4: {not_json}, expected structured: an object, the event.",
        f"5[1]: {sentence}",
    ]
    found = [json.loads(line) for line in run(text, "--json").stdout.splitlines()]
    assert found[0] | {"field": "data.status_code", "found": "the number 1000"} == found[0]
    assert [one["line"] for one in found] == [2, 4, 5]


def test_a_document_over_several_lines_is_one_record() -> None:
    assert said(json.dumps(wrong("1"), indent=2))[0].startswith("1: invalid_data")
    batch = json.dumps([event("1"), wrong("2")], indent=2)
    begins = [n for n, line in enumerate(batch.splitlines(), 1) if line == "  {"]
    assert said(batch)[0].startswith(f"{begins[1]}[1]: invalid_data")
    twice = json.dumps([event("1"), event("1"), 1], indent=2)
    begins = [n for n, line in enumerate(twice.splitlines(), 1) if line in ("  {", "  1")]
    assert [line.partition(":")[0] for line in said(twice)] == [
        f"{begins[1]}[1]",
        f"{begins[2]}[2]",
    ]
    broken = json.dumps(event("1"), indent=2)[:-2]
    assert len(said(broken)) == 1, "not a sentence for each of its lines"
    assert [line[:12] for line in said('{"id":\n\n[{"id":1}\n')] == ["1: malformed", "3: malformed"]
    assert said(b"") == []
    assert said(b"\n\n") == []


def test_the_topic_follows_from_the_type_or_is_told() -> None:
    product = event("1", type="usage.event.v1", data={"name": "n"})
    assert said(lines(product)) == []
    assert (
        "expected one that usage.requests knows"
        in said(lines(product), "--topic", "usage.requests")[0]
    )
    assert "expected usage.request.v1" in said(
        lines(event("1"), event("2", type="usage.event.v1")), "--type", "usage.request.v1"
    )[0].replace("one that usage.requests knows (usage.request.v1)", "usage.request.v1")
    unknown = said(lines(event("1", type="usage.other.v1")))[0]
    assert "usage.request.v1, usage.recipe_action.v1, usage.event.v1" in unknown
    assert run("", "--type", "nothing").exception is not None


def test_a_repeat_is_said_and_is_not_wrong() -> None:
    done = run(lines(event("1"), event("1")))
    assert done.return_value == 0
    assert done.stdout.startswith(
        "standard input:2: duplicate: subject, source and id are those of"
    )
    assert done.stderr == f"2 events, 0 wrong, 1 repeated{READER}"


def test_a_repeat_of_other_data_is_said_to_be_a_conflict() -> None:
    other = {"data": EVENT["data"] | {"input_tokens": 5}}
    events = [event("1"), event("1", subject="other"), event("1", **other), event("1", **other)]
    found = said(lines(*events))
    assert [line.partition(":")[0] for line in found] == ["3", "4"]
    assert "those of standard input:1: it would be dropped (a conflict: its data is an" in found[0]
    assert found[1].endswith("those of standard input:3: it would be dropped.")


def test_parts_greater_than_their_whole_are_said_and_count() -> None:
    def tokens(id_: str, **counts: int) -> dict[str, Any]:
        return event(id_, data=EVENT["data"] | counts)

    done = run(
        lines(
            tokens("1", input_tokens=9, cache_read_input_tokens=5, cache_creation_input_tokens=4),
            tokens("2", input_tokens=9, cache_read_input_tokens=5, cache_creation_input_tokens=5),
            tokens("3", output_tokens=9, reasoning_output_tokens=10),
        )
    )
    assert done.return_value == 0
    assert done.stderr == f"3 events, 0 wrong, 2 inconsistent{READER}"
    assert done.stdout.splitlines() == [
        (
            "standard input:2: inconsistent: data.cache_read_input_tokens + "
            "data.cache_creation_input_tokens: found 10, expected up to input_tokens, which is 9."
        ),
        (
            "standard input:3: inconsistent: data.reasoning_output_tokens: "
            "found 10, expected up to output_tokens, which is 9."
        ),
    ]


def test_time_is_held_against_the_moment_of_arrival() -> None:
    assert said(lines(event("1", time="2026-06-01T12:09:00Z"))) == []
    assert "too_early" in said(lines(event("1", time="2026-06-01T12:11:00Z")))[0]


@pytest.mark.parametrize("value", [b"\xff\n", b"\xef\xbb\xbf{}\n", b"1\n", b"null\n", b"[" * 99])
def test_what_is_no_event_is_malformed(value: bytes) -> None:
    assert "malformed" in said(value)[0]


def test_files_are_read_one_after_another(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(lines(wrong(name)))
    paths = [str(tmp_path / name) for name in ("a", "b")]
    done = CliRunner().invoke(check, paths, standalone_mode=False)
    assert [line.partition(": ")[0] for line in done.stdout.splitlines()] == [
        f"{path}:1" for path in paths
    ]
    assert done.return_value == 1
