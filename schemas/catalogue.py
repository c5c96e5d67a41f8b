"""Every event type: its name, its topic, its Python type, and what its JSON Schema says besides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from schemas import entity, metric_definition, product_event, recipe_action, request
from schemas.envelope import NOBODY, NOT_OF_NOBODY
from schemas.fields import JSONSchema

CONTRACT = "1.2"
"""The version of this contract. The second number rises with every addition (a new optional field,
a new type); the first would mean another ``type``, as ``usage.request.v2``, beside the old one."""

WITHDRAWN = (
    "data.input_tokens",
    "data.output_tokens",
    "data.cache_read_input_tokens",
    "data.cache_creation_input_tokens",
    "data.reasoning_output_tokens",
)
"""Fields that take less since 1.1 than 1.0 promised. The one narrowing there has been: 1.0 took
token counts to 2^63 - 1, of which three do not fit a sum of any column, and stopped the workers."""

DEAD_LETTER_TOPIC = "usage.dead-letter"


@dataclass(frozen=True)
class EventType:
    """One type of events, and its version."""

    name: str
    """The CloudEvents ``type``: ``usage.request.v1``."""

    topic: str
    """Without the prefix that an installation may put before it."""

    data: type[Struct]
    """Of ``data``."""

    example: JSONSchema
    """A ``data``, for people."""

    defaults: JSONSchema
    """What an absent field means, where that is a value."""

    subject: str = "acme"
    """Of an example."""

    schemas: JSONSchema = field(default_factory=dict)
    """Fields whose Python type does not say all: their JSON Schema."""

    rules: tuple[JSONSchema, ...] = ()
    """What holds between fields of ``data``."""

    event_rules: tuple[JSONSchema, ...] = (NOT_OF_NOBODY,)
    """What holds between ``data`` and the envelope."""

    defs: JSONSchema = field(default_factory=dict)
    """What ``schemas`` refer to."""

    unsaid: tuple[str, ...] = ()
    """What a JSON Schema cannot say."""


_INTEGERS = "Integers are written as such: 5.0 and 1e2 are refused, which JSON Schema lets pass."

TYPES: Mapping[str, EventType] = {
    one.name: one
    for one in (
        EventType(
            request.TYPE,
            request.TOPIC,
            request.Request,
            request.EXAMPLE,
            request.DEFAULTS,
            schemas=request.SCHEMAS,
            rules=request.RULES,
            unsaid=(
                _INTEGERS,
                "A cost as a string with an exponent must lie in the range too.",
                "A cost that is a number has at most 1,024 characters.",
            ),
        ),
        EventType(
            recipe_action.TYPE,
            recipe_action.TOPIC,
            recipe_action.RecipeAction,
            recipe_action.EXAMPLE,
            recipe_action.DEFAULTS,
            schemas=recipe_action.SCHEMAS,
            unsaid=(_INTEGERS,),
        ),
        EventType(
            product_event.TYPE,
            product_event.TOPIC,
            product_event.ProductEvent,
            product_event.EXAMPLE,
            product_event.DEFAULTS,
            schemas=product_event.SCHEMAS,
            defs=product_event.DEFS,
        ),
        EventType(
            entity.TYPE,
            entity.TOPIC,
            entity.Entity,
            entity.EXAMPLE,
            entity.DEFAULTS,
            rules=entity.RULES,
            event_rules=entity.EVENT_RULES,
            unsaid=(
                _INTEGERS,
                "Of a tenant, entity_id is the event's subject, and timezone a zone that exists.",
            ),
        ),
        EventType(
            metric_definition.TYPE,
            metric_definition.TOPIC,
            metric_definition.MetricDefinition,
            metric_definition.EXAMPLE,
            metric_definition.DEFAULTS,
            NOBODY,
            metric_definition.SCHEMAS,
            metric_definition.RULES,
            metric_definition.EVENT_RULES,
            metric_definition.DEFS,
            unsaid=(
                _INTEGERS,
                "In a path, a backslash stands before a dot or a backslash.",
                "A regular expression is one of RE2's.",
                "A date is an instant by RFC 3339 with an offset or Z.",
                "between has two numbers, or two dates, the lower one first.",
                "Requests and actions are counted by what is kept of them.",
                "A number to compare with has at most 1,024 characters.",
                "At most 100 metrics are in force.",
            ),
        ),
    )
}
"""By name."""

BY_CLASS: Mapping[type[Any], EventType] = {one.data: one for one in TYPES.values()}
"""By the Python type of ``data``."""
