"""Files with definitions of metrics: YAML or JSON, one metric or many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from pipeline.errors import UsageError
from pipeline.facts.definitions.definition import Definition
from pipeline.facts.definitions.invalid import InvalidDefinition
from pipeline.meters import given
from pipeline.operate.metrics.yaml_nodes import Misread, Value, documents, part

LARGEST_BYTES = 4 * 1_048_576
METRICS = "metrics"
_ID = "metric_id"


class Written(NamedTuple):
    """One definition as a file has it."""

    file: str
    line: int
    metric: str
    """Its id, as far as it has one."""
    data: bytes
    """JSON: the data of its event."""
    lines: dict[str, int]
    """By the path of a field, ``filters[2].value``."""

    def line_of(self, field: str) -> int:
        """The line of a field, or of what it stands in."""
        while field and field not in self.lines:
            field = field[: max(field.rfind("."), field.rfind("["), 0)]
        return self.lines.get(field, self.line)


class Wrong(NamedTuple):
    """What is wrong with a definition of a file."""

    file: str
    line: int
    metric: str
    """Its id, as far as it has one."""
    field: str
    """Its path, ``filters[2].value``; empty: of no field."""
    message: str
    """A sentence without the field."""

    def __str__(self) -> str:
        parts = (f"{self.file}:{self.line}", self.metric, self.field, self.message)
        return ": ".join(part for part in parts if part)


def parse(found: Iterable[Written]) -> tuple[list[Definition], list[Wrong]]:
    """The definitions that are right, and what is wrong with the others."""
    right: list[Definition] = []
    wrong: list[Wrong] = []
    for one in found:
        try:
            right.append(given.read(one.data))
        except InvalidDefinition as error:
            line = one.line_of(error.field)
            wrong.append(Wrong(one.file, line, one.metric, error.field, error.what))
    return right, wrong


def read_all(paths: Iterable[Path]) -> list[Written]:
    """The definitions of several files, each metric once. Raises UsageError."""
    found = [one for path in paths for one in read(path)]
    _require_once(found)
    return found


def read(path: Path) -> list[Written]:
    """The definitions of a file: one, a list of them, or ``metrics:`` with such a list.

    Raises:
        UsageError: it cannot be read, is neither YAML nor JSON, or has no definitions; with its
            name and line.
    """
    name = "standard input" if str(path) == "-" else str(path)
    text = _text(path, name)
    try:
        found = [one for document in documents(text) for one in _definitions(document, name)]
    except Misread as error:
        raise UsageError(f"{name}:{error.line}: {error.message}") from None
    if not found:
        raise UsageError(f"{name} has no metrics: wanted is a list of them under `metrics:`")
    return found


def _text(path: Path, name: str) -> str:
    import sys

    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from None
    if len(content) > LARGEST_BYTES:
        raise UsageError(f"{name} has more than {LARGEST_BYTES:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{name}:{line}: not UTF-8") from None


def _definitions(document: Value, file: str) -> Iterator[Written]:
    path, items = "", document.plain
    if isinstance(items, dict) and METRICS in items:
        more = [name for name in items if name != METRICS]
        if more:
            raise Misread(document.lines[more[0]], f"{more[0]!r} stands beside `{METRICS}:`")
        path, items = METRICS, items[METRICS]
    if isinstance(items, dict) and not path:
        yield _written(document, file)
        return
    if not isinstance(items, list):
        raise Misread(document.line, f"a list of metrics is expected, under `{METRICS}:`")
    for number, item in enumerate(items):
        one = part(document, f"{path}[{number}]", item)
        if not isinstance(item, dict):
            raise Misread(one.line, "a metric is expected: its fields and their values")
        yield _written(one, file)


def _written(one: Value, file: str) -> Written:
    fields: dict[str, Any] = one.plain
    given = fields.get(_ID)
    metric = given if isinstance(given, str) else ""
    return Written(file, one.line, metric, msgspec.json.encode(fields), one.lines)


def _require_once(found: Iterable[Written]) -> None:
    """Refuse a metric that is defined twice. Raises UsageError."""
    first: dict[str, Written] = {}
    for one in found:
        if one.metric in first:
            before = first[one.metric]
            raise UsageError(
                f"{one.file}:{one.line}: {one.metric} is defined in "
                f"{before.file}:{before.line} already"
            )
        if one.metric:
            first[one.metric] = one
