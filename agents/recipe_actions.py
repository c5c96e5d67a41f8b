"""``usage.recipe-actions``: what recipes did, step by step.

decode  `pipeline.facts.exact.recipe_actions`, and in bulk `pipeline.facts.bulk`; the rule set says
        which actions are tasks.
fold    repeats are dropped; each action that counts is a row of ``actions_in``.
chunk   inserted whole; the views make ``tasks_1m`` and ``tasks_15m``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.recipe_action import TOPIC

if TYPE_CHECKING:
    from pipeline.protocol.fetched import Fetched
    from pipeline.worker.app import UsageApp


def register(app: UsageApp) -> None:
    """Read the topic with this app."""

    @app.reads(TOPIC)
    async def recipe_actions(batch: Fetched) -> None:
        async for chunk, piece in app.work.pieces(batch):  # when there is room for it
            await app.work.fold(chunk, piece)  # decode, drop repeats, one row each
