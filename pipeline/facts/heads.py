"""The heads: which columns the rows of each type have, one class each; a row is one of it.

Strings are sent as dictionaries: half the bytes, and less CPU on both sides
(``docs/decisions/insert-path.md``).
"""

from typing import Annotated, Any, NamedTuple, get_type_hints

from pipeline.facts.columns import MAP_TYPE
from pipeline.facts.interface import Head

Minute = Annotated[int, "DateTime('UTC')"]
"""Epoch seconds, a multiple of 60."""
Instant = Annotated[int, "DateTime64(3, 'UTC')"]
"""Epoch milliseconds."""
Name = Annotated[str, "LowCardinality(String)"]
Text = Annotated[str, "String"]
Flag = Annotated[int, "UInt8"]
Small = Annotated[int, "UInt8"]
Number = Annotated[int, "UInt32"]
Count = Annotated[int, "UInt64"]
Signed = Annotated[int, "Int64"]
Leaves = Annotated[dict[str, str], MAP_TYPE]
"""Properties by path (`pipeline.facts.exact.leaves`)."""


class Request(NamedTuple):
    """One request."""

    minute: Minute
    tenant: Name
    team_id: Name
    agent_id: Name
    token_id: Name
    user_id: Name
    model: Name
    operation: Name
    failed: Flag
    duration_us: Count
    """Whole microseconds."""
    input_tokens: Count
    output_tokens: Count
    cache_read_input_tokens: Count
    cache_creation_input_tokens: Count
    reasoning_output_tokens: Count
    unmetered: Flag
    """1 where neither token count was sent."""
    cost_nanos: Signed
    """10^-9 of ``currency``."""
    currency: Name
    """``''`` where there was no cost."""


class RecipeAction(NamedTuple):
    """One recipe action."""

    minute: Minute
    tenant: Name
    recipe_id: Name
    app: Name
    rule_set: Small
    task: Flag
    """1 where the action is a task by ``rule_set``."""
    failed: Flag


class ProductEvent(NamedTuple):
    """One product event."""

    minute: Minute
    tenant: Name
    user_id: Name
    name: Name
    time: Instant
    properties: Leaves


class Entity(NamedTuple):
    """One change of an entity.

    From ``name`` on, attributes that the contract knows for the entity, ``''`` or 0 where absent.
    """

    tenant: Text
    entity: Name
    entity_id: Text
    time: Instant
    """Of the event."""
    arrival: Instant
    """Of the record."""
    partition: Number
    offset: Signed
    element: Number
    """Its place in the batch; 0 outside of one."""
    deleted: Flag
    attributes: Text
    name: Text
    kind: Text
    external_id: Text
    subscription: Text
    timezone: Text
    billing_anchor_day: Small
    email: Text
    role: Text
    team_id: Text
    owner_user_id: Text
    service_account_id: Text
    status: Text
    recommended: Flag
    cloned_from: Text
    app: Text


class MetricDefinition(NamedTuple):
    """One definition of a user-defined metric."""

    tenant: Name
    """``*``: every customer has it."""
    metric_id: Text
    version: Number
    """How many definitions of this metric were accepted, with this one."""
    time: Instant
    """Of the event."""
    arrival: Instant
    """Of the record."""
    partition: Number
    offset: Signed
    element: Number
    """Its place in the batch; 0 outside of one."""
    retired: Flag
    definition: Text
    """As canonical JSON."""
    interpreted: Text
    """As the views follow it: JSON."""


def head_of(table: str, row: type[tuple[Any, ...]]) -> Head:
    """The head of a table whose columns are the fields of ``row``, a class as those above."""
    kinds = get_type_hints(row, include_extras=True)
    return Head(table, tuple((name, kind.__metadata__[0]) for name, kind in kinds.items()))


REQUESTS = head_of("requests_in", Request)
RECIPE_ACTIONS = head_of("actions_in", RecipeAction)
PRODUCT_EVENTS = head_of("events_in", ProductEvent)
ENTITIES = head_of("entities_in", Entity)
METRIC_DEFINITIONS = head_of("metric_definitions_in", MetricDefinition)
