"""The store, its ledger, the group's offsets and the dead letters against the recount."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import views
from tests.support.harness.kafka_broker import KafkaBroker
from tests.support.harness.recount import (
    ENTITY_COLUMNS,
    EVENT_KEY,
    EVENT_MEASURES,
    OUTCOMES,
    REQUEST_KEY,
    REQUEST_MEASURES,
    TASK_KEY,
    TASK_MEASURES,
    Expected,
    Key,
    Log,
    Row,
    read_log,
)

# Where a measure of the recount stands in the tables.
_SUMS = {"cost_nanos": "toInt128(sum(cost) * 1000000000)"}
_SHOWN = 8
USER_KEY = ("tenant", "user_id", "team_id", "agent_id", "token_id", "currency")
USER_MEASURES = ("requests", "input_tokens", "output_tokens", "cost_nanos")
LAST_DAY = "toDate('2149-06-06')"
LIVE = ("requests", "failed", "input_tokens", "output_tokens", "tasks")
# What is older than three hours at its arrival is not kept there.
LIVE_SECONDS = 9000


def differences(
    store: Store, expected: Expected, sources: Iterable[tuple[str, int]]
) -> Iterator[str]:
    """Yield a line for everything in the store's tables that is not as the recount says."""
    of = sorted(set(sources))
    for table, bucket, rows in (
        ("requests_1m", "minute", expected.requests_1m),
        ("requests_15m", "quarter", expected.requests_15m),
    ):
        yield from _table(store, table, bucket, REQUEST_KEY, REQUEST_MEASURES, rows)
    for table, bucket, rows in (
        ("tasks_1m", "minute", expected.tasks_1m),
        ("tasks_15m", "quarter", expected.tasks_15m),
    ):
        yield from _table(store, table, bucket, TASK_KEY, TASK_MEASURES, rows)
    for table, bucket, rows in (
        ("events_1m", "minute", expected.events_1m),
        ("events_15m", "quarter", expected.events_15m),
    ):
        yield from _table(store, table, bucket, EVENT_KEY, EVENT_MEASURES, rows)
    yield from _users(store, expected)
    yield from _compare("product_events", dict(expected.product_events), _product_events(store))
    yield from _compare("entities", dict(expected.entities), _entities(store))
    since = max((key[0] for key in expected.outcomes), default=0) - LIVE_SECONDS
    yield from _compare("partitions_1m: live", _live_due(expected, since), _live(store, since))
    yield from _compare("partitions_1m", dict(expected.outcomes), _outcomes(store, of))
    yield from _compare("chunks", _ledger(expected), _chunk_totals(store, of))


def _table(
    store: Store,
    table: str,
    bucket: str,
    key: Sequence[str],
    measures: Sequence[str],
    wanted: Mapping[Key, Row],
) -> Iterator[str]:
    names = (bucket, *key)
    keys = ", ".join((f"toUnixTimestamp({bucket})", *key))
    sums = ", ".join(_SUMS.get(name, f"sum({name})") for name in measures)
    minutes = "toUnixTimestamp(min(first_minute)), toUnixTimestamp(max(last_minute))"
    extra = f", {minutes}" if bucket == "quarter" else ""
    found = {
        tuple(row[: len(names)]): tuple(int(value) for value in row[len(names) :])
        for row in store.query(f"SELECT {keys}, {sums}{extra} FROM {table} GROUP BY {keys}")
    }
    due = {
        at: tuple(row.sums[name] for name in measures)
        + ((row.first_minute, row.last_minute) if extra else ())
        for at, row in wanted.items()
    }
    yield from _compare(table, due, found)


def _users(store: Store, expected: Expected) -> Iterator[str]:
    """Days and months of users: of settled ones all there is, of later ones what came late."""
    [(settled, by_workers)] = store.query(
        f"SELECT if(count() = 0, {LAST_DAY}, max(day)), max(day) FROM users_settlements"
    )
    for table, at, begins, is_late in (
        ("users_1d", "day", "toDate(quarter, 'UTC')", "late > 0"),
        ("users_1mo", "month", "toStartOfMonth(quarter)", "late = 2"),
    ):
        until = settled if at == "day" else settled.replace(day=1)
        due: dict[Key, Counter[str]] = {}
        for (quarter, *key), row in expected.requests_15m.items():
            day = datetime.fromtimestamp(quarter, UTC).date()
            day = day if at == "day" else day.replace(day=1)
            if day < until:
                named = dict(zip(REQUEST_KEY, key, strict=True))
                users = (day, *(named[name] for name in USER_KEY))
                due.setdefault(users, Counter()).update(
                    {name: row.sums[name] for name in USER_MEASURES}
                )
        yield from _compare(
            f"{table}, settled",
            {key: tuple(sums[name] for name in USER_MEASURES) for key, sums in due.items()},
            _user_rows(store, table, at, f"{at} < '{until}'"),
        )
        late = _user_rows(store, "requests_15m", begins, f"{begins} >= '{until}' AND {is_late}")
        found = _user_rows(store, table, at, f"{at} >= '{until}' AND {is_late}")
        yield from _compare(f"{table}, late", late, found)
    yield from _latencies(store, by_workers.replace(day=1))


def _latencies(store: Store, until: date) -> Iterator[str]:
    """Months of how long requests took: what the quarter hours have that did not come late."""
    months = f"month < '{until}' GROUP BY ALL"
    timed = views.written_out(
        "SELECT tenant, toStartOfMonth(quarter) AS month, "
        "toUInt16(_latency_kind() * 1024 + _bucket_of(entry)) AS place, sum(_requests_of(entry)) "
        f"FROM requests_15m ARRAY JOIN latency AS entry WHERE late < 2 AND {months}"
    )
    made = f"SELECT tenant, month, place, sum(requests) FROM latency_1mo WHERE {months}"
    due, found = (
        {tuple(row[:3]): (int(row[3]),) for row in store.query(query)} for query in (timed, made)
    )
    yield from _compare("latency_1mo", due, found)


def _user_rows(store: Store, table: str, at: str, where: str) -> dict[Key, tuple[int, ...]]:
    keys = ", ".join((f"{at} AS begins", *USER_KEY))
    sums = ", ".join(_SUMS.get(name, f"sum({name})") for name in USER_MEASURES)
    rows = store.query(f"SELECT {keys}, {sums} FROM {table} WHERE {where} GROUP BY ALL")
    width = 1 + len(USER_KEY)
    return {tuple(row[:width]): tuple(int(value) for value in row[width:]) for row in rows}


def _product_events(store: Store) -> Counter[Key]:
    columns = ", ".join(EVENT_KEY)
    rows = store.query(
        f"SELECT toUnixTimestamp64Milli(time), {columns}, properties FROM product_events"
    )
    return Counter((*row[:-1], tuple(sorted(row[-1].items()))) for row in rows)


def _entities(store: Store) -> Counter[Key]:
    columns = ", ".join(ENTITY_COLUMNS)
    rows = store.query(
        "SELECT toUnixTimestamp64Milli(time), toUnixTimestamp64Milli(arrival), partition, offset, "
        f"element, tenant, {columns} FROM entities"
    )
    return Counter(rows)


def _live_due(expected: Expected, since: int) -> dict[Key, tuple[int, ...]]:
    """Sum the minute rows by minute and tenant, as the live windows are restored from them."""
    sums: dict[Key, Counter[str]] = {}
    for rows, names in (
        (expected.requests_1m, ("requests", "failed", "input_tokens", "output_tokens")),
        (expected.tasks_1m, ("tasks",)),
    ):
        for (minute, tenant, *_), row in rows.items():
            if minute >= since:
                sums.setdefault((minute, tenant), Counter()).update(
                    {name: row.sums[name] for name in names}
                )
    return {key: tuple(row[name] for name in LIVE) for key, row in sums.items() if row["requests"]}


def _live(store: Store, since: int) -> dict[Key, tuple[int, ...]]:
    sums = ", ".join(f"sum({name})" for name in LIVE)
    rows = store.query(
        f"SELECT toUnixTimestamp(minute), tenant, {sums} FROM partitions_1m "
        "WHERE minute >= toDateTime({since:Int64}, 'UTC') GROUP BY minute, tenant "
        "HAVING sum(requests) > 0",
        {"since": since},
    )
    return {tuple(row[:2]): tuple(int(value) for value in row[2:]) for row in rows}


def _outcomes(store: Store, sources: Sequence[tuple[str, int]]) -> dict[Key, int]:
    rows = store.query(
        "SELECT toUnixTimestamp(minute), topic, partition, tenant, type, outcome, reason, "
        "sum(events) FROM partitions_1m WHERE topic IN {topics:Array(String)} AND events > 0 "
        "GROUP BY minute, topic, partition, tenant, type, outcome, reason",
        {"topics": sorted({topic for topic, _ in sources})},
    )
    return {tuple(row[:-1]): int(row[-1]) for row in rows}


def _ledger(expected: Expected) -> dict[Key, tuple[int, ...]]:
    return {
        source: tuple(totals[name] for name in ("received", *OUTCOMES))
        for source, totals in expected.ledger.items()
        if sum(totals.values())
    }


def _chunk_totals(store: Store, sources: Sequence[tuple[str, int]]) -> dict[Key, tuple[int, ...]]:
    rows = store.query(
        "SELECT topic, partition, sum(received), sum(counted), sum(duplicate), sum(rejected), "
        "sum(skipped) FROM chunks FINAL WHERE topic IN {topics:Array(String)} "
        "GROUP BY topic, partition HAVING sum(received + skipped) > 0",
        {"topics": sorted({topic for topic, _ in sources})},
    )
    return {tuple(row[:2]): tuple(int(value) for value in row[2:]) for row in rows}


def _compare(name: str, due: Mapping[Key, Any], found: Mapping[Key, Any]) -> Iterator[str]:
    """Yield what differs: the totals first, then the first few keys."""
    wrong = [key for key in {**due, **found} if due.get(key) != found.get(key)]
    if not wrong:
        return
    yield (
        f"{name}: {len(wrong)} of {len({**due, **found})} keys differ "
        f"({len(due)} due, {len(found)} found); in all due {_total(due)}, found {_total(found)}"
    )
    for key in sorted(wrong, key=repr)[:_SHOWN]:
        yield f"  {key}: due {due.get(key)}, found {found.get(key)}"


def _total(rows: Mapping[Key, Any]) -> Any:
    values = list(rows.values())
    if not values or isinstance(values[0], int):
        return sum(values)
    return tuple(sum(column) for column in zip(*values, strict=True))


def spans(store: Store, topic: str, partition: int) -> dict[str, list[tuple[int, int, str]]]:
    """Return the ledger's (from, to, kind) of one source by incarnation, in order."""
    rows = store.query(
        "SELECT incarnation, from_offset, to_offset, toString(kind) FROM chunks FINAL "
        "WHERE topic = {topic:String} AND partition = {partition:UInt32} "
        "ORDER BY incarnation, from_offset",
        {"topic": topic, "partition": partition},
    )
    found: dict[str, list[tuple[int, int, str]]] = {}
    for incarnation, a, b, kind in rows:
        found.setdefault(incarnation, []).append((a, b, kind))
    return found


def coverage(store: Store, incarnations: Mapping[str, str]) -> dict[tuple[str, int], int]:
    """Return the ledger's end for each source of these topics (name to id); absent without one."""
    rows = store.query(
        "SELECT topic, partition, max(to_offset) FROM chunks "
        "WHERE (topic, incarnation) IN arrayZip({topics:Array(String)}, {ids:Array(String)}) "
        "GROUP BY topic, partition",
        {"topics": list(incarnations), "ids": list(incarnations.values())},
    )
    return {(topic, partition): to for topic, partition, to in rows}


def gaps(
    store: Store,
    log: Log,
    incarnations: Mapping[str, str],
    committed: Mapping[tuple[str, int], int | None],
    ends: Callable[[str, int], int],
) -> Iterator[str]:
    """Yield a line for each gap, overlap, and committed offset that is not the ledger's end.

    Every incarnation must be tiled from 0; the present one's end must cover the log, and lie no
    further than ``ends(topic, partition)``, the log's end asked last: the marker of a transaction
    may be written after the log was read.
    """
    for (topic, partition), part in sorted(log.items()):
        reached = {}
        for incarnation, rows in spans(store, topic, partition).items():
            at = 0
            for a, b, _ in rows:
                if a != at or b <= a:
                    yield f"{topic}[{partition}] ({incarnation}): [{a}, {b}) follows {at}"
                at = b
            reached[incarnation] = at
        end = reached.get(incarnations[topic], 0)
        offset = committed[topic, partition]
        if not part.records:
            continue
        last = part.last if end <= part.last else ends(topic, partition)
        if not (offset == end and part.due <= end <= last):
            yield (
                f"{topic}[{partition}]: the ledger ends at {end}, the committed offset is "
                f"{offset}, the last record is {part.due - 1}, the log ends at {last}"
            )


def dead_letters(kafka: KafkaBroker, topic: str) -> tuple[dict[str, Any], Counter[str]]:
    """Return the newest (reason, value) by key, and how many records there are of each key."""
    found: dict[str, Any] = {}
    copies: Counter[str] = Counter()
    for part in read_log(kafka, [topic]).values():
        for record in part.records:
            if record.key.endswith(":retried"):  # that it was sent again: no dead letter
                continue
            headers = {name: value.decode(errors="replace") for name, value in record.headers}
            found[record.key] = (headers, record.value)
            copies[record.key] += 1
    return found, copies


def dead_letter_differences(kafka: KafkaBroker, topic: str, expected: Expected) -> Iterator[str]:
    """Yield a line for each rejected event whose dead letter is missing or not as it should be."""
    found, _ = dead_letters(kafka, topic)
    for origin in sorted(set(found) ^ set(expected.dead_letters))[:_SHOWN]:
        yield f"dead letter {origin}: {'not due' if origin in found else 'missing'}"
    for origin, due in expected.dead_letters.items():
        headers, value = found.get(origin, ({}, None))
        if not headers:
            continue
        source = ":".join(headers[f"dl_{n}"] for n in ("topic", "partition", "offset"))
        if headers["dl_reason"] != due.reason or not origin.startswith(source):
            yield f"dead letter {origin}: due {due.reason}, found {headers}"
        if due.value is not None and value != due.value:
            yield f"dead letter {origin}: its value is not the original's"
