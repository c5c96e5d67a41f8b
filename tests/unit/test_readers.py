"""Which reader reads, and what the compiled one is given and gives back."""

from __future__ import annotations

import gc
import json
import sys
import weakref
from itertools import chain
from types import SimpleNamespace
from typing import Any, NamedTuple, NoReturn, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder

from pipeline.errors import SettingsError
from pipeline.facts import Raw, Reader, Rules
from pipeline.facts.compiled import library
from pipeline.facts.compiled.library import Library
from pipeline.facts.python_facts import PARTS
from pipeline.facts.readers import Readers, readers, told
from pipeline.kafka.lenient import LenientRecords, opened
from pipeline.worker.transport.raw import RawFetches
from tests.support.harness import stand_in
from tests.support.harness.readers import COMPILED, KINDS, PYTHON

TOPIC = "usage.requests"
TP = TopicPartition(TOPIC, 0)
NOW = 1_772_368_496_789
STAND_IN = cast("Library", cast("Any", stand_in))


class Rec(NamedTuple):
    offset: int
    value: bytes | None
    timestamp: int = NOW
    headers: tuple[tuple[str, bytes], ...] = ()


def event(number: int, **data: Any) -> bytes:
    told = {"operation": "chat", "model": "m", "status_code": 200, "duration_ms": 5} | data
    names = {"specversion": "1.0", "id": str(number), "source": "s", "subject": "acme"}
    return json.dumps(names | {"type": "usage.request.v1", "data": told}).encode()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library.MODULE, cast("Any", stand_in))


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library.MODULE, cast("Any", None))


@pytest.mark.usefixtures("installed")
def test_the_compiled_reader_reads_where_it_is_installed() -> None:
    assert [readers(wanted).kind for wanted in ("auto", "compiled", "python")] == [
        *("compiled", "compiled", "python")
    ]


@pytest.mark.usefixtures("missing")
def test_without_it_the_python_one_reads_and_says_why() -> None:
    found = readers("auto")
    assert found.kind == "python"
    assert f"the Python reader reads: {library.MODULE} is not installed" in found.sentence
    with pytest.raises(SettingsError, match=r"USAGE_READER: found compiled, but .*\[native\]"):
        readers("compiled")
    assert told("compiled").startswith("USAGE_READER: found compiled")


@pytest.mark.usefixtures("installed")
def test_one_that_was_built_for_another_contract_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stand_in, "CONTRACT", "0")
    assert "counts by contract 0, and this release by" in readers("auto").sentence
    with pytest.raises(SettingsError, match="contract 0"):
        readers("compiled")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("owner", "name"), [(stand_in, "pack"), (stand_in.Chunk, "block")])
def test_one_of_another_release_is_not_used(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    monkeypatch.delattr(owner, name)
    assert f"is of another release: it has no {name}" in readers("auto").sentence.replace(
        "no Chunk.", "no "
    )


def test_what_only_the_reference_reads_it_reads_in_any_case() -> None:
    for topic in ("usage.entities", "usage.metric-definitions"):
        assert topic not in COMPILED.raw_topics
        one = COMPILED.reader(topic, Rules())
        assert type(one) is type(PYTHON.reader(topic, Rules()))


def test_the_readers_take_no_others_facts() -> None:
    python, compiled = (one.reader(TOPIC, Rules()) for one in KINDS)
    for reader, other in ((python, compiled), (compiled, python)):
        with pytest.raises(TypeError, match="own facts"):
            reader.read([Rec(0, event(0))], other.facts())
    with pytest.raises(TypeError, match="raw batches"):
        python.read(Raw((), 0, 0), python.facts())


def test_both_come_to_the_same_and_take_over_from_each_other() -> None:
    """Python, then compiled, then Python again: what each remembers is what the log says."""
    log = [Rec(n, event(n % 70, team_id=f"t{n // 100}")) for n in range(300)]
    log += [Rec(300, None), Rec(301, b"{"), Rec(302, event(69, team_id="t2"))]
    due = read(PYTHON.reader(TOPIC, Rules(duplicate_window=100)), log, 0)
    assert due["conflicts"]
    for cuts in ((150,), (80, 200)):
        parts, before = [], 0
        for turn, end in enumerate([*cuts, len(log)]):
            one = (PYTHON, COMPILED, PYTHON)[turn].reader(TOPIC, Rules(duplicate_window=100))
            parts.append(read(one, log[:end], before))
            before = end
        for name in ("counted", "duplicate", "conflicts", "rejected", "skipped"):
            assert sum(part[name] for part in parts) == due[name], name
        columns = zip(*(part["columns"] for part in parts), strict=True)
        assert [list(chain(*some)) for some in columns] == [list(one) for one in due["columns"]]


def read(reader: Reader, log: list[Rec], start: int) -> dict[str, Any]:
    facts = reader.facts()
    if start:
        reader.remember(log[:start])
    reader.read(log[start:], facts)
    return {name: getattr(facts, name) for name in PARTS}


def batch(first: int, *values: bytes | None, magic: int = 2) -> bytes:
    """Some records at consecutive offsets, as a broker keeps them."""
    if magic < 2:
        old = LegacyRecordBatchBuilder(magic, 0, 1_000_000)
        for number, value in enumerate(values):
            old.append(first + number, NOW, None, value, [])
        return bytes(old.build())
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1_000_000)
    for number, value in enumerate(values):
        builder.append(number, NOW, None, value, [])
    octets = bytearray(builder.build())
    octets[:8] = first.to_bytes(8, "big")  # which the checksum leaves out
    return bytes(octets)


def fetcher(octets: bytes, position: int) -> Any:
    """A fetcher that holds one partition's records."""
    unpacking = PartitionRecords(
        TP, LenientRecords(octets), [], position, None, None, True, READ_COMMITTED
    )
    held = FetchResult(TP, assignment=None, partition_records=unpacking, backoff=0)
    return SimpleNamespace(_records={TP: held})


def through(octets: bytes, position: int, kind: Readers) -> dict[str, Any]:
    """What a fetch comes to by a reader, from the fetcher to the facts."""
    raw = RawFetches(kind.library, [TOPIC])
    held = fetcher(octets, position)
    raw.leave_raw(held)
    records = held._records[TP]._partition_records
    drained = list(records)
    end = records.next_fetch_offset
    one = kind.reader(TOPIC, Rules(), 0, opened)
    facts = one.facts()
    one.read(raw.log(drained, position, end), facts)
    return {"end": end} | {name: getattr(facts, name) for name in PARTS}


@pytest.mark.parametrize("position", [100, 102, 104])
def test_a_fetch_is_read_from_its_position_on_in_whichever_form(position: int) -> None:
    octets = batch(100, *(event(n) for n in range(4))) + batch(104, None, b"{", event(1))
    due = through(octets, position, PYTHON)
    assert due["received"] == 106 - position
    assert through(octets, position, COMPILED) == due


def test_batches_of_an_old_format_are_parsed_by_aiokafka() -> None:
    octets = batch(7, event(1), event(2), magic=1)
    due = through(octets, 7, PYTHON)
    assert due["counted"] == 2
    assert through(octets, 7, COMPILED) == due


def test_what_was_begun_to_be_parsed_stays_parsed() -> None:
    held = fetcher(batch(0, event(1), event(2)), 0)
    unpacking = held._records[TP]._partition_records
    next(unpacking)
    RawFetches(STAND_IN, [TOPIC]).leave_raw(held)
    assert held._records[TP]._partition_records is unpacking


def test_what_was_fetched_is_let_go_without_a_look_for_cycles() -> None:
    held = fetcher(batch(0, event(1), event(2)), 0)
    unpacking = weakref.ref(held._records[TP]._partition_records)
    gc.disable()
    try:
        RawFetches(STAND_IN, [TOPIC]).leave_raw(held)
        assert unpacking() is None
    finally:
        gc.enable()


def test_a_batch_that_the_library_gives_back_is_read_as_everybody_reads_it() -> None:
    octets = batch(100, event(1), None, b"{", event(2))

    class GivesBack(stand_in.Reader):
        """One that can read no batch."""

        def step(self, chunk: Any) -> Any:
            given, self.given = self.__dict__.get("given", octets), None
            return given

    giving = SimpleNamespace(**(vars(stand_in) | {"Reader": GivesBack}))
    kind = Readers(cast("Library", giving), "")
    assert through(octets, 101, kind) == through(octets, 101, PYTHON)


@pytest.mark.parametrize("call", ["begin", "step", "seen"])
def test_a_bug_of_the_library_ends_the_worker(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        """As PyO3 calls it."""

    def panic(*_: object) -> NoReturn:
        raise PanicException

    monkeypatch.setattr(stand_in.Reader, call, panic)
    one = Readers(cast("Library", stand_in), "").reader(TOPIC, Rules())
    for read in (lambda log: one.read(log, one.facts()), one.remember):
        with pytest.raises(RuntimeError, match="USAGE_READER=python"):
            read([Rec(0, event(0))])
