"""``usage.entities``: the state of things, as it stands from a time on.

decode  `pipeline.facts.exact.entities`, one by one: they are few.
fold    repeats are dropped; each state is a row of ``entities_in`` with its place in the log, by
        which the later of two states of one time is told.
chunk   inserted whole into ``entities``, a log of changes: which one holds is asked when read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.entity import TOPIC

if TYPE_CHECKING:
    from pipeline.protocol.fetched import Fetched
    from pipeline.worker.app import UsageApp


def register(app: UsageApp) -> None:
    """Read the topic with this app."""

    @app.reads(TOPIC)
    async def entities(batch: Fetched) -> None:
        async for chunk, piece in app.work.pieces(batch):  # when there is room for it
            await app.work.fold(chunk, piece)  # decode, drop repeats, one row each
