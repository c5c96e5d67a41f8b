"""Recounted sums against stored ones: at least, or exactly. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.operate.audit.report import Finding

SHOWN = 20

Key = tuple[Any, ...]
Values = Sequence[int]


class Wrong(NamedTuple):
    """One key: what it must hold, and what it holds."""

    key: Key
    due: Values
    found: Values
    exact: bool
    """Whether it must hold just that, or at least that."""


@dataclass
class Matched:
    """How many keys were compared how, and those that are wrong."""

    exact: int = 0
    least: int = 0
    wrong: list[Wrong] = field(default_factory=list)

    def findings(self, table: str) -> Iterator[Finding]:
        """Say the first of them, and how many there are."""
        for key, due, found, exact in self.wrong[:SHOWN]:
            bound = "" if exact else "at least "
            message = (
                f"{table} holds {_words(found)} for {_words(key)}; the log comes to {bound}"
                f"{_words(due)} ({len(self.wrong):,} keys of this table differ)"
            )
            details = {
                "key": list(key),
                "stored": list(found),
                "recounted": list(due),
                "exact": exact,
            }
            yield Finding("recount", table, message, details)


def match(
    due: Mapping[Key, Values], found: Mapping[Key, Values], is_exact: Callable[[Key], bool]
) -> Matched:
    """Compare; a key that was not recounted but is stored is wrong where it must be exact."""
    result = Matched()
    for key in due.keys() | found.keys():
        exact = is_exact(key)
        if key not in due and not exact:
            continue
        result.exact += exact
        result.least += not exact
        width = len(due.get(key) or found[key])
        wanted, there = due.get(key, [0] * width), found.get(key, [0] * width)
        right = (
            list(wanted) == list(there)
            if exact
            else all(a >= b for a, b in zip(there, wanted, strict=True))
        )
        if not right:
            result.wrong.append(Wrong(key, wanted, there, exact))
    result.wrong.sort(key=lambda one: [str(part) for part in one.key])
    return result


def _words(values: Sequence[Any]) -> str:
    return "(" + ", ".join(str(value) for value in values) + ")"
