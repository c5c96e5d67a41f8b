"""Which reader a process reads with: the compiled one, or the reference in Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.errors import SettingsError
from pipeline.facts.compiled.library import Library, find
from pipeline.facts.compiled.reader import CompiledReader, Unreadable
from pipeline.facts.interface import Reader
from pipeline.facts.reader import reader
from pipeline.facts.rules import Rules
from pipeline.facts.types import TYPES

Kind = Literal["compiled", "python"]

_HOW = "make native where cargo is, or pip install 'usage-pipeline[native]'"


@dataclass(frozen=True, slots=True)
class Readers:
    """Makes readers of one kind; what only the reference can read, it reads in any case."""

    library: Library | None
    sentence: str
    """Which one reads, and why, for a person."""

    def __str__(self) -> str:
        """Return the kind."""
        return self.kind

    @property
    def kind(self) -> Kind:
        """In one word."""
        return "python" if self.library is None else "compiled"

    @property
    def raw_topics(self) -> frozenset[str]:
        """The topics, without prefix, whose batches their readers take unopened."""
        return frozenset() if self.library is None else frozenset(self.library.TOPICS)

    def reader(
        self, topic: str, rules: Rules, partition: int = 0, unreadable: Unreadable | None = None
    ) -> Reader:
        """Make a reader of one partition of a topic, named without its prefix. Raises KeyError."""
        if self.library is None or topic not in self.raw_topics:
            return reader(topic, rules, partition)
        known = TYPES[topic]
        return CompiledReader(self.library, known, rules, partition, unreadable or _unreadable)


def readers(wanted: str) -> Readers:
    """Return those that `USAGE_READER` asks for: ``auto``, ``python`` or ``compiled``.

    Raises SettingsError where the compiled one is asked for and cannot be had.
    """
    if wanted == "python":
        return Readers(None, "the Python reader reads, as USAGE_READER says")
    library, why = find(Rules().contract)
    if library is not None:
        return Readers(library, f"the compiled reader reads ({library.__version__})")
    if wanted == "compiled":
        raise SettingsError(
            f"USAGE_READER: found compiled, but {why}; expected that it is installed: {_HOW}; "
            "or set auto"
        )
    return Readers(None, f"the Python reader reads: {why} ({_HOW})")


def told(wanted: str) -> str:
    """Say in a sentence what a worker of this installation would read with, or that it would not.

    For whoever is not to fail for that.
    """
    try:
        return readers(wanted).sentence
    except SettingsError as error:
        return str(error)


def _unreadable(batch: bytes) -> Sequence[Any]:
    raise ValueError(f"a batch of {len(batch)} bytes that was packed here cannot be read")
