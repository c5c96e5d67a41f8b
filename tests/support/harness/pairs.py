"""Events laid out by hand in one partition: which of them repeat each other is seen at a glance."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tests.support.harness.produce import BATCH, REQUESTS, STRUCTURED, Headers, Message
from tests.support.harness.scene import Scene

PARTITION = 0
TENANT = "acme"


def event(name: str, **data: Any) -> dict[str, Any]:
    """Return a request whose id and user are ``name``."""
    request = {"operation": "chat", "model": "m", "status_code": 200, "duration_ms": 1}
    return {
        "specversion": "1.0",
        "id": name,
        "source": "//pairs",
        "type": "usage.request.v1",
        "subject": TENANT,
        "data": request | {"user_id": name} | data,
    }


def structured(name: str) -> Message:
    """Return a valid event."""
    return json.dumps(event(name)).encode(), STRUCTURED


def refused(name: str) -> Message:
    """Return the same event with a fault in it."""
    return json.dumps(event(name, status_code=7)).encode(), STRUCTURED


def binary(name: str) -> Message:
    """Return the same event in the binary form."""
    whole = event(name)
    headers: Headers = [(f"ce_{key}", str(whole[key]).encode()) for key in whole if key != "data"]
    return json.dumps(whole["data"]).encode(), [("content-type", b"application/json"), *headers]


def batch(*names: str) -> Message:
    """Return one record with several events."""
    return json.dumps([event(name) for name in names]).encode(), BATCH


class Laid:
    """Records at given places; what lies between is filled with events of no user."""

    def __init__(self, scene: Scene, **config: Any) -> None:
        self._scene = scene
        self.sender = scene.sender(**config)
        self._at = 0
        self._records: dict[int, Message] = {}

    def put(self, at: int, message: Message) -> None:
        """Place a record; each is one offset, as long as nothing else is sent."""
        assert at not in self._records, f"two records at {at}"
        self._records[at] = message

    def send(self, end: int) -> None:
        """Send all that is placed before ``end`` and was not sent yet."""
        for at in range(self._at, end):
            filler = event(f"filler-{at}", user_id="")
            value, headers = self._records.get(at, (json.dumps(filler).encode(), STRUCTURED))
            self.sender.send(REQUESTS, TENANT, value, headers, PARTITION)
        self.sender.flush()
        self._at = end

    def counted(self) -> Counter[str]:
        """Return how often each name counted, in both resolutions alike."""
        found: list[Counter[str]] = []
        with self._scene.connect() as store:
            for table in ("requests_1m", "requests_15m"):
                rows = store.query(
                    f"SELECT user_id, sum(requests) FROM {table} WHERE user_id != '' "
                    "GROUP BY user_id"
                )
                found.append(Counter({str(name): int(n) for name, n in rows}))
        assert found[0] == found[1]
        return found[0]
