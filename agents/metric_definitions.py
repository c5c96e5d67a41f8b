"""``usage.metric-definitions``: user-defined metrics, as they stand from a place in the log on.

decode  `pipeline.facts.exact.metric_definitions`, one by one, by `pipeline.facts.definitions`.
fold    in the log's order, all of it: repeats are dropped, each definition is told its version, and
        the 101st metric is refused; each that counts is a row of ``metric_definitions_in``.
chunk   inserted whole into ``metric_definitions``; the views follow the newest of each metric.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.metric_definition import TOPIC

if TYPE_CHECKING:
    from pipeline.protocol.fetched import Fetched
    from pipeline.worker.app import UsageApp


def register(app: UsageApp) -> None:
    """Read the topic with this app."""

    @app.reads(TOPIC)
    async def metric_definitions(batch: Fetched) -> None:
        async for chunk, piece in app.work.pieces(batch):  # when there is room for it
            await app.work.fold(chunk, piece)  # decode, drop repeats, one row each
