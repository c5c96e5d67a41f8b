"""A log into the tables without broker or worker: the readers' facts, inserted as a worker does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from pipeline.clickhouse.client import Store
from pipeline.facts import Reader, Rules, reader
from pipeline.facts.heads import REQUESTS
from pipeline.facts.python_facts import PythonFacts
from pipeline.protocol.ledger import OUTCOMES
from tests.support.harness.produce import BATCH, STRUCTURED, Headers
from tests.support.harness.recount import Record
from tests.support.json_text import written
from tests.support.oracle.log import Entry


def duplicate_window() -> int:
    """The window in which the readers drop duplicates; 0 where they do not."""
    return Rules().duplicate_window


def empty(store: Store) -> None:
    """Take all rows out of the tables that events end up in."""
    tables = store.query(
        "SELECT name FROM system.tables WHERE database = {database:String} "
        "AND engine LIKE '%MergeTree' AND NOT startsWith(name, '_zone') "
        "AND name NOT IN ('migrations', 'lease') AND total_rows > 0",
        {"database": store.database},
    )
    for (table,) in tables:
        store.command(f"TRUNCATE TABLE `{table}`")


def fill(store: Store, log: Iterable[Entry], late_before: date | None = None) -> None:
    """Insert everything that a log comes to, each partition as one chunk.

    Requests of a day from `late_before` on are left for when their day is settled.
    """
    parts: dict[tuple[str, int], dict[int, list[Entry]]] = {}
    for entry in log:
        records = parts.setdefault((entry.topic, entry.partition), {})
        records.setdefault(entry.offset, []).append(entry)
    for (topic, partition), records in sorted(parts.items()):
        read = reader(topic, Rules(), partition)
        of_partition = [_record(of) for _, of in sorted(records.items())]
        insert(store, read, topic, partition, of_partition, late_before)


def insert(
    store: Store,
    reads: Reader,
    topic: str,
    partition: int,
    records: Sequence[Record],
    late_before: date | None = None,
) -> None:
    """Insert what records come to, as one chunk; ``reads`` knows what came before them."""
    facts = PythonFacts(reads.head)
    reads.read(records, facts)
    token = f"{topic}{partition}" + (f"-{records[0].offset}" if records[0].offset else "")
    if facts.counted:
        names, columns = reads.head.columns, list[Any](facts.columns)
        if late_before is not None and reads.head is REQUESTS:
            names = (*names, ("late_before", "Date"))
            columns.append([late_before] * len(columns[0]))
        store.insert(reads.head.table, names, columns, token=token)
    rows = [
        (minute, topic, partition, *rest, events)
        for (minute, *rest), events in sorted(facts.outcomes.items())
    ]
    store.insert("partitions_1m", OUTCOMES, [list(column) for column in zip(*rows, strict=True)])


def _record(entries: list[Entry]) -> Record:
    entries = sorted(entries, key=lambda entry: entry.element)
    events = [entry.event for entry in entries]
    single = len(events) == 1
    value = written(events[0] if single else events).encode()
    headers = _headers(STRUCTURED if single else BATCH)
    return Record(entries[0].offset, entries[0].timestamp, headers, value, "")


def _headers(headers: Headers) -> list[tuple[str, bytes]]:
    return [(name, value) for name, value in headers if isinstance(value, bytes)]
