"""``usage.recipe_action.v1`` on ``usage.recipe-actions``: one step of a recipe's job.

Each iteration of a loop and each rerun of a job is an event of its own.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.fields import (
    MAX_INTEGER,
    MAX_TEXT,
    Count,
    JSONSchema,
    Milliseconds,
    OptionalText,
    Text,
)

TYPE = "usage.recipe_action.v1"
TOPIC = "usage.recipe-actions"

KINDS = ("trigger", "control", "action", "call")
OUTCOMES = ("succeeded", "failed", "skipped")


class RecipeAction(Struct, kw_only=True, gc=False, omit_defaults=True):
    """One step that ran, failed or was skipped."""

    recipe_id: Text
    """The recipe."""

    job_id: Text
    """The run of the recipe."""

    step: Text | Annotated[int, Meta(ge=-(2**63), le=MAX_INTEGER)]
    """The step within the recipe: its name or its number."""

    kind: Literal["trigger", "control", "action", "call"]
    """``call`` runs another recipe, whose own actions are events of their own."""

    outcome: Literal["succeeded", "failed", "skipped"]
    """What became of it."""

    app: OptionalText = None
    """The connector: ``salesforce``."""

    connection_id: OptionalText = None
    """The connection that it used."""

    items: Annotated[int, Meta(ge=1, le=MAX_INTEGER)] | None = None
    """The size of a bulk action, 1 by default: still one task."""

    iteration: Count = None
    """Of a loop: each iteration is an event of its own."""

    rerun: bool | None = None
    """Whether the job is a repeated one: each rerun is an event of its own."""

    duration_ms: Milliseconds | None = None
    """How long it took, in milliseconds."""


# Two types in one, which reads better than what is generated.
SCHEMAS: JSONSchema = {
    "step": {
        "type": ["string", "integer"],
        "minLength": 1,
        "maxLength": MAX_TEXT,
        "minimum": -(2**63),
        "maximum": MAX_INTEGER,
    }
}
DEFAULTS: JSONSchema = {"app": "", "connection_id": "", "items": 1, "iteration": 0, "rerun": False}
EXAMPLE: JSONSchema = {
    "recipe_id": "r-12",
    "job_id": "j-2041",
    "step": 3,
    "kind": "action",
    "outcome": "succeeded",
    "app": "salesforce",
    "connection_id": "c-7",
    "items": 200,
    "duration_ms": 431.2,
}
