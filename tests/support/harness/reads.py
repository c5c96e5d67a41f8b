"""What a partition is to read (`pipeline.protocol.partition`), read here and now."""

from __future__ import annotations

from typing import TypeVar

from pipeline.protocol.partition import Reads

T = TypeVar("T")


def made(reads: Reads[T]) -> T:
    """Make the reads, one after the other; returns what they come to."""
    while True:
        try:
            read = next(reads)
        except StopIteration as end:
            result: T = end.value
            return result
        read()
