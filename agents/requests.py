"""``usage.requests``: requests to models, priced or not.

decode  `pipeline.facts.exact.requests`, and in bulk `pipeline.facts.bulk`: tokens, microseconds,
        nano-units of cost.
fold    repeats are dropped; each request that counts is a row of ``requests_in``.
chunk   inserted whole; the views make ``requests_1m``, ``requests_15m`` and the coarser tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.request import TOPIC

if TYPE_CHECKING:
    from pipeline.protocol.fetched import Fetched
    from pipeline.worker.app import UsageApp


def register(app: UsageApp) -> None:
    """Read the topic with this app."""

    @app.reads(TOPIC)
    async def requests(batch: Fetched) -> None:
        async for chunk, piece in app.work.pieces(batch):  # when there is room for it
            await app.work.fold(chunk, piece)  # decode, drop repeats, one row each
