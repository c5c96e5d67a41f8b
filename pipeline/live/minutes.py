"""Sums by minute and tenant, made of a chunk's columns in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pipeline.facts import Facts

MEASURES = ("requests", "failed", "input_tokens", "output_tokens", "tasks")
"""What is summed, in the order of `Sums`."""

Sums = list[int]
"""One number for each of `MEASURES`."""

Minutes = dict[tuple[int, str], Sums]
"""By minute (epoch seconds, of event time) and tenant."""

_ACTIONS_TABLE = "actions_in"


class ChunkMinutes:
    """The sums of one chunk's rows, brought up to date when they are asked for."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._names = [name for name, _ in facts.head.columns]
        self._upto = 0
        self._minutes: Minutes = {}

    def minutes(self) -> Minutes:
        """Return the sums of all rows that the chunk has by now."""
        upto = self._facts.counted
        if upto > self._upto:
            add_all(self._minutes, self._rows(self._upto, upto))
            self._upto = upto
        return self._minutes

    def _rows(self, since: int, until: int) -> Iterator[tuple[tuple[int, str], Sequence[int]]]:
        column = self._column(since, until)
        keys = zip(column("minute"), column("tenant"), strict=True)
        if self._facts.head.table == _ACTIONS_TABLE:
            for key, task in zip(keys, column("task"), strict=True):
                yield key, (0, 0, 0, 0, task)
            return
        measured = (column("failed"), column("input_tokens"), column("output_tokens"))
        for key, failed, read, written in zip(keys, *measured, strict=True):
            yield key, (1, failed, read, written, 0)

    def _column(self, since: int, until: int) -> Any:
        def column(name: str) -> list[Any]:
            return self._facts.columns[self._names.index(name)][since:until]

        return column


def add_all(minutes: Minutes, rows: Iterable[tuple[tuple[int, str], Sequence[int]]]) -> None:
    """Add each row's sums to those of its minute and tenant."""
    for key, (requests, failed, read, written, tasks) in rows:
        sums = minutes.get(key)
        if sums is None:
            minutes[key] = [requests, failed, read, written, tasks]
        else:
            sums[0] += requests
            sums[1] += failed
            sums[2] += read
            sums[3] += written
            sums[4] += tasks
