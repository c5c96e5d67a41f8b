"""The first line of a docstring names its thing: it can stand alone in a tooltip."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("pipeline", "agents", "schemas", "tests/support")
FRAGMENT = re.compile(r"(?:Of|For|Only|With|Likewise|Theirs|Those|Them)\b|The same\b")
"""How a line begins that leaves out its noun."""
FEW_LETTERS = 9
Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def fragments(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Named):
            first = (ast.get_docstring(node) or "").partition("\n")[0]
            if first and (FRAGMENT.match(first) or len(first) < FEW_LETTERS):
                yield f"{node.name}: {first}"


@pytest.mark.parametrize("room", ROOMS)
def test_no_first_line_is_a_fragment(room: str) -> None:
    found = [
        f"{path.relative_to(ROOT)} {fragment}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for fragment in fragments(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize("line", ["Of the arrays.", "Only those.", "Add one."])
def test_fragments_are_seen(line: str) -> None:
    assert list(fragments(f'def size():\n    """{line}"""\n')) == [f"size: {line}"]
