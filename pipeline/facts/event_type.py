"""What is known of one event type, in one object; that its parts fit is checked when it is made."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, get_type_hints

from pipeline.facts.bulk.columns import Bulk
from pipeline.facts.exact.fields import Data
from pipeline.facts.exact.origin import Origin
from pipeline.facts.interface import Head
from pipeline.facts.rollups import Rollup
from pipeline.facts.rules import Rules

Row = Callable[[Data, Origin], tuple[Any, ...]]
"""Makes a row of checked data; raises Refused. It is annotated to return the head's class."""

BulkClass = type[Bulk]

COMMON_COLUMNS = ("minute", "tenant", "time")
"""Those of a head that has a bulk that are made the same way for all types; `time` is in some."""


class State(Protocol):
    """What the accepted events of a partition come to, where the next ones depend on it."""

    def admit(self, row: Any) -> None:
        """Raises Refused where a valid row is not accepted after those before it."""

    def accepted(self, row: Any) -> Any:
        """Take note of a row that is no duplicate; return it as it is to be stored."""


class LiveSums(NamedTuple):
    """What each sum by minute and tenant is made of: a column's name, or what every row adds."""

    requests: str | int = 0
    failed: str | int = 0
    input_tokens: str | int = 0
    output_tokens: str | int = 0
    tasks: str | int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """One type of events. Raises TypeError where its columns' names differ."""

    name: str
    """In Python: its topic is read by ``agents.<name>``."""
    topic: str
    """Without the prefix of the settings; no other type is known on it."""
    type: str
    """The CloudEvents ``type``: ``usage.request.v1``."""
    head: Head
    row: Row
    """The exact way from data to a row."""
    bulk: BulkClass | None = None
    """The fast way for data of the common form; None: each event is decided by itself."""
    state: Callable[[], State] | None = None
    """Makes what decides beside the event itself: what was accepted before it, of its whole log."""
    live: LiveSums | None = None
    rollup: Rollup | None = None
    """Where rows are summed up, for who compares or keeps tables."""

    def __post_init__(self) -> None:
        columns = [name for name, _ in self.head.columns]
        row = getattr(get_type_hints(self.row).get("return"), "_fields", ())
        self._require(list(row) == columns, "row", row)
        if self.bulk is not None:
            bulk = list(self.bulk([]).columns(Rules().task_rule_set))
            own = [name for name in columns if name not in COMMON_COLUMNS]
            self._require(bulk == own, "bulk", bulk)
        if self.live is not None:
            live = [source for source in self.live if isinstance(source, str)]
            self._require(set(live) <= set(columns), "live sums", live)
        if self.rollup is not None:
            rollup = [*self.rollup.key, *self.rollup.sources()]
            self._require(set(rollup) <= set(columns), "rollup", rollup)
            if self.rollup.kind != self.topic:
                raise TypeError(f"the rollup of {self.type} is of the topic {self.rollup.kind}")

    def _require(self, holds: bool, part: str, found: Collection[str]) -> None:
        if not holds:
            columns = ", ".join(name for name, _ in self.head.columns)
            raise TypeError(
                f"the {part} of {self.type}: found the columns {', '.join(found) or 'none'}, "
                f"expected those of {self.head.table}: {columns}"
            )
