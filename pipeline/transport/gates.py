"""Which partitions may be read, and how far each has been handed on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from aiokafka import TopicPartition


@dataclass(slots=True)
class Gate:
    """Where an opened partition stands."""

    epoch: int
    position: int


@dataclass(slots=True)
class Gates:
    """The partitions that may be read. Only the consumer's thread touches it."""

    opened: dict[TopicPartition, Gate] = field(default_factory=dict)
    readable: set[TopicPartition] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def open(self, tp: TopicPartition, gate: Gate) -> None:
        """Let a partition be read."""
        self.opened[tp] = gate
        self.readable.add(tp)
        self.changed.set()

    def close(self, tps: Iterable[TopicPartition]) -> None:
        """Read these no more."""
        for tp in tps:
            self.opened.pop(tp, None)
            self.readable.discard(tp)
        if not self.readable:
            self.changed.clear()
