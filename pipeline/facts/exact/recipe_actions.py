"""``usage.recipe_action.v1``: checked data to a row of ``actions_in``."""

from pipeline.facts import heads
from pipeline.facts.exact import fields
from pipeline.facts.exact.origin import Origin
from schemas.fields import MAX_INTEGER
from schemas.recipe_action import KINDS, OUTCOMES

TASK_RULES: dict[int, frozenset[tuple[str, str]]] = {
    1: frozenset({("action", "succeeded"), ("call", "succeeded")}),
}
"""Which recipe actions are tasks: the (kind, outcome) pairs of each rule set, by its version (row
A1 of the list of numbers).

By rule set 1, triggers and control flow are none; an action is one, whatever the size of its bulk,
in each iteration and each rerun; a failed or skipped step is none; calling a recipe is one.

What was counted keeps the version that it was counted by. So no rule set is ever changed: add one,
and name it in ``Rules.task_rule_set``.
"""


def is_task(rule_set: int, kind: str, outcome: str) -> bool:
    """Whether an action is a task by a rule set of `TASK_RULES`."""
    return (kind, outcome) in TASK_RULES[rule_set]


def row(data: fields.Data, origin: Origin) -> heads.RecipeAction:
    """The row of a valid recipe action. Raises Refused."""
    recipe_id = fields.required_text(data, "recipe_id")
    fields.required_text(data, "job_id")
    _check_step(data)
    kind = fields.choice(data, "kind", KINDS)
    outcome = fields.choice(data, "outcome", OUTCOMES)
    app = fields.optional_text(data, "app")
    fields.optional_text(data, "connection_id")
    fields.optional_integer(data, "items", 1, 1)
    fields.optional_integer(data, "iteration", 0, 0)
    fields.optional_boolean(data, "rerun")
    if data.get("duration_ms") is not None:
        fields.duration_us(data, "duration_ms")
    return heads.RecipeAction(
        minute=origin.minute,
        tenant=origin.tenant,
        recipe_id=recipe_id,
        app=app,
        rule_set=origin.rule_set,
        task=int(is_task(origin.rule_set, kind, outcome)),
        failed=int(outcome == "failed"),
    )


def _check_step(data: fields.Data) -> None:
    step = data.get("step")
    if isinstance(step, str):
        fields.required_text(data, "step")
    elif not fields.is_integer(step, -MAX_INTEGER - 1, MAX_INTEGER):
        raise fields.wrong(data, "step", "a string or an integer")
