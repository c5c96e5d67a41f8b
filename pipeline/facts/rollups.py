"""The rollups: which tables the rows of each type are summed up in, and by what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from schemas import entity, metric_definition, product_event, recipe_action, request


class Coarser(NamedTuple):
    """A table that sums the same events up by fewer columns."""

    table: str
    at: Literal["quarter", "day", "month"]
    """Its time."""
    measures: tuple[tuple[str, str], ...]
    """Besides the events: each sum in it, and what that is in the 15-minute rows, which may use
    the macros of ``deploy/clickhouse/views/_parts/``."""
    is_of_latency: bool = False
    """Whether it counts how long they took, of what did not come after its time was over."""


@dataclass(frozen=True, slots=True)
class Rollup:
    """The tables that the events of one topic are summed in, or kept in one by one."""

    kind: str
    """The topic, without prefix: those of every prefix come into the same tables."""
    quarters: str
    minutes: str
    """Empty where there are none: the rows are kept one by one, for good."""
    events: str
    """The column that counts them."""
    measures: tuple[str, ...]
    """The other sums, as whole numbers."""
    key: tuple[str, ...]
    """The finest key, but for the time."""
    latency: str = ""
    """The column that tells how long the events of a row took, where there is one."""
    old_latency: tuple[tuple[str, bool], ...] = ()
    """Where that was told before there was the column: table, and whether it is by the minute.
    Nothing is added to them."""
    coarser: tuple[Coarser, ...] = ()
    """Tables of a coarser key, or of days."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Of measures that are not named as what they sum: the head's column."""
    kept: str = ""
    """A table that has each event as a row of its own, by `time`, with its `name`."""

    def minute_tables(self) -> list[str]:
        """All tables of minutes."""
        return [self.minutes, *(table for table, by_minutes in self.old_latency if by_minutes)]

    def quarter_tables(self) -> list[str]:
        """All tables of quarter hours."""
        old = [table for table, by_minutes in self.old_latency if not by_minutes]
        coarser = [one.table for one in self.coarser if one.at == "quarter"]
        return [self.quarters, *old, *coarser]

    def sources(self) -> list[str]:
        """The head's columns that the measures are sums of."""
        return [self.renamed.get(name, name) for name in self.measures]


_COST = "cost * 1000000000"
_TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "reasoning_output_tokens",
)


def _same(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, name) for name in names)


REQUESTS = Rollup(
    request.TOPIC,
    "requests_15m",
    "requests_1m",
    "requests",
    ("failed", "duration_us", *_TOKENS, "unmetered", _COST),
    (
        "tenant",
        "team_id",
        "agent_id",
        "token_id",
        "user_id",
        "model",
        "operation",
        "currency",
    ),
    "latency",
    (("latency_15m", False), ("latency_1m", True)),
    (
        Coarser(
            "totals_15m",
            "quarter",
            (
                *_same("failed", *_TOKENS, "unmetered", _COST),
                ("completions", "if(_is_completion(), requests, 0)"),
                ("completions_us", "if(_is_completion(), duration_us, 0)"),
                ("embeddings", "if(_is_embedding(), requests, 0)"),
                ("embeddings_us", "if(_is_embedding(), duration_us, 0)"),
            ),
        ),
        Coarser("users_1d", "day", _same("input_tokens", "output_tokens", _COST)),
        Coarser("users_1mo", "month", _same("input_tokens", "output_tokens", _COST)),
        Coarser("latency_1mo", "month", (), is_of_latency=True),
    ),
    {_COST: "cost_nanos"},
)
RECIPE_ACTIONS = Rollup(
    recipe_action.TOPIC,
    "tasks_15m",
    "tasks_1m",
    "actions",
    ("tasks", "failed"),
    ("tenant", "recipe_id", "app", "rule_set"),
    renamed={"tasks": "task"},
)
PRODUCT_EVENTS = Rollup(
    product_event.TOPIC,
    "events_15m",
    "events_1m",
    "events",
    (),
    ("tenant", "user_id", "name"),
    kept="product_events",
)
ENTITIES = Rollup(
    entity.TOPIC,
    "entities",
    "",
    "changes",
    ("deleted",),
    ("tenant", "entity", "entity_id", "partition", "offset", "element", "attributes"),
)
METRIC_DEFINITIONS = Rollup(
    metric_definition.TOPIC,
    "metric_definitions",
    "",
    "definitions",
    ("retired",),
    (
        "tenant",
        "metric_id",
        "version",
        "partition",
        "offset",
        "element",
        "definition",
        "interpreted",
    ),
)
