"""Records as aiokafka parsed them, or batches as the broker sent them; and damaged ones.

aiokafka copies each record into a ConsumerRecord, in Python, at a quarter of the cost of fetching
it; its own parsed record has all that a reader in Python wants. A compiled reader wants not even
that: it gets the bytes of the fetch, cut into slices of whole batches.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import (
    CorruptRecordException,
    OffsetOutOfRangeError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
)

from pipeline.errors import Halted
from pipeline.facts import Log, Raw
from pipeline.kafka.lenient import read_leniently

if TYPE_CHECKING:
    from pipeline.facts.compiled.library import Library
    from pipeline.facts.interface import Slice
    from pipeline.facts.readers import Kind

SLICE_RECORDS, SLICE_BYTES = 8192, 1 << 20
"""What a slice has at most, unless it is one batch: compressed bytes, of some 4 MiB of values."""
SLICES = 4
"""Slices that are handed on at once, if they are large: some 15 ms of reading."""
_UNPACKED_BYTES = 255 * SLICE_BYTES
"""What so much of lz4 can hide (`Slice.most_bytes`)."""

_NOTHING_TAKEN = (OffsetOutOfRangeError, RecordTooLargeError, TopicAuthorizationFailedError)
"""Errors that aiokafka raises in place of records, before it takes any in the same call.

Those that it meets in records come after others, of other partitions, whose positions have moved.
"""

read_leniently()


class RawFetches:
    """Lets fetchers hand out what they have fetched as it is: of some topics unopened."""

    def __init__(self, library: Library | None = None, topics: Collection[str] = ()) -> None:
        self._library = library
        self._topics = frozenset(topics)
        """Full names, of those that are read compiled."""

    @property
    def kind(self) -> Kind:
        """The reader that it is done for."""
        return "python" if self._library is None else "compiled"

    def leave_raw(self, fetcher: Any) -> None:
        """Do so with all that a fetcher holds by now."""
        for tp, fetched in fetcher._records.items():
            if not isinstance(fetched, FetchResult):
                continue  # an error, to be raised
            unpacking = fetched._partition_records
            if not isinstance(unpacking, PartitionRecords) or not _is_fresh(unpacking):
                continue
            if tp.topic in self._topics:
                fetched._partition_records = self._unopened(unpacking)
            else:
                fetched._partition_records = _UpToDamage(unpacking)

    async def drain(
        self, fetcher: Any, tps: set[TopicPartition], most_records: int | None
    ) -> dict[TopicPartition, list[Any]]:
        """Take what a fetcher holds of some partitions: so many records, or slices, at most.

        Raises the fetcher's errors.
        """
        self.leave_raw(fetcher)
        raw = {tp for tp in tps if tp.topic in self._topics}
        drained: dict[TopicPartition, list[Any]] = {}
        try:
            if raw:  # to a fetcher, none would mean all
                await _add_slices(drained, fetcher, raw)
            if parsed := tps - raw:
                drained |= await fetcher.fetched_records(
                    parsed, timeout=0, max_records=most_records
                )
        except _NOTHING_TAKEN:
            if not drained:
                raise  # else the next fetch meets it again; what was taken must be handed on
        return drained

    def log(self, drained: Sequence[Any], start: int, end: int) -> Log:
        """Return what was taken of one partition, between two positions."""
        library = self._library
        if library is not None and drained and isinstance(drained[0], library.Slice):
            return Raw(drained, start, end)
        return drained

    def _unopened(self, unpacking: PartitionRecords) -> Any:
        library, data = self._library, unpacking._records.data
        if library is None or library.has_old_format(data):
            return _UpToDamage(unpacking)
        return _Slices(unpacking, library, data)


async def _add_slices(
    drained: dict[TopicPartition, list[Any]], fetcher: Any, tps: set[TopicPartition]
) -> None:
    """Take a few slices, or as many as one could hold: live, each partition has a small one.

    What has been taken is not kept where a rebalance is waited for.
    """
    records = most_bytes = 0
    while records < SLICE_RECORDS and most_bytes < _UNPACKED_BYTES:
        found = await fetcher.fetched_records(tps, timeout=0, max_records=SLICES)
        for tp, slices in found.items():
            drained.setdefault(tp, []).extend(slices)
            records += sum(one.records for one in slices)
            most_bytes += sum(one.most_bytes for one in slices)
        if not found or fetcher._subscriptions.reassignment_in_progress:
            return


class _UpToDamage:
    """In the place of aiokafka's PartitionRecords: yields records as they were parsed.

    It ends where a batch fails its checksum, so that what is whole before it is handed on; the next
    fetch begins at the damage, and fails.
    """

    def __init__(self, unpacking: PartitionRecords) -> None:
        unpacking._consumer_record = _as_it_is
        self._unpacking = unpacking
        self._start = unpacking.next_fetch_offset
        self._records = self._unpacked()

    def __iter__(self) -> Iterator[Any]:
        return self._records

    def _unpacked(self) -> Iterator[Any]:
        try:
            yield from self._unpacking._records_iterator
        except CorruptRecordException as error:
            if self.next_fetch_offset == self._start:
                # Of bytes that are no batch at all, aiokafka does not say whose they are.
                raise CorruptRecordException(f"{error} - {self._unpacking._tp}") from None

    @property
    def next_fetch_offset(self) -> int:
        """The position behind what was handed out."""
        return int(self._unpacking.next_fetch_offset)


class _Slices:
    """In the place of aiokafka's PartitionRecords: yields slices, up to damage as well."""

    def __init__(self, unpacking: PartitionRecords, library: Library, data: bytes) -> None:
        self._tp = unpacking._tp
        self._has_given = False
        self._fetch = library.Fetch(
            data,
            unpacking.next_fetch_offset,
            unpacking._aborted_transactions,
            unpacking._check_crcs,
            unpacking._isolation_level == READ_COMMITTED,
        )
        # It has a generator that has it, and would keep the fetch until somebody looks for cycles.
        unpacking._records_iterator = None

    def __iter__(self) -> _Slices:
        return self

    def __next__(self) -> Slice:
        try:
            found = self._fetch.slice(SLICE_RECORDS, SLICE_BYTES)
        except ValueError:
            if self._has_given:
                raise StopIteration from None
            raise CorruptRecordException(f"Invalid CRC - {self._tp}") from None
        if found is None:
            raise StopIteration
        self._has_given = True
        return found

    @property
    def next_fetch_offset(self) -> int:
        """The position behind what was handed out."""
        return self._fetch.next_fetch_offset


class Damaged(NamedTuple):
    """A batch that is damaged: the partition, where it is known, and what to say of it."""

    tp: TopicPartition | None
    halted: Halted


def damaged(fetcher: Any, error: Exception) -> Damaged:
    """What to say of a batch whose checksum is wrong: Kafka's copy of it is not what was sent.

    It is none of the log's records, so that passing over it would be a decision that no replay
    repeats. aiokafka's error names the partition, and what it had unpacked ends at the batch.
    """
    found, where, offset = None, "a partition", "an offset that is not known"
    for tp, fetched in fetcher._records.items():
        if str(error).endswith(str(tp)):
            found, where = tp, f"{tp.topic}[{tp.partition}]"
            offset = f"offset {fetched._partition_records.next_fetch_offset}"
    halted = Halted(
        f"{where}: the batch of records at {offset} fails its checksum, so the broker's copy of it "
        "is damaged, and every start meets it again; nothing of it was counted. Let a replica that "
        "is whole lead the partition, or restore the broker's log. If no copy is whole, delete the "
        "partition's records up to the end of that batch (kafka-delete-records.sh): what is gone "
        "is then written down as lost"
    )
    return Damaged(found, halted)


def _is_fresh(unpacking: PartitionRecords) -> bool:
    """Say whether nothing of it was taken yet."""
    unpacked = unpacking._records_iterator
    return unpacked is not None and inspect.getgeneratorstate(unpacked) == inspect.GEN_CREATED


def _as_it_is(_: TopicPartition, record: Any) -> Any:
    return record
