"""Events to columns: pure, without I/O; the hot path.

``interface`` is what the rest of the pipeline sees, ``types`` the registry of event types. A record
takes the path ``forms`` → ``json_values`` → ``envelope`` → the type's module (``requests``,
``recipe_actions``, ``product_events``, ``entities``) → a row; ``decide`` is that path, by the
contract's letter, and ``reader`` adds it all up.
"""

from pipeline.facts.heads import ENTITIES, PRODUCT_EVENTS, RECIPE_ACTIONS, REQUESTS
from pipeline.facts.interface import (
    Facts,
    Head,
    Log,
    Raw,
    Reader,
    Record,
    Rejection,
    remembered_from,
)
from pipeline.facts.reader import reader
from pipeline.facts.rules import Rules

__all__ = [
    "ENTITIES",
    "PRODUCT_EVENTS",
    "RECIPE_ACTIONS",
    "REQUESTS",
    "Facts",
    "Head",
    "Log",
    "Raw",
    "Reader",
    "Record",
    "Rejection",
    "Rules",
    "reader",
    "remembered_from",
]
