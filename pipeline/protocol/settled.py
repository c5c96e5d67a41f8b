"""Users' days and months, made once they are over: the store's side. Blocking: run in threads.

Inserts leave out of ``users_1d`` and ``users_1mo`` what is not late (``requests_in.late_before``).
When a day is over for all groups of workers, what is missing of it is summed up from the quarter
hours, a block for each million of keys, each under a token, and the day is *settled*: views read it
from ``users_1d``. With a month's last day, how long its requests took is added up too, in
``latency_1mo``. Any worker may do so at any time, several at once; killed anywhere, the next one
goes on from there. Why that is exact, and when a group says that a day is over:
``docs/decisions/users-days.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from pipeline.clickhouse.client import insert_settings
from pipeline.clickhouse.schema import retention, users_days, views
from pipeline.clickhouse.schema.users_days import SETTLED
from pipeline.errors import StoreRefused
from pipeline.protocol.hooks import Hook, no_hook

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

DAY = timedelta(days=1)
NIGHT = timedelta(minutes=30)
"""So long a day is over, by the store's clock, before it is settled."""
PATIENCE = timedelta(days=31)
"""So long a day is over before no group is waited for: a month is made of its days while these, and
a day of its quarter hours, are kept (`retention.LEAST_KEPT_DAYS`)."""
STATEMENT_SECONDS = 300
"""A statement that settles has ended by then."""
STATEMENT_BYTES = 4 << 30
"""What it may have in memory; as it sums up, it goes on in files from half of that on."""
BLOCK_KEYS = 1_000_000
"""A day or month of more keys is several blocks, each of a part of the keys."""
MOST_BLOCKS = 256
LOOKS = 3
"""So often a day is found unsettled behind its own insert before that is an error."""
AGAIN = PATIENCE + 4 * DAY
"""So far back it is looked for what came behind a day's end."""


class Workers(NamedTuple):
    """The workers that count into the store together: one group of one Kafka, one log."""

    group: str
    """Kafka's consumer group."""
    topic: str
    """Their topic of requests, its full name."""
    kafka: str
    """The id of Kafka's cluster."""

    def __str__(self) -> str:
        return f"{self.group} ({self.topic} of Kafka {self.kafka})"


_GROUPS = (
    "SELECT group, topic, kafka, max(day) AS day FROM users_groups GROUP BY group, topic, kafka"
)
_NAMED = "({group:String}, {topic:String}, {kafka:String})"
_IS_ENTERED = f"{_NAMED} IN (SELECT group, topic, kafka FROM users_groups)"  # noqa: S608

_LATE = f"""
SELECT at FROM
(
    SELECT toDate(quarter, 'UTC') AS at, toInt64(requests) AS n FROM requests_15m
    WHERE late = 0 AND quarter >= toDateTime({{since:Date}}, 'UTC')
        AND quarter < toDateTime({SETTLED}, 'UTC')
    UNION ALL
    SELECT day AS at, -toInt64(requests) AS n FROM users_1d
    WHERE late = 0 AND day >= {{since:Date}} AND day < {SETTLED}
)
GROUP BY at HAVING sum(n) > 0 ORDER BY at
"""  # noqa: S608 - constants only
_LATE_MONTHS = f"""
SELECT at FROM
(
    SELECT toStartOfMonth(day) AS at, toInt64(requests) AS n FROM users_1d
    WHERE late < 2 AND day >= toStartOfMonth({{since:Date}}) AND day < toStartOfMonth({SETTLED})
    UNION ALL
    SELECT month AS at, -toInt64(requests) AS n FROM users_1mo
    WHERE late < 2 AND month >= toStartOfMonth({{since:Date}})
        AND month < toStartOfMonth({SETTLED})
)
GROUP BY at HAVING sum(n) > 0 ORDER BY at
"""  # noqa: S608 - constants only
"""Not only those of days that lack something: a block may be late for its day, and not for its
month, and whoever adds a day may be killed before its month."""
_LATE_LATENCIES = f"""
SELECT at FROM
(
    SELECT toStartOfMonth(quarter) AS at, toInt64(_timed(latency)) AS n FROM requests_15m
    WHERE late < 2 AND quarter >= toDateTime(toStartOfMonth({{since:Date}}), 'UTC')
        AND quarter < toDateTime(toStartOfMonth({SETTLED}), 'UTC')
    UNION ALL
    SELECT month AS at, -toInt64(requests) AS n FROM latency_1mo
    WHERE month >= toStartOfMonth({{since:Date}}) AND month < toStartOfMonth({SETTLED})
)
GROUP BY at HAVING sum(n) > 0 ORDER BY at
"""  # noqa: S608 - constants only
_KEPT = (
    "SELECT engine_full FROM system.tables "
    "WHERE database = currentDatabase() AND name = 'requests_15m'"
)
_BOUNDS = {
    "max_execution_time": STATEMENT_SECONDS,
    "lock_acquire_timeout": STATEMENT_SECONDS,
    "max_memory_usage": STATEMENT_BYTES,
    "max_bytes_before_external_group_by": STATEMENT_BYTES // 2,
}
_OF_A_SELECT = {"deduplicate_insert_select": "enable_even_for_bad_queries"}
"""The oldest servers that are taken do not heed a token otherwise."""
_NOT_BEGUN = date(1970, 1, 1)
_HAS_BEGUN = f"{SETTLED} > toDate('{_NOT_BEGUN}')"
_KEY = "tenant, user_id, team_id, agent_id, token_id, currency"
_SUMS = ("requests", "input_tokens", "output_tokens")
_LATENCY_KEY, _TENANT = "tenant, place", "tenant"
_written_out = cache(views.written_out)


class State(NamedTuple):
    """What the store says of users' days."""

    settled: date
    """All days before it are settled, and all months before its month; 1970: not begun."""
    groups: Mapping[Workers, date]
    """The groups of workers that count into the store: each will insert nothing any more that is
    not late and of a day before its own."""
    now: datetime
    """The store's clock."""
    keeps_long_enough: bool = True
    """Whether quarter hours are kept for as long as a day, and its month, may take to be made."""

    @property
    def has_begun(self) -> bool:
        """Whether days may be left for later in this store; before that, all goes in at once."""
        return self.settled > _NOT_BEGUN

    @property
    def night(self) -> date:
        """The latest day that may begin a settled one's end: yesterday, for half an hour."""
        return (self.now - NIGHT).date()

    @property
    def behind(self) -> int:
        """How many days are over, and not settled."""
        return max(0, (self.night - self.settled).days) if self.has_begun else 0

    def least(self) -> date:
        """The day before which a registered group must call all late: at least what is settled.

        Whoever settles a day without having seen the group is not beyond the others' days, or, if
        there were none, not beyond the day before this one.
        """
        return max([self.settled, self.now.date(), *self.groups.values()])

    def due(self) -> date | None:
        """The day that may be settled next; None while none may."""
        over = self.settled + DAY
        begins = datetime(over.year, over.month, over.day, tzinfo=UTC)
        if not self.has_begun or self.now < begins + NIGHT:
            return None
        is_beyond = self.now >= begins + PATIENCE or over <= min([over, *self.groups.values()])
        return self.settled if is_beyond else None

    def holding(self) -> list[Workers]:
        """The groups that keep the next day from being settled."""
        return sorted(name for name, day in self.groups.items() if day <= self.settled)


class Settled:
    """Reads and writes how far users' days are settled in one store, which is none of a cluster."""

    def __init__(self, store: Store, hook: Hook = no_hook) -> None:
        self._store = store
        self._hook = hook
        self._looks = 0

    def read(self) -> State:
        """Read it. Raises StoreError."""
        # In this order, for `least`: groups that are beyond a day that is settled show it.
        [(settled, now)] = self._store.query(f"SELECT {SETTLED}, now('UTC')", consistent=True)
        rows = self._store.query(_GROUPS, consistent=True)
        groups = {Workers(*named): day for *named, day in rows}
        engines = self._store.query(_KEPT)
        kept = retention.current(engines[0][0]) if engines else None
        return State(settled, groups, now, kept is None or kept[1] >= retention.LEAST_KEPT_DAYS)

    def register(self, workers: Workers) -> None:
        """Let whoever settles wait for a group from now on."""
        self._insert(
            "INSERT INTO users_groups (group, topic, kafka, day) "
            f"SELECT {{group:String}}, {{topic:String}}, {{kafka:String}}, {SETTLED} "
            f"WHERE NOT {_IS_ENTERED} AND {_HAS_BEGUN}",
            workers._asdict(),
        )

    def over(self, workers: Workers, day: date) -> None:
        """Write down that a registered group inserts nothing any more that is before a day."""
        self._insert(
            "INSERT INTO users_groups (group, topic, kafka, day) "
            f"SELECT {{group:String}}, {{topic:String}}, {{kafka:String}}, {{day:Date}} "
            f"WHERE {_IS_ENTERED}",
            {**workers._asdict(), "day": day},
        )

    def settle_next(self) -> date | None:
        """Settle the next day if it is due, and its month if that is over; returns the day.

        Raises:
            StoreRefused: the rows of a token that was used are not there, again and again.
            StoreError: the store's own reasons.
        """
        users_days.publish(self._store)
        day = self.read().due()
        if day is None:
            return None
        self._settle(day)
        after = self.read()
        if after.settled > day:
            self._looks = 0
            self._step("views", lambda: users_days.publish(self._store))
            self.settle_again(day - AGAIN)
            return day
        self._looks += after.due() == day
        if self._looks >= LOOKS:
            raise StoreRefused(
                f"users' days of {day} are not what was sent to ClickHouse at {self._store.where}, "
                "perhaps since it was killed as it wrote them: see the runbook (A day of users is "
                "not settled); views read quarter hours until then"
            )
        return None

    def settle_again(self, since: date) -> list[date]:
        """Add what came to settled days behind their end, from a day on; returns those days.

        And to the months that were over by then.

        Nothing should. But an operator may have taken the row of a group that has a chunk open, or
        it was waited for long enough; and a range that was given up as lost may come after all.
        Raises StoreError.
        """
        days = self._late(_LATE, since)
        for day in days:
            self._add(self._day(day), f"{SETTLED} > toDate('{day}')")
        for month in self._late(_LATE_MONTHS, since):
            self._add(self._month(month), _is_settled(month))
        for month in self._late(_written_out(_LATE_LATENCIES), since):
            self._add(self._latencies(month), _is_settled(month))
        return days

    def _late(self, query: str, since: date) -> list[date]:
        return [at for (at,) in self._store.query(query, {"since": since}, consistent=True)]

    def _settle(self, day: date) -> None:
        missing = self._day(day)
        self._step("day", lambda: self._add(missing, is_due(day)))
        if (day + DAY).day == 1:
            month = self._month(day)  # its keys are counted behind the day's rows
            self._step("month", lambda: self._add(month, is_due(day)))
            latencies = self._latencies(day)
            self._step("latencies", lambda: self._add(latencies, is_due(day)))
            missing = [*missing, *month, *latencies]
        self._step("settled", lambda: self._publish(day, missing))

    def _publish(self, day: date, missing: Sequence[Missing]) -> None:
        """Publish the next day, if nothing is wrong of any block.

        A statement for each block: all in one are longer than ClickHouse takes. What is due is
        final, so that a block that was right stays so until the last statement, which asks again
        whether the day is due.
        """
        if all(self._is_right(one) for one in missing):
            published = f"INSERT INTO users_settlements (day) SELECT toDate('{day + DAY}')"
            self._insert(f"{published} WHERE {is_due(day)}", {})

    def _is_right(self, one: Missing) -> bool:
        [(wrong,)] = self._store.query(
            f"SELECT count() FROM ({one.wrong})",  # noqa: S608 - our own names
            consistent=True,
            settings=_BOUNDS,
        )
        return bool(wrong == 0)

    def _day(self, day: date) -> list[Missing]:
        return [day_of(day, block) for block in self._blocks(_quarters_of(day))]

    def _month(self, day: date) -> list[Missing]:
        return [month_of(day, block) for block in self._blocks(_days_of(day))]

    def _latencies(self, day: date) -> list[Missing]:
        blocks = self._blocks(_timed_of(day), _LATENCY_KEY, _TENANT)
        return [latencies_of(day, block) for block in blocks]

    def _blocks(self, source: str, key: str = _KEY, by: str = _KEY) -> list[Block]:
        """Say which blocks rows are summed up in: the same for whoever asks, for they are final.

        As many as there are keys, each of a part of what they are told apart ``by``.
        """
        [(keys,)] = self._store.query(
            f"SELECT uniqHLL12({key}) FROM {source}",  # noqa: S608 - our own names
            consistent=True,
            settings=_BOUNDS,
        )
        number = 1
        while number < MOST_BLOCKS and keys > number * BLOCK_KEYS:
            number *= 2
        return [Block(n, number, by) for n in range(number)]

    def _add(self, blocks: Sequence[Missing], condition: str) -> None:
        for missing in blocks:
            [(there,)] = self._store.query(missing.there, consistent=True)
            token = insert_settings(f"{missing.token}:{there}")
            self._store.command(
                f"{missing.insert} WHERE {condition}", settings=token | _OF_A_SELECT | _BOUNDS
            )

    def _insert(self, statement: str, parameters: Mapping[str, object]) -> None:
        self._store.command(statement, parameters, settings=insert_settings(None) | _BOUNDS)

    def _step(self, step: str, act: Callable[[], None]) -> None:
        self._hook("before", f"settle:{step}")
        act()
        self._hook("after", f"settle:{step}")


class Block(NamedTuple):
    """One part of the keys of a day or a month, of so many."""

    number: int = 0
    of: int = 1
    key: str = _KEY

    @property
    def name(self) -> str:
        """What a token says of it: of the only one nothing."""
        return f":{self.number}/{self.of}" if self.of > 1 else ""

    @property
    def condition(self) -> str:
        """Which rows are of it."""
        return f" AND cityHash64({self.key}) % {self.of} = {self.number}" if self.of > 1 else ""


ALL = Block()


class Missing(NamedTuple):
    """What a day or month of users lacks, of some of its keys."""

    token: str
    """Of its insert, but for what was there before."""
    there: str
    """The query for how much there is of it."""
    lacking: str
    """The query for what is missing."""
    wrong: str
    """The query for what keeps it from being settled: that, or what is there more often."""
    insert: str
    """The statement that inserts it, but for its condition."""


def is_due(day: date) -> str:
    """The condition that a day may be settled, as it is when a statement runs."""
    over = day + DAY
    now, begins = "now('UTC')", f"toDateTime('{over} 00:00:00', 'UTC')"
    return (
        f"{SETTLED} = toDate('{day}') "  # noqa: S608 - a date
        f"AND {now} >= {begins} + {NIGHT.seconds} AND "
        f"({now} >= {begins} + toIntervalDay({PATIENCE.days}) OR "
        f"(SELECT count() = 0 OR min(day) >= toDate('{over}') FROM ({_GROUPS})))"
    )


def day_of(day: date, block: Block = ALL) -> Missing:
    """What `users_1d` lacks of the rows of a day that were not late."""
    return _missing("users_1d", "day", day, _quarters_of(day), "late = 0", block)


def month_of(day: date, block: Block = ALL) -> Missing:
    """What `users_1mo` lacks of the days of a day's month, but for late rows that it has."""
    month = day.replace(day=1)
    found = _missing("users_1mo", "month", month, _days_of(day), "late < 2", block)
    return found._replace(wrong=found.lacking)  # of what is there more often, days may have expired


def latencies_of(day: date, block: Block = ALL) -> Missing:
    """What `latency_1mo` lacks of a day's month, but for late rows, which views read themselves."""
    month = day.replace(day=1)
    have = f"latency_1mo WHERE month = toDate('{month}'){block.condition}"
    rows = (
        f"SELECT tenant, toDate('{month}') AS month, place, toUInt64(sum(n)) AS n_ FROM ("  # noqa: S608
        f"SELECT tenant, place, toInt64(requests) AS n FROM {_timed_of(day, block)} "
        f"UNION ALL SELECT tenant, place, -toInt64(requests) AS n FROM {have}"
        f") GROUP BY {_LATENCY_KEY} HAVING sum(n) > 0"
    )
    return Missing(
        token=f"latency_1mo:{month}{block.name}",
        there=f"SELECT sum(requests) FROM {have}",  # noqa: S608
        lacking=rows,
        wrong=rows,
        insert=f"INSERT INTO latency_1mo (tenant, month, place, requests) SELECT * FROM ({rows})",  # noqa: S608
    )


def _is_settled(month: date) -> str:
    """The condition that a month is settled, as it is when a statement runs."""
    return f"{SETTLED} >= toDate('{_end(month)}')"


def _end(day: date) -> date:
    return (day.replace(day=28) + 4 * DAY).replace(day=1)


def _quarters_of(day: date) -> str:
    since, until = (f"toDateTime('{at} 00:00:00', 'UTC')" for at in (day, day + DAY))
    return f"requests_15m WHERE late = 0 AND quarter >= {since} AND quarter < {until}"


def _days_of(day: date) -> str:
    month, until = day.replace(day=1), _end(day)
    return f"users_1d WHERE late < 2 AND day >= toDate('{month}') AND day < toDate('{until}')"


def _timed_of(day: date, block: Block = ALL) -> str:
    """The elements of a month's latencies, each with its place (``_latency`` of the views)."""
    since, until = (f"toDateTime('{at} 00:00:00', 'UTC')" for at in (day.replace(day=1), _end(day)))
    return _written_out(
        "(SELECT tenant, toUInt16(_latency_kind() * 1024 + _bucket_of(entry)) AS place, "  # noqa: S608
        "_requests_of(entry) AS requests FROM requests_15m ARRAY JOIN latency AS entry "
        f"WHERE late < 2 AND quarter >= {since} AND quarter < {until}"
        f"{block.condition})"
    )


def _missing(table: str, at: str, when: date, source: str, there: str, block: Block) -> Missing:
    """The sums of a source less those that are there.

    In whole numbers that wrap as the columns do. What is there and not in the source at all has
    expired in that.
    """
    have = f"{table} WHERE {there} AND {at} = toDate('{when}'){block.condition}"
    signed = [
        f"SELECT {_KEY}, first_minute, last_minute, "  # noqa: S608
        + ", ".join(f"{sign}toInt64({name}) AS {name}" for name in _SUMS)
        + f", {sign}cost AS cost FROM {rows}"
        for sign, rows in (("", f"{source}{block.condition}"), ("-", have))
    ]
    sums = ", ".join(f"toUInt64(sum({name})) AS {name}_" for name in _SUMS)
    rows = (
        f"SELECT {_KEY}, toDate('{when}') AS {at}, 0 AS late, min(first_minute) AS first_, "  # noqa: S608
        f"max(last_minute) AS last_, {sums}, sum(cost) AS cost_ "
        f"FROM ({' UNION ALL '.join(signed)}) GROUP BY {_KEY} HAVING "
    )
    lacking, twice = "sum(requests) > 0", "(sum(requests) < 0 AND max(requests) > 0)"
    return Missing(
        token=f"{table}:{when}{block.name}",
        there=f"SELECT sum(requests) FROM {have}",  # noqa: S608
        lacking=f"{rows} {lacking}",
        wrong=f"{rows} {lacking} OR {twice}",
        insert=(
            f"INSERT INTO {table} ({_KEY}, {at}, late, first_minute, last_minute, "  # noqa: S608
            f"{', '.join(_SUMS)}, cost) SELECT * FROM ({rows} {lacking})"
        ),
    )
