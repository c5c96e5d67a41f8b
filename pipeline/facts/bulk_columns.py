"""Many events of the common form at a time: one pass over them per column."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline.facts.bulk_costs import costs
from pipeline.facts.json_values import within_depth
from pipeline.facts.recipe_actions import is_task
from pipeline.facts.requests import is_currency
from schemas.product_event import MAX_PROPERTIES_DEPTH
from schemas.recipe_action import KINDS, OUTCOMES
from schemas.request import DEFAULT_CURRENCY

_NEAR_HALF = 0.5 - 1e-5
"""A double's microseconds nearer to a half than this may round otherwise than its decimal; up to
``common.MAX_MS`` both roundings of the double come to less than 10^-6 of one."""


class Columns(NamedTuple):
    """Of many events of a type."""

    lists: list[list[Any]]
    """The head's columns but for the first two, minute and tenant."""
    odd: set[int]
    """The places that must be decided one by one after all; their values mean nothing."""


Make = Callable[[Sequence[Any], int], Columns]


def requests(data: Sequence[Any], rule_set: int) -> Columns:  # noqa: ARG001 - as for all types
    """Of CommonRequest."""
    durations, odd = _microseconds([d.duration_ms for d in data])
    nanos, unpriced, invalid = costs([d.cost for d in data])
    odd.update(invalid)
    currencies = _currencies([d.currency for d in data], unpriced, odd)
    lists: list[list[Any]] = [
        [d.team_id or "" for d in data],
        [d.agent_id or "" for d in data],
        [d.token_id or "" for d in data],
        [d.user_id or "" for d in data],
        [d.model for d in data],
        [d.operation for d in data],
        [1 if d.status_code >= 400 else 0 for d in data],
        durations,
        [d.input_tokens or 0 for d in data],
        [d.output_tokens or 0 for d in data],
        [d.cache_read_input_tokens or 0 for d in data],
        [d.cache_creation_input_tokens or 0 for d in data],
        [d.reasoning_output_tokens or 0 for d in data],
        nanos,
        currencies,
    ]
    return Columns(lists, odd)


def recipe_actions(data: Sequence[Any], rule_set: int) -> Columns:
    """Of CommonRecipeAction."""
    _, odd = _microseconds([0.0 if d.duration_ms is None else d.duration_ms for d in data])
    lists: list[list[Any]] = [
        [d.recipe_id for d in data],
        [d.app or "" for d in data],
        [rule_set] * len(data),
        [_TASKS[d.kind, d.outcome] for d in data],
        [1 if d.outcome == "failed" else 0 for d in data],
    ]
    return Columns(lists, odd)


def product_events(data: Sequence[Any], rule_set: int) -> Columns:  # noqa: ARG001 - as for all
    """Of CommonProductEvent."""
    lists: list[list[Any]] = [[d.user_id or "" for d in data], [d.name for d in data]]
    odd = {at for at, d in enumerate(data) if d.properties and not _is_shallow(bytes(d.properties))}
    return Columns(lists, odd)


def _is_shallow(properties: bytes) -> bool:
    """Whether JSON is an object that nests no deeper than properties may."""
    return properties.startswith(b"{") and within_depth(properties, MAX_PROPERTIES_DEPTH)


_TASKS = {(kind, outcome): int(is_task(kind, outcome)) for kind in KINDS for outcome in OUTCOMES}


def _microseconds(milliseconds: list[float]) -> tuple[list[int], set[int]]:
    """Whole microseconds, and the places where a double does not tell."""
    exact = np.array(milliseconds) * 1000.0
    rounded = np.rint(exact)
    unclear = (np.abs(exact - rounded) > _NEAR_HALF) | np.signbit(exact)
    odd = set(np.flatnonzero(unclear).tolist()) if unclear.any() else set()
    return rounded.astype(np.int64).tolist(), odd


def _currencies(found: list[str | None], unpriced: list[int], odd: set[int]) -> list[str]:
    """The column; the places of what is no currency are added to ``odd``."""
    wrong = {name for name in set(found) if name is not None and not is_currency(name)}
    if wrong:
        odd.update(place for place, name in enumerate(found) if name in wrong)
    currencies = [name or DEFAULT_CURRENCY for name in found]
    for place in unpriced:
        currencies[place] = ""
    return currencies


MAKERS: Mapping[str, Make] = {
    "usage.requests": requests,
    "usage.recipe-actions": recipe_actions,
    "usage.events": product_events,
}
"""By topic."""
