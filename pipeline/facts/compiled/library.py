"""The library behind the compiled reader: what is asked of it, and whether it is here.

It is built from ``native/`` and is a distribution of its own, `usage-pipeline-native`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, cast

from pipeline.facts.interface import Bounds, Outcome, Sums
from pipeline.facts.interface import Slice as AnySlice

MODULE = "usage_pipeline_native"

Headers = Sequence[tuple[bytes, bytes | None]]
"""Names as they were sent, which need not be UTF-8."""

Odd = tuple[int, int, Headers, bytes]
"""A record that the reference must decide about: offset, timestamp, headers, value."""


class NativeFetch(Protocol):
    """A partition's part of a fetch, unopened."""

    next_fetch_offset: int

    def slice(self, most_records: int, most_bytes: int) -> AnySlice | None:
        """Return the next whole batches, or None. Raises ValueError: a checksum does not hold."""


class Totals(NamedTuple):
    """A chunk's numbers; bounds in epoch milliseconds."""

    counted: int
    duplicate: int
    conflicts: int
    skipped: int
    size_bytes: int
    event_time: Bounds | None
    arrival: Bounds | None
    held_bytes: int


class NativeChunk(Protocol):
    """Columns, dictionaries and accounts of one chunk."""

    def count(self, row: tuple[Any, ...], time: int, arrival: int, origin: int) -> None:
        """Add a row as the reference makes it."""

    def repeat(self, tenant: str, arrival: int, conflict: bool) -> None:
        """Add a duplicate."""

    def arrived(self, timestamp: int, size: int, tombstone: bool) -> None:
        """Add a record of a batch that `step` gave back whole."""

    def totals(self) -> tuple[Any, ...]:
        """Return what `Totals` names."""

    def outcomes(self) -> dict[Outcome, int]:
        """Return how many events came to each, but for rejections."""

    def minutes(self) -> dict[tuple[int, str], Sums]:
        """Return the sums by minute and tenant."""

    def block(self) -> bytes:
        """Return the rows as a block of ClickHouse's Native format."""

    def before(self, seconds: float) -> int:
        """Return how many rows are of minutes that begin before an instant."""

    def inconsistent(self) -> int:
        """Return how many rows `pipeline.facts.inconsistent` would count."""

    def column(self, number: int) -> tuple[Any, ...]:
        """Return the arrays that a column of the head is made of (`facts.columns_of`)."""

    def origins(self) -> bytes:
        """Return each row's origin, 8 bytes each, little-endian."""

    def __len__(self) -> int: ...


class NativeReader(Protocol):
    """The window and the learned shapes of one partition."""

    def begin(self, one: AnySlice, start: int, end: int) -> None:
        """Read a slice next, from ``start`` to before ``end``."""

    def step(self, chunk: NativeChunk | None) -> Odd | bytes | None:
        """Go on to the next record that is not of the common form; None behind the last.

        Bytes are a whole batch that cannot be read with certainty, of which nothing was taken.
        Without a chunk, events are only remembered.
        """

    def seen(self, tenant: str, source: str, id_: str, content: int, offset: int) -> int:
        """Return 0 for a new event, 1 for a repeat, 2 for one of another content; know it now."""

    def continue_after(self, end: int) -> None:
        """Go on in another log, whose offset 0 stands where ``end`` would of the one till now."""


class Library(Protocol):
    """The module itself."""

    CONTRACT: str
    """`Rules.contract` as it was built for."""
    TOPICS: Sequence[str]
    """Those it can read, without prefix."""
    __version__: str
    Slice: type[AnySlice]

    def Fetch(  # noqa: N802  # a class
        self,
        data: bytes,
        position: int,
        aborted: Sequence[tuple[int, int]],
        check_crcs: bool,
        committed_only: bool,
    ) -> NativeFetch:
        """Make one of a partition's bytes; ``aborted`` is (producer id, first offset) each."""

    def Chunk(self, topic: str, rows: int = 0) -> NativeChunk:  # noqa: N802
        """Make an empty one, of which so many rows are expected."""

    def Reader(  # noqa: N802
        self,
        topic: str,
        *,
        too_early_ms: int,
        too_late_ms: int,
        max_record_bytes: int,
        max_depth: int,
        max_batch_elements: int,
        task_rule_set: int,
        duplicate_window: int,
    ) -> NativeReader:
        """Make one for a partition of a topic, which is without prefix."""

    def pack(
        self, records: Sequence[tuple[int, int, Sequence[tuple[str, bytes | None]], bytes | None]]
    ) -> AnySlice:
        """Make a slice of records that are parsed: offset, timestamp, headers, value each."""

    def sent(self, chunks: Sequence[NativeChunk]) -> tuple[list[tuple[str, str]], int, bytes]:
        """Make the block of one topic's chunks, added up: `pipeline.facts.sent.Block`'s parts."""

    def has_old_format(self, data: bytes) -> bool:
        """Say whether some batch is of record format 0 or 1, which it does not read."""


@contextmanager
def bugs_as_errors() -> Iterator[None]:
    """Raise RuntimeError where the library panics, for what it raises then is no Exception."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise RuntimeError(
            "the compiled reader has met a bug of its own and can go on with nothing; "
            "USAGE_READER=python counts the same without it"
        ) from error


_CLASSES = (NativeFetch, NativeChunk, NativeReader)


class Found(NamedTuple):
    """What was found of the library."""

    library: Library | None
    why: str
    """What is the matter where it is None."""


def find(contract: str) -> Found:
    """Import the library, if there is one that was built for this contract."""
    try:
        library = cast("Library", importlib.import_module(MODULE))
    except ModuleNotFoundError as error:
        if error.name == MODULE:
            return Found(None, f"{MODULE} is not installed")
        return Found(None, f"{MODULE} cannot be imported ({error})")
    except ImportError as error:
        return Found(None, f"{MODULE} cannot be imported ({error})")
    if contract != library.CONTRACT:
        return Found(
            None,
            f"{MODULE} {library.__version__} counts by contract {library.CONTRACT}, "
            f"and this release by {contract}",
        )
    missing = [*_missing(library, Library), *(n for c in _CLASSES for n in _missing_of(library, c))]
    if missing:
        return Found(
            None, f"{MODULE} {library.__version__} is of another release: it has no {missing[0]}"
        )
    return Found(library, "")


def _missing_of(library: Library, one: type) -> list[str]:
    name = one.__name__.removeprefix("Native")
    return [f"{name}.{missing}" for missing in _missing(getattr(library, name, None), one)]


def _missing(found: object, protocol: type) -> list[str]:
    names = {*vars(protocol), *protocol.__annotations__}
    return sorted(n for n in names - set(dir(found)) if not n.startswith("_"))
