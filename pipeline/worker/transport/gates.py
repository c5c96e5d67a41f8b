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
    shut: bool = True
    """Whether none may be opened: from a revocation until the next assignment. What was on its way
    to open one may come late, and would leave a gate to a partition that is another's."""

    def shut_all(self) -> None:
        """Read nothing any more, whoever opens what."""
        self.close(list(self.opened))
        self.shut = True

    def begin(self) -> None:
        """Let partitions be opened again; none is."""
        self.shut_all()
        self.shut = False

    def open(self, tp: TopicPartition, gate: Gate) -> None:
        """Let a partition be read, unless all are shut."""
        if self.shut:
            return
        self.opened[tp] = gate
        self.readable.add(tp)
        self.changed.set()

    def close(self, tps: Iterable[TopicPartition]) -> None:
        """Close the gates of partitions: they are read no more."""
        for tp in tps:
            self.opened.pop(tp, None)
            self.readable.discard(tp)
        if not self.readable:
            self.changed.clear()
