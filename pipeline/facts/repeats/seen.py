"""Duplicates among what a partition's records come to, in the order of the log."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.facts.bulk.path import Common
from pipeline.facts.exact.decide import Counted, Verdict
from pipeline.facts.interface import CONFLICT, Record
from pipeline.facts.repeats import window
from pipeline.facts.repeats.identities import identities
from pipeline.facts.repeats.window import Offsets, Repeats, Window

Alone = Mapping[int, Sequence[Verdict]]
"""What the records that were decided one by one come to, by place, in order."""


class Repeated(NamedTuple):
    """Which of some records' valid events are duplicates."""

    common: Repeats
    """One for each of the common form."""
    alone: Mapping[int, str]
    """By the ``id()`` of verdicts: the outcome's reason, ``''`` or `CONFLICT`."""


NONE = Repeated(window.NONE, {})


class Seen:
    """What stood in the window of one partition."""

    def __init__(self, offsets: int) -> None:
        self._window = Window(offsets)

    def continue_after(self, end: int) -> None:
        """See `interface.Reader`."""
        self._window.continue_after(end)

    def repeated(self, records: Sequence[Record], common: Common, alone: Alone) -> Repeated:
        """Which of the valid events of ``records`` are duplicates; from now on all are known."""
        verdicts = [
            (place, verdict)
            for place, several in alone.items()
            for verdict in several
            if isinstance(verdict, Counted)
        ]
        tenants = [*common.tenants, *(verdict.tenant for _, verdict in verdicts)]
        sources = [*common.sources, *(verdict.source for _, verdict in verdicts)]
        ids = [*common.ids, *(verdict.id for _, verdict in verdicts)]
        if not ids:
            return NONE
        offsets = _offsets(records)
        hashes = identities(tenants, sources, ids)
        if not alone:
            return Repeated(self._window.repeats(hashes, common.contents, offsets), {})
        late = np.array([verdict.content for _, verdict in verdicts], np.uint32)
        contents = np.concatenate((common.contents, late))
        places = np.concatenate((common.places, [place for place, _ in verdicts])).astype(np.int64)
        order = np.argsort(places, kind="stable")
        found = self._window.repeats(hashes[order], contents[order], offsets[places[order]])
        repeated, conflicting = np.empty((2, len(ids)), np.bool_)
        repeated[order], conflicting[order] = found
        count = len(common.ids)
        return Repeated(
            Repeats(repeated[:count], conflicting[:count]),
            {
                id(verdicts[n][1]): CONFLICT if conflicting[count + n] else ""
                for n in np.flatnonzero(repeated[count:]).tolist()
            },
        )


def _offsets(records: Sequence[Record]) -> Offsets:
    """The offset of each record; offsets rise."""
    first, last = records[0].offset, records[-1].offset
    if last - first == len(records) - 1:
        return np.arange(first, last + 1)
    return np.array([record.offset for record in records], np.int64)
