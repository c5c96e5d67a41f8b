"""The contract with producers as types: one module per event type. Imports nothing of ours."""

from schemas.entity import Entity
from schemas.envelope import Envelope
from schemas.product_event import ProductEvent
from schemas.recipe_action import RecipeAction
from schemas.request import Request

__all__ = ["Entity", "Envelope", "ProductEvent", "RecipeAction", "Request"]
