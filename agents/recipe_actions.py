"""``usage.recipe-actions`` → ``tasks_1m`` and ``tasks_15m``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.kafka import topics

if TYPE_CHECKING:
    from pipeline.worker.app import UsageApp


def register(app: UsageApp) -> None:
    """Read the topic with this app."""

    @app.agent(app.source(topics.RECIPE_ACTIONS), name="recipe_actions")
    async def recipe_actions(batches: Any) -> None:
        async for batch in batches:
            await app.work.add(batch)
