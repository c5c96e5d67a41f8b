"""The definitions that the store has: every version of each metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.facts.definitions.definition import Definition, written
from pipeline.facts.definitions.reading import read
from pipeline.facts.exact.json_values import compact, decode
from schemas.envelope import MAX_DEPTH

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

_VERSIONS = """
SELECT
    metric_id,
    row_number() OVER (PARTITION BY metric_id ORDER BY recorded_at, version) AS number,
    definition, time, partition, offset, element
FROM metric_definitions
WHERE {metric:String} IN ('', metric_id)
ORDER BY metric_id, number
"""
# As the views number them: a topic that was made anew goes on where the old one ended.


class Stored(NamedTuple):
    """One version of a metric, as the log has accepted it."""

    definition: Definition
    version: int
    at: datetime
    """When its event was, in UTC."""
    origin: tuple[int, int, int]
    """Of the event: partition, offset, place in its batch."""

    def as_json(self) -> bytes:
        """The version for programs: the definition's fields, numbers with all their digits."""
        beside = {
            "version": self.version,
            "defined_at": self.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        }
        return compact({**written(self.definition), **beside}).encode()


def versions(store: Store, metric: str = "") -> list[Stored]:
    """Every version, of one metric or of all; sorted by metric, the newest last."""
    rows = store.query(_VERSIONS, {"metric": metric}, consistent=True)
    return [of_row(row) for row in rows]


def newest(found: Iterable[Stored]) -> dict[str, Stored]:
    """The newest version of each metric, the retired ones too, by its id."""
    return {one.definition.metric_id: one for one in found}  # they come in order


def in_force(found: Mapping[str, Stored]) -> dict[str, Stored]:
    """Which of the newest versions are in force: those that are not retired."""
    return {metric: one for metric, one in found.items() if not one.definition.retired}


def of_row(row: Sequence[Any]) -> Stored:
    """A row of the table."""
    _, version, definition, at, partition, offset, element = row
    known = read(decode(definition.encode(), MAX_DEPTH))
    return Stored(known, int(version), at, (int(partition), int(offset), int(element)))
