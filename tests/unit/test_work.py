"""What a worker does with a batch that its own code fails on (`pipeline.work`)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from pipeline.chunks import Plan, Source
from pipeline.facts.interface import Facts, Head, Record
from pipeline.partitions import Partition
from pipeline.settings import load
from pipeline.transport import Fetched
from pipeline.work import Work

SOURCE = Source("usage.requests", 0)


class Broken:
    """A reader with a bug."""

    head = Head("requests_in", ())

    def read(self, records: Sequence[Record], into: Facts) -> None:
        raise ZeroDivisionError

    def remember(self, records: Sequence[Record]) -> None:
        raise NotImplementedError


def test_an_exception_while_folding_ends_the_worker_instead_of_passing_the_batch_by() -> None:
    failures: list[BaseException] = []
    nothing = cast("Any", None)
    work = Work(
        load({}),
        flusher=nothing,
        takeover=nothing,
        rebuild=nothing,
        ledger=nothing,
        live=nothing,
        instruments=nothing,
        new_reader=nothing,
        batches=nothing,
        fail=failures.append,
    )
    partition = Partition(SOURCE, "incarnation", Broken(), Plan(0))
    work.partitions[SOURCE] = partition
    records: list[Any] = [object()]
    asyncio.run(work.add(Fetched(SOURCE, partition.epoch, 0, 1, records)))
    assert [type(error) for error in failures] == [ZeroDivisionError]
    assert work.partitions == {}  # half a batch in the open chunk is not flushed on the way out
