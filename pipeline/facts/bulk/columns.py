"""Many events of the common form at a time: a pass per check, and a pass per column."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Protocol

from msgspec import Struct
from numpy.typing import NDArray

from pipeline.facts.bulk.costs import costs
from pipeline.facts.bulk.decimals import scaled
from pipeline.facts.bulk.decode import CommonProductEvent, CommonRecipeAction, CommonRequest
from pipeline.facts.bulk.leaves import leaves
from pipeline.facts.columns import Maps
from pipeline.facts.exact.json_values import within_depth
from pipeline.facts.exact.recipe_actions import is_task
from pipeline.facts.exact.requests import is_currency
from schemas.product_event import MAX_PROPERTIES_DEPTH
from schemas.recipe_action import KINDS, OUTCOMES
from schemas.request import DEFAULT_CURRENCY

Values = list[Any] | NDArray[Any] | Maps
"""Of one column."""


class Bulk(Protocol):
    """Many events of one type, as columns."""

    form: ClassVar[type[Struct]]
    """The common form: what their data is decoded to."""
    odd: set[int]
    """The places that must be decided one by one after all."""

    def __init__(self, data: Sequence[Any]) -> None:
        """``data``: each of ``form``."""

    def columns(self, rule_set: int) -> dict[str, Values]:
        """The head's by name, in its order, after ``minute`` and ``tenant``; if nothing is odd."""


class Requests:
    """Columns of requests in the common form."""

    form: ClassVar[type[Struct]] = CommonRequest

    def __init__(self, data: Sequence[Any]) -> None:
        self._data = data
        self._durations, unclear = scaled([d.duration_ms for d in data], 1000.0)
        self._nanos, unpriced, odd_costs = costs([d.cost for d in data])
        self.odd = {*unclear, *odd_costs}
        self._currencies = _currencies([d.currency for d in data], unpriced, self.odd)

    def columns(self, rule_set: int) -> dict[str, Values]:  # noqa: ARG002 - as for all types
        """See ``Bulk``."""
        data = self._data
        read = [d.input_tokens for d in data]
        written = [d.output_tokens for d in data]
        return {
            "team_id": [d.team_id or "" for d in data],
            "agent_id": [d.agent_id or "" for d in data],
            "token_id": [d.token_id or "" for d in data],
            "user_id": [d.user_id or "" for d in data],
            "model": [d.model for d in data],
            "operation": [d.operation for d in data],
            "failed": [1 if d.status_code >= 400 else 0 for d in data],
            "duration_us": self._durations,
            "input_tokens": [n or 0 for n in read],
            "output_tokens": [n or 0 for n in written],
            "cache_read_input_tokens": [d.cache_read_input_tokens or 0 for d in data],
            "cache_creation_input_tokens": [d.cache_creation_input_tokens or 0 for d in data],
            "reasoning_output_tokens": [d.reasoning_output_tokens or 0 for d in data],
            "unmetered": _unmetered(read, written),
            "cost_nanos": self._nanos,
            "currency": self._currencies,
        }


class RecipeActions:
    """Columns of recipe actions in the common form."""

    form: ClassVar[type[Struct]] = CommonRecipeAction

    def __init__(self, data: Sequence[Any]) -> None:
        self._data = data
        durations = [0.0 if d.duration_ms is None else d.duration_ms for d in data]
        self.odd = set(scaled(durations, 1000.0).unclear)

    def columns(self, rule_set: int) -> dict[str, Values]:
        """See ``Bulk``."""
        data, tasks = self._data, _tasks(rule_set)
        return {
            "recipe_id": [d.recipe_id for d in data],
            "app": [d.app or "" for d in data],
            "rule_set": [rule_set] * len(data),
            "task": [tasks[d.kind, d.outcome] for d in data],
            "failed": [1 if d.outcome == "failed" else 0 for d in data],
        }


class ProductEvents:
    """Columns of product events in the common form."""

    form: ClassVar[type[Struct]] = CommonProductEvent

    def __init__(self, data: Sequence[Any]) -> None:
        self._data = data
        self._properties = [bytes(d.properties) for d in data]
        self.odd = {
            place
            for place, properties in enumerate(self._properties)
            if properties and not _is_shallow(properties)
        }

    def columns(self, rule_set: int) -> dict[str, Values]:  # noqa: ARG002 - as for all types
        """See ``Bulk``."""
        return {
            "user_id": [d.user_id or "" for d in self._data],
            "name": [d.name for d in self._data],
            "properties": leaves(self._properties),
        }


def _is_shallow(properties: bytes) -> bool:
    """Whether JSON is an object that nests no deeper than properties may."""
    if properties[0] != _BRACE:
        return False
    # As `within_depth` begins; a call for each event is what it costs.
    if properties.count(b"{") + properties.count(b"[") <= MAX_PROPERTIES_DEPTH:
        return True
    return within_depth(properties, MAX_PROPERTIES_DEPTH)


@lru_cache(maxsize=1)
def _tasks(rule_set: int) -> Mapping[tuple[str, str], int]:
    """By an action's kind and outcome: 1 where it is a task by this rule set, else 0."""
    return {(k, o): int(is_task(rule_set, k, o)) for k in KINDS for o in OUTCOMES}


_BRACE = ord("{")
_ONLY_DEFAULT = frozenset({DEFAULT_CURRENCY})


def _unmetered(read: list[int | None], written: list[int | None]) -> list[int]:
    """The column: 1 where there is neither count."""
    if None not in read or None not in written:
        return [0] * len(read)
    return [int(r is None and w is None) for r, w in zip(read, written, strict=True)]


def _currencies(found: list[str | None], unpriced: list[int], odd: set[int]) -> list[str]:
    """The column; the places of what is no currency are added to ``odd``."""
    names = set(found)
    if not unpriced and names == _ONLY_DEFAULT:
        return found  # type: ignore[return-value]
    wrong = {name for name in names if name is not None and not is_currency(name)}
    if wrong:
        odd.update(place for place, name in enumerate(found) if name in wrong)
    currencies = [name or DEFAULT_CURRENCY for name in found]
    for place in unpriced:
        currencies[place] = ""
    return currencies
