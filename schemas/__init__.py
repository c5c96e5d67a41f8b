"""The contract with producers as types: one module per event type. Imports nothing of ours.

It needs msgspec and nothing else, and is all that a producer in Python has to install: build an
event, check and encode it (:mod:`schemas.encoding`), or have :mod:`schemas.emit` send it. ``json/``
holds JSON Schemas and ``asyncapi.json`` the topics, both generated from these types; ``golden/``
payloads of every version, which are accepted for ever.
"""

from schemas.catalogue import TYPES, EventType
from schemas.entity import Entity
from schemas.envelope import Envelope
from schemas.metric_definition import MetricDefinition, MetricFilter
from schemas.product_event import ProductEvent
from schemas.recipe_action import RecipeAction
from schemas.request import Request

__all__ = [
    "TYPES",
    "Entity",
    "Envelope",
    "EventType",
    "MetricDefinition",
    "MetricFilter",
    "ProductEvent",
    "RecipeAction",
    "Request",
]
