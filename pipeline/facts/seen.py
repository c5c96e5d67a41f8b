"""Duplicates among what a partition's records come to, in the order of the log."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.facts.decide import Counted, Verdict
from pipeline.facts.duplicates import Offsets, Window
from pipeline.facts.identities import identities
from pipeline.facts.interface import Record

Alone = Mapping[int, Sequence[Verdict]]
"""What the records that were decided one by one come to, by place, in order."""


class Identified(NamedTuple):
    """The valid events of some records."""

    sources: Sequence[str]
    """Of the common form, one such event per record; so for ``ids``."""
    ids: Sequence[str]
    alone: Alone


class Repeated(NamedTuple):
    """Which of them are duplicates."""

    common: NDArray[np.bool_]
    """One for each of the common form."""
    alone: set[int]
    """The ``id()`` of verdicts."""


NONE = Repeated(np.zeros(0, np.bool_), set())


class Seen:
    """What stood in the window of one partition."""

    def __init__(self, window: int) -> None:
        self._window = Window(window)

    def repeated(self, records: Sequence[Record], found: Identified) -> Repeated:
        """Which of the events of ``records`` are duplicates; all are known from now on."""
        verdicts = [
            (place, verdict)
            for place, several in found.alone.items()
            for verdict in several
            if isinstance(verdict, Counted)
        ]
        sources = [*found.sources, *(verdict.source for _, verdict in verdicts)]
        ids = [*found.ids, *(verdict.id for _, verdict in verdicts)]
        if not ids:
            return NONE
        offsets = _offsets(records)
        hashes = identities(sources, ids)
        if not found.alone:
            return Repeated(self._window.repeated(hashes, offsets), set())
        common = np.delete(np.arange(len(records)), list(found.alone))
        places = np.concatenate((common, np.array([place for place, _ in verdicts], np.int64)))
        order = np.argsort(places, kind="stable")
        repeated = np.empty(len(ids), np.bool_)
        repeated[order] = self._window.repeated(hashes[order], offsets[places[order]])
        late = repeated[len(common) :].tolist()
        alone = {id(verdict) for (_, verdict), is_ in zip(verdicts, late, strict=True) if is_}
        return Repeated(repeated[: len(common)], alone)


def _offsets(records: Sequence[Record]) -> Offsets:
    """Of each record; they rise."""
    first, last = records[0].offset, records[-1].offset
    if last - first == len(records) - 1:
        return np.arange(first, last + 1)
    return np.array([record.offset for record in records], np.int64)
