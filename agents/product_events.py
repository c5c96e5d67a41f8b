"""``usage.events``: whatever a product calls an event, by name.

decode  `pipeline.facts.exact.product_events`, and in bulk `pipeline.facts.bulk`.
fold    repeats are dropped; each event that counts is a row of ``events_in``.
chunk   inserted whole; the views make ``events_1m`` and ``events_15m``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.product_event import TOPIC

if TYPE_CHECKING:
    from pipeline.protocol.fetched import Fetched
    from pipeline.worker.app import UsageApp


def register(app: UsageApp) -> None:
    """Read the topic with this app."""

    @app.reads(TOPIC)
    async def product_events(batch: Fetched) -> None:
        async for chunk, piece in app.work.pieces(batch):  # when there is room for it
            await app.work.fold(chunk, piece)  # decode, drop repeats, one row each
