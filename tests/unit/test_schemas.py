"""What is generated from the event types: fresh, valid, complete, and never a break."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from pipeline.cli.main import cli
from pipeline.facts import Rules
from pipeline.facts.exact import reasons
from pipeline.kafka import topics
from pipeline.kafka.dead_letters.letter import MARK_VALUE, mark_record, parse
from pipeline.protocol.chunks import Source
from pipeline.protocol.rejected import OWN
from schemas import TYPES, EventType, envelope, recipe_action
from schemas.catalogue import CONTRACT, DEAD_LETTER_TOPIC, WITHDRAWN
from schemas.entity import ENTITIES, Entity
from schemas.generate import files
from schemas.generate.additive import breaks

KINDS = list(TYPES.values())
RELEASES = sorted(path for path in files.RELEASED.iterdir() if path.is_dir())


def schema_of(kind: EventType) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((files.ROOT / "json" / f"{kind.name}.json").read_text())
    return read


def asyncapi() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((files.ROOT / "asyncapi.json").read_text())
    return read


def test_the_generated_files_are_fresh() -> None:
    assert not files.stale(files.ROOT), "`usage docs schemas` writes them"


def test_what_is_stale_is_named(tmp_path: Path) -> None:
    written = files.write(tmp_path)
    assert not files.stale(tmp_path)
    assert "golden/usage.request.v1/minimal.json" in written
    (tmp_path / "asyncapi.json").unlink()
    (tmp_path / "json" / "usage.event.v1.json").write_text("{}")
    (tmp_path / "json" / "usage.event.v0.json").write_text("{}")
    assert files.stale(tmp_path) == [
        "asyncapi.json",
        "json/usage.event.v0.json",
        "json/usage.event.v1.json",
    ]


def test_the_command_writes_them_and_tells_the_stale_from_the_fresh(tmp_path: Path) -> None:
    def usage(*arguments: str) -> Any:
        command = ["docs", "schemas", "--out", str(tmp_path), *arguments]
        return CliRunner().invoke(cli, command, standalone_mode=False)

    missing = usage("--check")
    assert missing.return_value == 1
    assert "asyncapi.json is stale: `usage docs schemas` writes it" in missing.stderr
    assert "json/usage.event.v1.json\n" in usage().stdout
    assert usage("--check").return_value == 0
    assert "raise CONTRACT" in str(usage("--release").exception)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_schema_is_valid_and_says_what_every_field_is(kind: EventType) -> None:
    schema = schema_of(kind)
    Draft202012Validator.check_schema(schema)
    for properties in (schema["properties"], schema["$defs"]["data"]["properties"]):
        assert all(one["description"] for one in properties.values()), kind.name
    for example in schema["examples"]:
        Draft202012Validator(schema).validate(example)


def test_a_schema_lets_no_two_types_be_mixed_up() -> None:
    for kind in KINDS:
        for other in KINDS:
            example = schema_of(other)["examples"][0]
            assert Draft202012Validator(schema_of(kind)).is_valid(example) == (kind is other)


def test_limits_and_topics_are_those_of_the_pipeline() -> None:
    rules = Rules()
    assert rules.max_record_bytes == envelope.MAX_RECORD_BYTES
    assert rules.max_depth == envelope.MAX_DEPTH
    assert rules.max_batch_elements == envelope.MAX_BATCH_ELEMENTS
    specs = {spec.name: spec for spec in topics.ALL}
    assert specs.keys() == {kind.topic for kind in KINDS} | {DEAD_LETTER_TOPIC}
    for name, channel in asyncapi()["channels"].items():
        config = channel["bindings"]["kafka"]["topicConfiguration"]
        assert config["max.message.bytes"] == specs[name].max_message_bytes
        assert config["cleanup.policy"] == ["compact" if specs[name].compacted else "delete"]


def test_words_that_stand_in_two_places_are_the_same() -> None:
    assert set(get_args(Entity.__annotations__["entity"])) == ENTITIES
    annotations = recipe_action.RecipeAction.__annotations__
    assert get_args(annotations["kind"]) == recipe_action.KINDS
    assert get_args(annotations["outcome"]) == recipe_action.OUTCOMES
    messages = asyncapi()["components"]["messages"]
    headers = messages["dead-letter"]["headers"]["properties"]
    assert headers["dl_reason"]["description"] == ", ".join(reasons.REASONS)
    assert headers.keys() == OWN
    letter = parse("o", [(name, b"1") for name in headers], b"", Source("d", 0))
    assert letter is not None
    _, mark = mark_record(letter, 0, 0)
    assert messages["retried"]["headers"]["required"] == [name for name, _ in mark]
    assert messages["retried"]["payload"]["const"].encode() == MARK_VALUE


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi()
    references = list(_references(document))
    assert len(references) > 3 * len(KINDS)
    for reference in references:
        path, _, pointer = reference.partition("#")
        target: Any = json.loads((files.ROOT / path).read_text()) if path else document
        for step in filter(None, pointer.split("/")):
            target = target[step]
        assert target
    forms = {f"{kind.name}.{form}" for kind in KINDS for form in ("structured", "binary", "batch")}
    assert document["components"]["messages"].keys() == forms | {"dead-letter", "retried"}


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref":
                yield value
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


# What may change -----------------------------------------------------------------------------


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_today_accepts_what_a_released_version_accepted(release: Path) -> None:
    schemas = sorted(release.glob("*.json"))
    assert schemas
    for path in schemas:
        kind = TYPES[path.stem]  # a type does not go away
        found = list(breaks(json.loads(path.read_text()), schema_of(kind)))
        narrower = [one for one in found if one.partition(":")[0] in WITHDRAWN]
        assert found == narrower, path.name
        assert not narrower or release.name == "1.0"
        assert all(one.endswith("maximum was 9223372036854775807, is 10000000000") for one in found)


def test_this_contracts_version_is_released_as_it_is() -> None:
    release = files.RELEASED / CONTRACT
    newest = max(RELEASES, key=lambda path: tuple(map(int, path.name.split("."))))
    assert newest == release, "raise CONTRACT, then `usage docs schemas --release`"
    for kind in KINDS:
        released = json.loads((release / f"{kind.name}.json").read_text())
        assert _checked(released) == _checked(schema_of(kind)), (
            f"{kind.name} is not what version {CONTRACT} promised: raise CONTRACT in "
            "schemas/catalogue.py, then `usage docs schemas --release`"
        )


def _checked(node: Any) -> Any:
    """Leave out the words for people, which may be bettered at any time."""
    words = {"$comment", "description", "examples", "title"}
    if isinstance(node, dict):
        return {
            name: value if name == "properties" and not isinstance(value, dict) else _checked(value)
            for name, value in node.items()
            if name not in words or isinstance(value, dict)
        }
    return [_checked(one) for one in node] if isinstance(node, list) else node


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_golden_payloads_of_a_released_version_never_change(release: Path) -> None:
    lines = (release / "golden.sha256").read_text().splitlines()
    assert lines
    for line in lines:
        digest, _, name = line.partition("  ")
        if (release.name, name) in CHANGED:
            continue
        assert files.digest(files.GOLDEN / name) == digest, name


CHANGED = {("1.0", "usage.request.v1/edge.json"), ("1.0", "usage.request.v1/facts.json")}
"""They sent as many tokens as no request may have since (WITHDRAWN)."""

REQUEST = ("$defs", "data")
FIELDS = (*REQUEST, "properties")


def _set(*path: str, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(schema: dict[str, Any]) -> None:
        for step in path[:-1]:
            schema = schema[step]
        schema[path[-1]] = to

    return change


def _drop(*path: str) -> Callable[[dict[str, Any]], None]:
    def change(schema: dict[str, Any]) -> None:
        for step in path[:-1]:
            schema = schema[step]
        del schema[path[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_drop(*FIELDS, "cost"), r"\$defs|data\.cost: is gone"),
        (_set(*REQUEST, "required", to=["model", "provider"]), "provider: is required now"),
        (_set(*FIELDS, "model", "maxLength", to=100), "model: maxLength was 1024, is 100"),
        (_set(*FIELDS, "model", "minLength", to=2), "model: minLength was 1, is 2"),
        (_set(*FIELDS, "status_code", "maximum", to=598), "status_code: maximum"),
        (_set(*FIELDS, "token_id", "type", to="string"), "token_id: type was .*null"),
        (_set(*FIELDS, "model", "pattern", to="^[a-z]+$"), "model: pattern was None"),
        (_set(*FIELDS, "model", "enum", to=["gpt-4o"]), "model: enum was any"),
        (_set(*FIELDS, "duration_ms", "multipleOf", to=1), "duration_ms: multipleOf"),
        (_set(*FIELDS, "input_tokens", "default", to=1), "input_tokens: default was 0, is 1"),
        (_set(*FIELDS, "latency", to={"type": "number"}), "latency: is new and does not take null"),
        (_set(*REQUEST, "additionalProperties", to=False), "data: additionalProperties"),
        (_set("allOf", to=[]), "the event: allOf"),
        (_set("properties", "type", "const", to="usage.request.v2"), "type: const"),
        (_set("properties", "subject", "maxLength", to=64), "subject: maxLength was 128"),
    ],
)
def test_a_break_is_found_and_named(change: Callable[[dict[str, Any]], None], said: str) -> None:
    old = schema_of(TYPES["usage.request.v1"])
    new = copy.deepcopy(old)
    change(new)
    found = list(breaks(old, new))
    assert len(found) == 1
    assert re.search(said, found[0]), found


@pytest.mark.parametrize(
    "change",
    [
        _set(*FIELDS, "latency", to={"type": ["number", "null"]}),
        _set(*FIELDS, "model", "maxLength", to=2048),
        _set(*FIELDS, "status_code", "type", to=["integer", "string"]),
        _drop(*FIELDS, "token_id", "maxLength"),
        _set(*REQUEST, "required", to=["operation", "model", "status_code"]),
        _set(*FIELDS, "model", "description", to="Better words."),
        _set("$comment", to="More to know."),
    ],
)
def test_an_addition_is_none(change: Callable[[dict[str, Any]], None]) -> None:
    old = schema_of(TYPES["usage.request.v1"])
    new = copy.deepcopy(old)
    change(new)
    assert new != old
    assert list(breaks(old, new)) == []
