"""Duplicates among what a partition's records come to, in the order of the log."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.facts.bulk.path import Common
from pipeline.facts.exact.decide import Counted, Verdict
from pipeline.facts.interface import Record
from pipeline.facts.repeats.identities import identities
from pipeline.facts.repeats.window import Offsets, Window

Alone = Mapping[int, Sequence[Verdict]]
"""What the records that were decided one by one come to, by place, in order."""


class Repeated(NamedTuple):
    """Which of the events that were read are duplicates."""

    common: NDArray[np.bool_]
    """One for each of the common form."""
    alone: set[int]
    """The ``id()`` of verdicts."""


NONE = Repeated(np.zeros(0, np.bool_), set())


class Seen:
    """What stood in the window of one partition."""

    def __init__(self, window: int) -> None:
        self._window = Window(window)

    def repeated(self, records: Sequence[Record], common: Common, alone: Alone) -> Repeated:
        """Which of the valid events of ``records`` are duplicates; from now on all are known."""
        verdicts = [
            (place, verdict)
            for place, several in alone.items()
            for verdict in several
            if isinstance(verdict, Counted)
        ]
        sources = [*common.sources, *(verdict.source for _, verdict in verdicts)]
        ids = [*common.ids, *(verdict.id for _, verdict in verdicts)]
        if not ids:
            return NONE
        offsets = _offsets(records)
        hashes = identities(sources, ids)
        if not alone:
            return Repeated(self._window.repeated(hashes, offsets), set())
        places = np.concatenate((common.places, [place for place, _ in verdicts])).astype(np.int64)
        order = np.argsort(places, kind="stable")
        repeated = np.empty(len(ids), np.bool_)
        repeated[order] = self._window.repeated(hashes[order], offsets[places[order]])
        count = len(common.ids)
        late = zip(verdicts, repeated[count:].tolist(), strict=True)
        return Repeated(repeated[:count], {id(verdict) for (_, verdict), is_ in late if is_})


def _offsets(records: Sequence[Record]) -> Offsets:
    """The offset of each record; offsets rise."""
    first, last = records[0].offset, records[-1].offset
    if last - first == len(records) - 1:
        return np.arange(first, last + 1)
    return np.array([record.offset for record in records], np.int64)
