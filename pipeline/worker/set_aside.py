"""Events that the store refuses, found and set aside, so that nobody else's wait for them.

Why that is exact, and where it ends: ``docs/decisions/events-that-the-store-refuses.md``.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import numpy as np

from pipeline.clickhouse.rehearsal import PREFIX, Rehearsal, constrained
from pipeline.errors import Halted, StoreError, StoreRefused, ValueRefused
from pipeline.facts.interface import Facts, Rejection, offset_and_place, parsed
from pipeline.facts.set_aside import only, rejection, without
from pipeline.process.logs import place
from pipeline.protocol.halves import MOST_REFUSED, TooManyRefused, refused_rows
from pipeline.protocol.partition import Chunk
from pipeline.worker.transport import Past

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Prepared, Store
    from pipeline.protocol.chunks import Source
    from pipeline.protocol.ledger import Insert, Ledger
    from pipeline.protocol.sealed import Group
    from pipeline.settings import Settings
    from pipeline.worker.telemetry.instruments import Instruments

log = logging.getLogger(__name__)
T = TypeVar("T")

LOOK_SECONDS = 10.0
"""How often the tables are asked for constraints."""
_UNKNOWN_TABLE = 60

STAGE_SECONDS = 1200.0
"""How long copies are used, well below the hour after which they count as left behind."""


class InThread(Protocol):
    """Runs a blocking call of the store until it is answered (`Flusher.in_thread`)."""

    def __call__(self, call: Callable[[], T]) -> Awaitable[T]:
        """Raises `Halted` when it is refused."""


class Stage:
    """The one `Rehearsal` of a process, made when it is needed; for many threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock, self._looking = threading.Lock(), threading.Lock()
        self._rehearsal: Rehearsal | None = None
        self._before: Rehearsal | None = None
        """May still be in use when another one is made."""
        self._made_at, self._made_where = 0.0, ""
        self._looked_at = -math.inf
        self._constrained: tuple[str, ...] = ()

    def is_needed(self) -> bool:
        """Say whether a table may refuse single rows."""
        # Groups are inserted side by side: while one looks, the others go by what was seen.
        is_first = self._looked_at == -math.inf
        if self._is_time_to_look and self._looking.acquire(blocking=is_first):
            try:
                if self._is_time_to_look:  # still: another may have looked meanwhile
                    self._look()
            finally:
                self._looking.release()
        return bool(self._constrained)

    @property
    def _is_time_to_look(self) -> bool:
        return time.monotonic() - self._looked_at >= LOOK_SECONDS

    def _look(self) -> None:
        now_constrained = constrained(self._store)
        with self._lock:
            if now_constrained != self._constrained:
                self._made_at = -math.inf  # the copies are of what was
            self._constrained = now_constrained
        self._looked_at = time.monotonic()

    def rehearsal(self, tables: Iterable[str]) -> Rehearsal:
        """Return copies of these tables, as they are now or were moments ago."""
        with self._lock:
            is_elsewhere = self._store.where != self._made_where  # copies are of one server
            is_old = time.monotonic() - self._made_at > STAGE_SECONDS
            if self._rehearsal is None or is_old or is_elsewhere:
                if self._before is not None:
                    self._before.drop()
                self._before, self._rehearsal = self._rehearsal, Rehearsal(self._store)
                self._made_at, self._made_where = time.monotonic(), self._store.where
            self._rehearsal.include(tables)
            return self._rehearsal

    def drop(self) -> None:
        """Drop all copies."""
        with self._lock:
            for one in (self._before, self._rehearsal):
                if one is not None:
                    one.drop()
            self._before = self._rehearsal = None


class SetAside:
    """Finds the events of a chunk that its tables do not take, and rejects them."""

    def __init__(
        self, settings: Settings, store: Store, ledger: Ledger, instruments: Instruments
    ) -> None:
        self._settings = settings
        self._store = store
        self._ledger = ledger
        self._instruments = instruments
        self._stage = Stage(store)
        self._has_refused = False

    def rehearsed(self, inserts: list[Insert]) -> list[Insert]:
        """Return them, after a rehearsal where tables may refuse single rows. Blocking.

        Raises `ValueRefused`; nothing is inserted yet.
        """
        if self._has_refused or self._stage.is_needed():
            blocks = [insert.block for insert in inserts if insert.block is not None]
            sentence = self._at_one_server(
                lambda: self._stage.rehearsal(block.table for block in blocks).refusal(blocks)
            )
            if sentence is not None:
                raise ValueRefused(sentence, code=1, reason=sentence)
        return inserts

    def _at_one_server(self, ask: Callable[[], T]) -> T:
        """Ask copies, and again where another server was gone over to meanwhile: it has none."""
        while True:
            where = self._store.where
            try:
                return ask()
            except StoreRefused as error:
                if error.code != _UNKNOWN_TABLE or self._store.where == where:
                    raise

    async def rest(self, group: Group, why: ValueRefused, in_thread: InThread) -> Group:
        """Return the group without the events at fault, which are rejected as ``internal``.

        The same for whoever asks, as long as the store refuses the same. Raises `Halted` when it
        is not about single events.
        """
        self._has_refused = self._has_refused or why.code != 0
        try:
            refused = await in_thread(lambda: self._refused(group, ask_store=why.code != 0))
        except TooManyRefused:
            refused = {}
        if not refused:
            ranges = ", ".join(map(str, group.ranges))
            raise Halted(f"the store refuses {ranges}, and not for single events: {why}")
        chunks, first = [], 0
        for chunk in group.chunks:
            end = first + chunk.facts.counted
            own = {row - first: refused[row] for row in refused if first <= row < end}
            chunks.append(await self._rest_of(chunk, own, why) if own else chunk)
            first = end
        return group._replace(chunks=tuple(chunks))

    async def _rest_of(self, chunk: Chunk, refused: dict[int, str], why: ValueRefused) -> Chunk:
        self._say(chunk, refused, why)
        offsets = {offset_and_place(chunk.facts.origins[row])[0] for row in refused}
        records = await _records(self._settings, chunk.range.source, offsets)
        rejections = {
            row: _rejection(chunk.facts, row, records, sentence)
            for row, sentence in refused.items()
        }
        self._instruments.refused(chunk.range.source.topic, len(rejections))
        return _with(chunk, without(chunk.facts, rejections))

    def close(self) -> None:
        """Leave no copies of tables behind, if the store answers. Blocking."""
        with contextlib.suppress(StoreError):
            self._stage.drop()

    def _refused(self, group: Group, *, ask_store: bool) -> dict[int, str]:
        """The rows at fault, counted through all chunks.

        Blocking; asks nobody where a value cannot even be encoded.
        """
        if not ask_store:
            return self._found(group, lambda _: None)
        blocks = [i.block for i in self._ledger.prepare(group) if i.block is not None]

        def rows() -> dict[int, str]:
            rehearsal = self._stage.rehearsal(block.table for block in blocks)
            guilty = next((b.table for b in blocks if rehearsal.refusal([b])), None)
            if guilty is None:
                return {}
            return self._found(
                group, lambda some: rehearsal.refusal([b for b in some if b.table == guilty])
            )

        try:
            return self._at_one_server(rows)
        except StoreRefused as error:
            raise StoreRefused(
                f"values of {group.ranges[0]} are refused; to find them, the right to create and "
                f"drop tables named {PREFIX}… is needed: {error}"
            ) from error

    def _found(
        self, group: Group, asked: Callable[[Sequence[Prepared]], str | None]
    ) -> dict[int, str]:
        counted = [chunk.facts.counted for chunk in group.chunks]

        def refusal(rows: Sequence[int]) -> str | None:
            kept = np.zeros(sum(counted), np.bool_)
            kept[list(rows)] = True
            parts = np.split(kept, np.cumsum(counted)[:-1])
            some = (
                _with(chunk, only(chunk.facts, part))
                for chunk, part in zip(group.chunks, parts, strict=True)
            )
            try:
                inserts = self._ledger.prepare(group._replace(chunks=tuple(some)))
            except ValueRefused as error:
                return error.reason
            return asked([insert.block for insert in inserts if insert.block is not None])

        return refused_rows(sum(counted), refusal, MOST_REFUSED * len(counted))

    def _say(self, chunk: Chunk, refused: dict[int, str], why: StoreRefused) -> None:
        log.error(
            "%s: the store refuses %d of its %d events, which are rejected as internal: %s",
            *(chunk.range, len(refused), chunk.facts.counted, why.reason),
            extra=place(chunk.range.source, chunk.range.a, chunk.range.b),
        )


def _with(chunk: Chunk, facts: Facts) -> Chunk:
    return Chunk(chunk.range, facts, facts.minutes())


class _Deleted(NamedTuple):
    """Stands in for a record that Kafka has deleted before it could be read again."""

    offset: int
    timestamp: int
    headers: Sequence[tuple[str, bytes]] = ()
    value: bytes | None = b""


def _rejection(facts: Facts, row: int, records: Mapping[int, Any], sentence: str) -> Rejection:
    offset, number = offset_and_place(facts.origins[row])
    tenant = str(_value(facts, "tenant", row))
    keys = [key for key in facts.outcomes if key[1] == tenant and key[3] == "counted"]
    minute, _, type_, *_ = max(keys)
    record = records.get(offset) or _Deleted(offset, minute * 1000)
    message = f"The event is as it should be, but the store refuses it: {sentence}."
    return rejection(record, number, tenant, type_, message)


def _value(facts: Facts, name: str, row: int) -> object:
    column = facts.columns[[name for name, _ in facts.head.columns].index(name)]
    return next(itertools.islice(column, row, None))


async def _records(settings: Settings, source: Source, offsets: Collection[int]) -> dict[int, Any]:
    """Read these records again, by a consumer beside the group; without those that are deleted.

    Waits for a Kafka that is away.
    """
    found: dict[int, Any] = {}
    async with Past(settings, {source: min(offsets)}) as past:
        position = 0
        while position <= max(offsets):
            for fetched in await past.read():
                found |= {r.offset: r for r in parsed(fetched.log) if r.offset in offsets}
                position = fetched.end
    return found
