"""Events that producers send again: near, far, beyond the window, renewed, corrected."""

from __future__ import annotations

import json
import random
from collections import deque
from typing import Any

Event = dict[str, Any]

NEAR, FAR, BEYOND = 3, 400, 4000
"""How many events of a topic back, at most; of its partition, it is a part of that."""
_KEPT = 5000
_SOON = 0.2


class Repeats:
    """What was sent to one topic by now, to be sent again as a producer in trouble would."""

    def __init__(self, dice: random.Random) -> None:
        self._random = dice
        self._sent: deque[tuple[str, Event]] = deque(maxlen=_KEPT)
        self._refused: list[tuple[str, Event]] = []

    def sent(self, tenant: str, event: Event) -> None:
        """Take note of a valid event and the tenant that it is keyed by."""
        self._sent.append((tenant, event))

    def refused(self, tenant: str, event: Event) -> None:
        """Take note of what an event should have been that was sent with a fault in it."""
        self._refused.append((tenant, event))

    def again(self) -> tuple[str, Event] | None:
        """Return (tenant to key by, event) of one to send again; None as long as there is none."""
        if self._refused and self._random.random() < _SOON:
            return self._refused.pop(self._random.randrange(len(self._refused)))
        if not self._sent:
            return None
        back = min(len(self._sent), self._random.choice((NEAR, FAR, BEYOND)))
        return self._sent[-1 - self._random.randrange(back)]

    def batch(self, event: Event) -> bytes:
        """Return a batch in which an event stands twice, among others that were sent before."""
        others = [self._sent[-1][1]] if self._sent else []
        return json.dumps([event, *others, event]).encode()
