"""Recipes and their jobs: what runs when a recipe is triggered, step by step."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from random import Random

from pipeline.simulate import catalogue

FAILED_STEP_SHARE = 0.012
SKIPPED_STEP_SHARE = 0.08
RERUN_SHARE = 0.5  # of the jobs that failed


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a recipe; a loop's body runs once for each iteration."""

    number: int
    kind: str
    app: str = ""
    bulk: bool = False
    body: tuple["Step", ...] = ()
    callee: int = -1


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe: its steps, the first of them the trigger."""

    id: str
    steps: tuple[Step, ...]


def build_recipes(rng: Random, count: int) -> tuple[Recipe, ...]:
    """`count` recipes; one may call those before it, so calls end."""
    return tuple(Recipe(f"recipe-{n + 1:03d}", _steps(rng, n)) for n in range(count))


def _steps(rng: Random, callable_recipes: int) -> tuple[Step, ...]:
    steps = [Step(1, "trigger", rng.choice(catalogue.APPS))]
    for number in range(2, rng.randint(4, 10)):
        dice = rng.random()
        if dice < 0.12:
            body = tuple(
                Step(number * 100 + n, "action", rng.choice(catalogue.APPS))
                for n in range(1, rng.randint(2, 3))
            )
            steps.append(Step(number, "control", body=body))
        elif dice < 0.25:
            steps.append(Step(number, "control"))
        elif dice < 0.32 and callable_recipes:
            steps.append(Step(number, "call", callee=rng.randrange(callable_recipes)))
        else:
            steps.append(Step(number, "action", rng.choice(catalogue.APPS), rng.random() < 0.08))
    return tuple(steps)


class Jobs:
    """Numbers the jobs of one stream and runs them: each yields its events' data, as JSON text."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._number = 0

    def run(self, recipes: tuple[Recipe, ...], recipe: Recipe) -> Iterator[str]:
        """The events of a job, in order; a failed one may be repeated as a whole."""
        self._number += 1
        job_id = f"job-{self._number:08d}"
        failed = yield from self._once(recipes, recipe, job_id, "")
        if failed and self._rng.random() < RERUN_SHARE:
            yield from self._once(recipes, recipe, job_id, ',"rerun":true')

    def _once(
        self, recipes: tuple[Recipe, ...], recipe: Recipe, job_id: str, extra: str
    ) -> Generator[str, None, bool]:
        head = f'"recipe_id":"{recipe.id}","job_id":"{job_id}"'
        for step in recipe.steps:
            outcome = self._outcome(step)
            yield f"{{{head},{self._event(step, outcome)}{extra}}}"
            if outcome == "failed":
                return True
            if outcome == "succeeded":
                if step.callee >= 0:
                    yield from self.run(recipes, recipes[step.callee])
                for iteration in range(self._rng.randint(1, 8) if step.body else 0):
                    for inner in step.body:
                        event = self._event(inner, "succeeded")
                        yield f'{{{head},{event},"iteration":{iteration}{extra}}}'
        return False

    def _outcome(self, step: Step) -> str:
        dice = self._rng.random()
        if dice < FAILED_STEP_SHARE:
            return "failed"
        if dice < FAILED_STEP_SHARE + SKIPPED_STEP_SHARE and step.kind == "action":
            return "skipped"
        return "succeeded"

    def _event(self, step: Step, outcome: str) -> str:
        duration = self._rng.lognormvariate(5.2, 0.8) if outcome != "skipped" else 0.0
        event = f'"step":{step.number},"kind":"{step.kind}","outcome":"{outcome}"'
        if step.app:
            event += f',"app":"{step.app}","connection_id":"{step.app}-1"'
        if step.bulk and outcome == "succeeded":
            event += f',"items":{self._rng.randint(2, 500)}'
        return f'{event},"duration_ms":{duration:.1f}'
