"""The registry of event types: readers, topics, agents, live sums and the audit derive from it.

What producers are told of a type is in `schemas.catalogue`.
"""

from pipeline.facts import heads, rollups
from pipeline.facts.bulk import columns as bulk
from pipeline.facts.definitions.in_force import InForce
from pipeline.facts.event_type import EventType, LiveSums
from pipeline.facts.exact import (
    entities,
    metric_definitions,
    product_events,
    recipe_actions,
    requests,
)
from pipeline.facts.interface import Head
from pipeline.facts.rollups import Rollup
from schemas import entity, metric_definition, product_event, recipe_action, request

TYPES: dict[str, EventType] = {
    one.topic: one
    for one in (
        EventType(
            name="requests",
            topic=request.TOPIC,
            type=request.TYPE,
            head=heads.REQUESTS,
            row=requests.row,
            bulk=bulk.Requests,
            live=LiveSums(
                requests=1,
                failed="failed",
                input_tokens="input_tokens",
                output_tokens="output_tokens",
            ),
            rollup=rollups.REQUESTS,
        ),
        EventType(
            name="recipe_actions",
            topic=recipe_action.TOPIC,
            type=recipe_action.TYPE,
            head=heads.RECIPE_ACTIONS,
            row=recipe_actions.row,
            bulk=bulk.RecipeActions,
            live=LiveSums(tasks="task"),
            rollup=rollups.RECIPE_ACTIONS,
        ),
        EventType(
            name="product_events",
            topic=product_event.TOPIC,
            type=product_event.TYPE,
            head=heads.PRODUCT_EVENTS,
            row=product_events.row,
            bulk=bulk.ProductEvents,
            rollup=rollups.PRODUCT_EVENTS,
        ),
        EventType(  # they are few: none is read in bulk
            name="entities",
            topic=entity.TOPIC,
            type=entity.TYPE,
            head=heads.ENTITIES,
            row=entities.row,
            rollup=rollups.ENTITIES,
        ),
        EventType(
            name="metric_definitions",
            topic=metric_definition.TOPIC,
            type=metric_definition.TYPE,
            head=heads.METRIC_DEFINITIONS,
            row=metric_definitions.row,
            state=InForce,
            rollup=rollups.METRIC_DEFINITIONS,
        ),
    )
}
"""By topic, without its prefix; in the order in which topics are listed."""


def all_rollups() -> list[Rollup]:
    """The rollups of all types that have one."""
    return [one.rollup for one in TYPES.values() if one.rollup is not None]


_ALL = 1 << 62
"""More offsets than any log has."""


def remembered_offsets(topic: str, window: int) -> int:
    """How many offsets before a start a reader of a topic must know: all where a state is kept.

    ``topic`` is without its prefix; ``window`` is for how many ids are remembered.
    """
    known = TYPES.get(topic)
    return window if known is None or known.state is None else _ALL


def type_of(head: Head) -> str:
    """The type of the events whose rows a head takes; ``''`` where it is none of ours."""
    return next((one.type for one in TYPES.values() if one.head.table == head.table), "")


def live_sums(head: Head) -> LiveSums | None:
    """What is summed by minute of a head's rows; None: nothing."""
    return next((one.live for one in TYPES.values() if one.head.table == head.table), None)
