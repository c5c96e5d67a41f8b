"""What a definition would change about the one in force. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from pipeline.facts.definitions.definition import FIELDS, Definition, written
from pipeline.facts.exact.json_values import compact
from pipeline.meters.stored import Stored
from schemas.metric_definition import MAX_IN_FORCE


class Kind(StrEnum):
    """What becomes of a metric."""

    NEW = "new"
    CHANGED = "changed"
    RETURNS = "returns"  # it was retired
    RETIRED = "retired"
    UNCHANGED = "unchanged"


class Line(NamedTuple):
    """One part of a field that goes (``-``) or comes (``+``), as JSON."""

    sign: str
    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One metric: how it stands, and how it is to stand."""

    before: Stored | None
    """The newest version, in force or retired; None: there was never one."""
    after: Definition
    kind: Kind
    lines: tuple[Line, ...]

    @property
    def version(self) -> int:
        """The newest version so far; 0: none."""
        return 0 if self.before is None else self.before.version

    def as_json(self) -> dict[str, Any]:
        """The change for programs."""
        return {
            "metric_id": self.after.metric_id,
            "change": str(self.kind),
            "version": self.version,
            "lines": [one._asdict() for one in self.lines],
        }


def change(before: Stored | None, after: Definition) -> Change:
    """What a definition changes about the newest one of its metric."""
    old = written(before.definition) if before else {}
    new = written(after)
    if before is None:
        kind = Kind.NEW
    elif before.definition == after or (after.retired and before.definition.retired):
        kind = Kind.UNCHANGED
    elif after.retired:
        kind = Kind.RETIRED
    else:
        kind = Kind.RETURNS if before.definition.retired else Kind.CHANGED
    shown = () if kind in (Kind.UNCHANGED, Kind.RETIRED) else tuple(_lines(old, new))
    return Change(before, after, kind, shown)


def retirement(before: Stored) -> Change:
    """What ends a metric: its newest definition, retired."""
    return change(before, replace(before.definition, retired=True))


def refusal(newest: Mapping[str, Stored], changes: Iterable[Change]) -> str:
    """Why changes cannot be: too many metrics would be in force; '' where they can.

    ``newest``: the newest version of each metric, by its id.
    """
    stands = {metric for metric, one in newest.items() if not one.definition.retired}
    for one in changes:
        metric = one.after.metric_id
        if one.after.retired:
            stands.discard(metric)
        elif metric not in stands and len(stands) >= MAX_IN_FORCE:
            return f"{MAX_IN_FORCE + 1}st metric: at most {MAX_IN_FORCE} are in force; retire one"
        else:
            stands.add(metric)
    return ""


def overtaken(newest: Stored | None, changed: int) -> str:
    """The sentence for who changed what is not the newest version any more."""
    if newest is None:
        return f"there is no such metric any more, you changed version {changed}"
    gone = ", which retired it" if newest.definition.retired else ""
    if not changed:
        return f"version {newest.version} exists{gone}, you wanted to make the first"
    return f"version {newest.version} exists{gone}, you changed {changed}"


def _lines(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Line]:
    for field in FIELDS:
        if field not in ("metric_id", "retired"):
            before, after = _parts(old.get(field)), _parts(new.get(field))
            matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
            for what, i, j, k, n in matcher.get_opcodes():
                if what != "equal":
                    yield from (Line("-", field, one) for one in before[i:j])
                    yield from (Line("+", field, one) for one in after[k:n])


def _parts(value: Any) -> list[str]:
    """A field's value as JSON, a list's items each."""
    if value is None:
        return []
    return [compact(one) for one in value] if isinstance(value, list) else [compact(value)]
