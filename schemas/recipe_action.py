"""``usage.recipe_action.v1`` on ``usage.recipe-actions``: one step of a recipe's job.

Each iteration of a loop and each rerun of a job is an event of its own.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.fields import MAX_INTEGER, Count, Milliseconds, OptionalText, Text

TYPE = "usage.recipe_action.v1"

KINDS = ("trigger", "control", "action", "call")
OUTCOMES = ("succeeded", "failed", "skipped")


class RecipeAction(Struct, kw_only=True, gc=False):
    """One step that ran, failed or was skipped."""

    recipe_id: Text

    job_id: Text

    step: Text | Annotated[int, Meta(ge=-(2**63), le=MAX_INTEGER)]
    """The step within the recipe: its name or its number."""

    kind: Literal["trigger", "control", "action", "call"]
    """``call`` runs another recipe, whose own actions are events of their own."""

    outcome: Literal["succeeded", "failed", "skipped"]

    app: OptionalText = None
    """The connector: ``salesforce``."""

    connection_id: OptionalText = None

    items: Annotated[int, Meta(ge=1, le=MAX_INTEGER)] | None = None
    """The size of a bulk action, 1 by default: still one task."""

    iteration: Count = None
    """Of a loop."""

    rerun: bool | None = None
    """Whether the job is a repeated one."""

    duration_ms: Milliseconds | None = None
    """In milliseconds."""
