"""Faust as its documentation shows it: a Record and a windowed Table. A process of its own.

``python -m tests.bench.documented SERVERS TOPIC PARTITIONS EVENTS NAME`` prints CPU seconds between
the first event and the last of so many. It counts requests and tokens by the finest key, in memory,
with the changelog topics that tables have.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import faust

from tests.bench.bare import cpu_seconds


class Data(faust.Record):
    """What the gateway tells of a request."""

    operation: str
    model: str
    status_code: int
    duration_ms: float
    token_id: str = ""
    user_id: str = ""
    team_id: str = ""
    agent_id: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0


class Event(faust.Record, serializer="json"):
    """A request."""

    subject: str
    time: str
    data: Data


def main(servers: str, topic: str, partitions: int, events: int, name: str) -> None:
    app = faust.App(
        name,
        broker=f"kafka://{servers}",
        store="memory://",
        topic_partitions=partitions,
        web_enabled=False,
        broker_commit_every=10_000,
    )
    source = app.topic(topic, value_type=Event)
    tokens: Any = app.Table("tokens", default=int).tumbling(60.0, expires=3600.0)
    seen, began = 0, 0.0

    @app.agent(source)
    async def count(stream: Any) -> None:
        nonlocal seen, began
        async for event in stream:
            if not seen:
                began = cpu_seconds()
            data = event.data
            users = f"{data.team_id}|{data.agent_id}|{data.token_id}|{data.user_id}"
            key = f"{event.subject}|{users}|{data.model}|{data.operation}"
            tokens[key] += data.input_tokens + data.output_tokens
            seen += 1
            if seen == events:
                print(f"cpu {cpu_seconds() - began:.3f}", flush=True)
                os._exit(0)

    faust.Worker(app, loglevel="WARN").execute_from_commandline()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
