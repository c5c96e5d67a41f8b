"""What the live view knows: the ledger in one query, and now and then what tenants used.

The ledger is read as it is, and what tenants used as minutes have it: what the views of any range
say of so few minutes, at an eighth of what it costs to ask them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

RATE_SECONDS = 120
SETTLE_MS = 3000
"""Events that arrived this long ago are counted, unless the worker is behind."""

LEDGER = """
SELECT
    sum(received), sum(counted), sum(duplicate), sum(rejected), sum(skipped), sum(lost), count(),
    max(last_ms),
    groupArrayIf(
        (first_ms, last_ms, received),
        recorded_at > now64(3) - {seconds:UInt32} AND received > 0
    )
FROM
(
    SELECT
        *,
        toUnixTimestamp64Milli(first_arrival) AS first_ms,
        toUnixTimestamp64Milli(last_arrival) AS last_ms
    FROM chunks
    LIMIT 1 BY topic, partition, incarnation, from_offset
)
"""

TENANT_MINUTES = 5
TENANT_ROWS = 50
TENANT_SECONDS = 10.0
TENANT_COST = 9
"""What tenants used is asked for so seldom, or after so many times what it took."""

TENANTS = """
WITH toDateTime({since:UInt32}, 'UTC') AS since, toDateTime({until:UInt32}, 'UTC') AS until
SELECT
    tenant, sum(requests) AS all_requests, sum(failed), sum(tokens), sum(tasks) AS all_tasks,
    groupArrayIf((currency, cost), currency != '' AND cost != 0)
FROM
(
    SELECT
        CAST(tenant, 'String') AS tenant, CAST(currency, 'String') AS currency,
        sum(requests) AS requests, sum(failed) AS failed,
        sum(input_tokens + output_tokens) AS tokens, 0 AS tasks, sum(cost) AS cost
    FROM requests_1m
    WHERE minute >= since AND minute < until
    GROUP BY tenant, currency
    UNION ALL
    SELECT CAST(tenant, 'String') AS tenant, '', 0, 0, 0, sum(tasks), 0
    FROM tasks_1m
    WHERE minute >= since AND minute < until
    GROUP BY tenant
)
GROUP BY tenant
HAVING all_requests + all_tasks > 0
ORDER BY all_requests + all_tasks DESC, tenant
LIMIT {rows:UInt32}
"""


class Queries(Protocol):
    """What is needed of `pipeline.clickhouse.client.Store`."""

    def query(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Rows of a SELECT."""


@dataclass(frozen=True, slots=True)
class LedgerSums:
    """The sums of the whole ledger, in events; times in ms since 1970, 0 where there is none."""

    received: int = 0
    counted: int = 0
    duplicate: int = 0
    rejected: int = 0
    skipped: int = 0
    lost: int = 0
    chunks: int = 0
    newest_arrival_ms: int = 0

    @property
    def difference(self) -> int:
        """Received, but neither counted nor a duplicate nor rejected: 0, or something is wrong."""
        return self.received - self.counted - self.duplicate - self.rejected


@dataclass(frozen=True, slots=True)
class TenantUse:
    """What a tenant used in the last minutes; cost by currency."""

    tenant: str
    requests: int = 0
    failed: int = 0
    tokens: int = 0
    tasks: int = 0
    cost: dict[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """The state of everything at `at_ms`; `rates` are events per second, the oldest first."""

    at_ms: int
    totals: LedgerSums = LedgerSums()
    rates: tuple[float, ...] = ()
    tenants: tuple[TenantUse, ...] = ()

    @property
    def behind_ms(self) -> int | None:
        """Age of the newest record that is in the store; None before the first."""
        newest = self.totals.newest_arrival_ms
        return max(0, self.at_ms - newest) if newest else None


class Readings:
    """Takes readings, with what tenants used if asked to. Not thread safe."""

    def __init__(
        self,
        store: Queries,
        clock: Callable[[], float] = time.monotonic,
        *,
        has_tenants: bool = True,
    ) -> None:
        self._store = store
        self._clock = clock
        self._has_tenants = has_tenants
        self._tenants: tuple[TenantUse, ...] = ()
        self._ask_tenants_again = 0.0

    def take(self) -> Reading:
        """Ask the store.

        Raises:
            StoreUnavailable, StoreRefused: as the store's client does.
        """
        tenants = self._tenants_use() if self._has_tenants else ()
        [(*sums, arrivals)] = self._store.query(LEDGER, {"seconds": RATE_SECONDS + 10})
        now_ms = time.time_ns() // 1_000_000
        return Reading(
            at_ms=now_ms,
            totals=LedgerSums(*map(int, sums)),
            rates=rates(arrivals, now_ms - SETTLE_MS, RATE_SECONDS),
            tenants=tenants,
        )

    def _tenants_use(self) -> tuple[TenantUse, ...]:
        began = self._clock()
        if began >= self._ask_tenants_again:
            self._tenants = tenants(self._store, datetime.now(UTC))
            took = self._clock() - began
            rest = max(TENANT_SECONDS, took * (1 + TENANT_COST))
            self._ask_tenants_again = began + rest if self._tenants else began
        return self._tenants


def rates(arrivals: Iterable[Sequence[Any]], until_ms: int, seconds: int) -> tuple[float, ...]:
    """Events per second in each of the `seconds` before `until_ms`, the oldest first.

    Args:
        arrivals: of each chunk its first and last arrival (ms) and how many events it received;
            they are taken to have arrived evenly in between.
        until_ms: end of the last second.
        seconds: how many.
    """
    begin_ms = until_ms - seconds * 1000
    found = [0.0] * seconds
    for first, last, received in arrivals:
        length = max(1, last + 1 - first)
        low, high = max(first, begin_ms), min(last + 1, until_ms)
        while low < high:
            place = (low - begin_ms) // 1000
            end = min(high, begin_ms + (place + 1) * 1000)
            found[place] += received * (end - low) / length
            low = end
    return tuple(found)


def tenants(store: Queries, now: datetime) -> tuple[TenantUse, ...]:
    """What tenants used in the last minutes, the one that runs included; the busiest first."""
    until = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    since = until - timedelta(minutes=TENANT_MINUTES)
    used = store.query(
        TENANTS,
        {
            "since": int(since.timestamp()),
            "until": int(until.timestamp()),
            "rows": TENANT_ROWS,
        },
    )
    return tuple(
        TenantUse(
            tenant, requests, failed, tokens, tasks, {name: Decimal(cost) for name, cost in costs}
        )
        for tenant, requests, failed, tokens, tasks, costs in used
    )
