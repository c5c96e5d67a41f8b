"""``usage status``: how far each partition is counted, who reads it, and how fresh the store is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.facts.readers import told
from pipeline.kafka import group as outside
from pipeline.kafka.group import Bounds, Group
from pipeline.operate.audit import ledger as books
from pipeline.operate.audit.ledger import Log, key_is
from pipeline.process import terminal
from pipeline.protocol.chunks import Intent, Offset
from pipeline.protocol.settled import Settled, State

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from pipeline.clickhouse.client import Store
    from pipeline.settings import Settings

NUMBERS = ("counted to", "committed", "log end", "lag")
COLUMNS = ("partition", *NUMBERS, "open chunk", "newest chunk", "newest event", "worker")
WORKER_WIDTH = 12
"""Columns that are left at least for what a worker is called."""

NEWEST_CHUNKS = 100
"""Among so many of a log is its newest event, unless it fell silent."""


@dataclass(frozen=True, slots=True)
class Newest:
    """What the store has of one log; instants in epoch seconds, None where there is none."""

    end: int
    chunk_at: float | None
    """When it was counted; None where all that is looked at was lost."""
    event: float | None
    arrival: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """One partition of a counted topic: how far it is counted, and by whom."""

    log: Log
    bounds: Bounds
    counted_to: int
    committed: int | None
    open: tuple[int, int] | None
    worker: str
    newest: Newest | None

    @property
    def lag(self) -> int:
        """Records, and Kafka's own markers, that are not counted yet."""
        return max(0, self.bounds.last - max(self.counted_to, self.bounds.first))


@dataclass(frozen=True, slots=True)
class Status:
    """The group at one moment, in epoch seconds by the store's clock."""

    now: float
    name: str
    group: Group
    lines: tuple[Line, ...]
    reader: str
    """What a worker of this installation and these settings reads with."""
    users: State | None = None
    """How far users' days are settled; None where they are made at once, as on a cluster."""

    @property
    def held_back_by(self) -> list[str]:
        """The groups for which a day that is over is not settled."""
        if self.users is None or not self.users.behind:
            return []
        return [str(workers) for workers in self.users.holding()]

    @property
    def newest_event(self) -> float | None:
        """The newest event time of all counted events, in epoch seconds; None: there is none."""
        return max((n.event for n in self._newest if n.event is not None), default=None)

    @property
    def newest_arrival(self) -> float | None:
        """The newest arrival of all counted records, in epoch seconds; None: there is none."""
        return max((n.arrival for n in self._newest if n.arrival is not None), default=None)

    @property
    def _newest(self) -> list[Newest]:
        return [line.newest for line in self.lines if line.newest is not None]


def read(settings: Settings, store: Store) -> Status:
    """Read it. Raises StoreError, BrokerError, Halted."""
    incarnations = outside.incarnations(settings)
    group = outside.group(settings)
    intents = books.intents(store)
    bounds = outside.bounds(settings, sorted(incarnations))
    committed = outside.committed(settings, bounds)
    logs = [Log(*source, incarnations[source.topic]) for source in bounds]
    workers = {
        source: f"{member.host} {member.id}"
        for member in group.members
        for source in member.sources
    }
    lines = tuple(
        _line(
            log,
            bounds[log.source],
            committed.get(log.source),
            intents.get(log),
            workers.get(log.source, ""),
            newest(store, log),
        )
        for log in logs
    )
    users = None if store.is_clustered else Settled(store).read()
    users = users if users and users.has_begun else None
    # Last, or what came meanwhile would be of the future.
    [(now,)] = store.query("SELECT toUnixTimestamp64Milli(now64(3)) / 1000")
    return Status(now, settings.group, group, lines, told(settings.reader), users)


def newest(store: Store, log: Log) -> Newest | None:
    """Read the end of a log's ledger, backwards, whatever its size."""
    rows = store.query(
        "SELECT argMax(to_offset, from_offset), "  # noqa: S608 - quoted
        "toUnixTimestamp64Milli(maxIf(recorded_at, kind != 'lost')) / 1000, "
        "toUnixTimestamp64Milli(max(last_event_time)) / 1000, "
        "toUnixTimestamp64Milli(max(last_arrival)) / 1000, count() "
        "FROM (SELECT from_offset, to_offset, kind, recorded_at, last_event_time, last_arrival "
        f"FROM chunks WHERE {key_is(log)} "
        "ORDER BY topic DESC, partition DESC, incarnation DESC, from_offset DESC "
        f"LIMIT {NEWEST_CHUNKS})",
        consistent=True,
    )
    [(end, at, event, arrival, count)] = rows
    return Newest(end, at or None, event or None, arrival or None) if count else None


def _line(
    log: Log,
    bounds: Bounds,
    committed: Offset | None,
    intent: Intent | None,
    worker: str,
    seen: Newest | None,
) -> Line:
    end = seen.end if seen is not None else bounds.first
    is_open = intent is not None and intent.a >= end
    return Line(
        log=log,
        bounds=bounds,
        counted_to=end,
        committed=committed.offset if committed else None,
        open=(intent.a, intent.b) if intent is not None and is_open else None,
        worker=worker,
        newest=seen,
    )


def as_json(status: Status) -> dict[str, Any]:
    """The status for programs: instants as ISO 8601, ages in seconds."""
    return {
        "group": status.name,
        "state": status.group.state,
        "reader": status.reader,
        "lag_records": sum(line.lag for line in status.lines),
        "open_intents": sum(line.open is not None for line in status.lines),
        "newest_event": _iso(status.newest_event),
        "newest_event_age_seconds": _age(status, status.newest_event),
        "newest_arrival": _iso(status.newest_arrival),
        "newest_arrival_age_seconds": _age(status, status.newest_arrival),
        "users_settled_before": status.users and status.users.settled.isoformat(),
        "users_held_back_by": status.held_back_by,
        "workers": [
            {
                "id": member.id,
                "host": member.host,
                "reader": member.reader or None,
                "partitions": [str(source) for source in sorted(member.sources)],
            }
            for member in status.group.members
        ],
        "partitions": [_line_json(line) for line in status.lines],
    }


def _line_json(line: Line) -> Mapping[str, Any]:
    seen = line.newest
    return {
        "topic": line.log.topic,
        "partition": line.log.partition,
        "incarnation": line.log.incarnation,
        "log_first": line.bounds.first,
        "log_end": line.bounds.last,
        "counted_to": line.counted_to,
        "committed": line.committed,
        "lag_records": line.lag,
        "open_intent": list(line.open) if line.open else None,
        "worker": line.worker or None,
        "newest_chunk": _iso(seen.chunk_at if seen else None),
        "newest_event": _iso(seen.event if seen else None),
        "newest_arrival": _iso(seen.arrival if seen else None),
    }


def show(status: Status, to: Console) -> None:
    """Print it: a line for each partition, or two where the screen is too narrow for that."""
    lag = sum(line.lag for line in status.lines)
    told = f"{_workers(status.group)}, " * status.group.is_told
    to.print(terminal.line(f"group {status.name}: {status.group.state}, {told}lag {lag:,} records"))
    event, arrival = _ago(status, status.newest_event), _ago(status, status.newest_arrival)
    to.print(terminal.line(f"newest event {event}, newest arrival {arrival}"))
    if status.users is not None:
        held = f", held back by {', '.join(status.held_back_by)}" * bool(status.held_back_by)
        to.print(terminal.line(f"users' days settled before {status.users.settled}{held}"))
    if not any(member.reader for member in status.group.members):
        to.print(terminal.line(f"workers like this one: {status.reader}"))
    to.print()
    if terminal.breaks_lines(_table(status, COLUMNS[:-1]), to, room=WORKER_WIDTH):
        _show_narrow(status, to)
    else:
        to.print(_table(status, COLUMNS))


def _workers(group: Group) -> str:
    """How many there are, and with which reader: ``3 workers (2 compiled, 1 python)``."""
    count = len(group.members)
    readers = Counter(member.reader for member in group.members if member.reader)
    said = ", ".join(f"{number} {reader}" for reader, number in sorted(readers.items()))
    return f"{count} worker{'s' * (count != 1)}" + f" ({said})" * bool(said)


def _table(status: Status, columns: Sequence[str]) -> terminal.Cells:
    table = terminal.Cells()
    for name in columns:
        # What a worker is called is cut; nothing else is.
        justify: Any = "right" if name in NUMBERS else "left"
        table.add_column(name, justify=justify, no_wrap=name != COLUMNS[-1])
    for line in status.lines:
        *cells, worker = _cells(status, line)
        shown: list[RenderableType] = [*cells, terminal.line(worker, is_cut=True)]
        table.add_row(*shown[: len(columns)])
    return table


def _show_narrow(status: Status, to: Console) -> None:
    """A partition's name, and below it what a line of the table has, wrapped where it must be."""
    for line in status.lines:
        name, *cells = _cells(status, line)
        said = [f"{what} {cell}" for what, cell in zip(COLUMNS[1:], cells, strict=True) if cell]
        to.print(terminal.line(name, style="bold"))
        to.print(terminal.indented(terminal.line(", ".join(said))))


def _cells(status: Status, line: Line) -> list[str]:
    seen = line.newest
    return [
        str(line.log),
        f"{line.counted_to:,}",
        "-" if line.committed is None else f"{line.committed:,}",
        f"{line.bounds.last:,}",
        f"{line.lag:,}",
        f"[{line.open[0]}, {line.open[1]})" if line.open else "",
        _ago(status, seen.chunk_at if seen else None),
        _ago(status, seen.event if seen else None),
        line.worker or ("nobody" if status.group.is_told else "?"),
    ]


def _ago(status: Status, instant: float | None) -> str:
    if instant is None:
        return "-"
    seconds = status.now - instant
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.1f} s ago"


def _age(status: Status, instant: float | None) -> float | None:
    return None if instant is None else round(status.now - instant, 3)


def _iso(instant: float | None) -> str | None:
    if instant is None:
        return None
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds")
