"""Minutes that become quarter hours in place (``TTL … GROUP BY``), beside tables as we have them.

``python -m tests.bench.quarters``: see ``docs/decisions/quarters-made-later.md``.
Linux only: it reads the store's CPU time from /proc.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from pipeline.clickhouse.client import Store
from tests.bench.insert_path import statements
from tests.bench.measure import cpu_seconds
from tests.support.harness.clickhouse_parts import new_database
from tests.support.harness.store import EmbeddedStore

EVENTS = 2_000_000
MINUTES = 180
USERS = 24_000
TENANTS = 200
SUMS = (
    "requests", "failed", "duration_us", "input_tokens", "output_tokens",
    "cache_read_input_tokens", "cache_creation_input_tokens", "reasoning_output_tokens", "cost",
)  # fmt: skip
KEYS = "team_id, agent_id, token_id, user_id, model, operation, currency"
BEGIN = "toDateTime('2026-05-01 00:00:00', 'UTC')"
LOOKS = 15

EVENT = f"""
SELECT
    concat('tenant-', toString(least(intDiv({TENANTS}, 1 + user % {TENANTS}), user % {TENANTS})))
        AS tenant,
    {BEGIN} + 60 * intDiv(number * {MINUTES}, {EVENTS}) AS minute,
    concat('team-', toString(user % 37)) AS team_id,
    concat('agent-', toString(user % 11)) AS agent_id,
    concat('tok-', toString(user % 5000)) AS token_id,
    concat('user-', toString(user)) AS user_id,
    concat('model-', toString(user % 4)) AS model,
    ['chat', 'text_completion', 'embeddings'][1 + user % 3] AS operation,
    'USD' AS currency,
    1 AS requests, user % 33 = 0 AS failed, 1000 + intHash32(number) % 4000000 AS duration_us,
    intHash32(number) % 8000 AS input_tokens, intHash32(number + 1) % 2000 AS output_tokens,
    toDecimal128(intHash32(number) % 1000000, 9) / 1000000 AS cost
FROM (SELECT number, intHash32(number * 7 + 1) % {USERS} AS user FROM numbers({EVENTS}))
"""

QUESTIONS = {
    "all tenants, by model": "SELECT model, sum(requests), sum(cost) FROM {} GROUP BY model",
    "all tenants, distinct users": "SELECT uniqExact(user_id) FROM {}",
    "one tenant, by token": (
        "SELECT token_id, sum(requests), sum(cost) FROM {} "
        "WHERE tenant = 'tenant-7' GROUP BY token_id"
    ),
}


class Lab:
    """A store, and what is asked of it."""

    def __init__(self, own: EmbeddedStore) -> None:
        self.pid = own.process.pid
        self.store: Store = new_database(own.port)

    def cpu(self, statement: str) -> float:
        """CPU µs per event of a statement."""
        before = cpu_seconds(self.pid)
        self.store.command(statement)
        return (cpu_seconds(self.pid) - before) / EVENTS * 1e6

    def size(self, table: str) -> str:
        """Rows per event, and bytes per event on the disk."""
        [(rows, size)] = self.store.query(
            "SELECT sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active "
            "AND database = currentDatabase() AND table = {table:String}",
            {"table": table},
        )
        return f"{rows / EVENTS:.2f} | {size / EVENTS:.1f}"

    def milliseconds(self, question: str) -> float:
        """Median of some answers."""
        taken = []
        for _ in range(LOOKS):
            began = time.perf_counter()
            self.store.query(question)
            taken.append(time.perf_counter() - began)
        return statistics.median(taken) * 1e3

    def total(self, table: str) -> tuple[object, ...]:
        """What must not change."""
        sums = ", ".join(f"sum({name})" for name in SUMS)
        return self.store.query(f"SELECT {sums} FROM {table}")[0]


def tables(lab: Lab) -> None:
    """Make the two tables that we have, and the one whose minutes become quarter hours."""
    for statement in statements(only="requests_(1m|15m)$"):
        lab.store.command(statement)
    minutes = next(
        s for s in statements(only="requests_1m$") if "TABLE IF NOT EXISTS requests_1m" in s
    )
    one = (
        minutes.replace("requests_1m", "one")
        .replace(
            "    minute DateTime('UTC'),",
            "    minute DateTime('UTC'),\n"
            "    quarter DateTime('UTC') DEFAULT toStartOfFifteenMinutes(minute),\n"
            "    first_minute SimpleAggregateFunction(min, DateTime('UTC')) DEFAULT minute,\n"
            "    last_minute SimpleAggregateFunction(max, DateTime('UTC')) DEFAULT minute,",
        )
        .replace(
            f"ORDER BY (tenant, minute, {KEYS})", f"ORDER BY (tenant, quarter, {KEYS}, minute)"
        )
    )
    lab.store.command(one)


def ageing() -> str:
    """The statement after which minutes of two days ago become quarter hours."""
    sums = ", ".join(f"{name} = sum({name})" for name in SUMS)
    return (
        f"ALTER TABLE one MODIFY TTL quarter + INTERVAL 2 DAY GROUP BY tenant, quarter, {KEYS} "
        f"SET {sums}, first_minute = min(first_minute), last_minute = max(last_minute) "
        "SETTINGS materialize_ttl_after_modify = 0"
    )


def main() -> None:
    """Print both tables."""
    with tempfile.TemporaryDirectory() as folder:
        own = EmbeddedStore(Path(folder))
        own.start()
        try:
            measure(Lab(own))
        finally:
            own.kill9()


def measure(lab: Lab) -> None:
    """Fill the tables, let minutes age, ask all of them."""
    tables(lab)
    lab.store.command(f"INSERT INTO requests_1m ({', '.join(columns())}) {EVENT}")
    quarters = ", ".join(c if c != "minute" else "quarter" for c in columns())
    at = EVENT.replace("AS minute,", "AS at, toStartOfFifteenMinutes(at) AS quarter,")
    names = quarters + ", first_minute, last_minute"
    lab.store.command(f"INSERT INTO requests_15m ({names}) SELECT {quarters}, at, at FROM ({at})")
    lab.store.command(f"INSERT INTO one ({', '.join(columns())}) {EVENT}")
    print(
        "| | rows per event | bytes per event | merge, CPU µs per event |\n"
        "| --- | --- | --- | --- |"
    )
    for table in ("requests_1m", "requests_15m"):
        merged = lab.cpu(f"OPTIMIZE TABLE {table} FINAL")
        print(f"| `{table}` | {lab.size(table)} | {merged:.2f} |", flush=True)
    merged, before = lab.cpu("OPTIMIZE TABLE one FINAL"), lab.total("one")
    print(f"| one table, while it has minutes | {lab.size('one')} | {merged:.2f} |", flush=True)
    asked = {
        what: [ask(lab, sql, "requests_15m"), ask(lab, sql, "one")]
        for what, sql in QUESTIONS.items()
    }
    lab.store.command(ageing())
    merged = lab.cpu("OPTIMIZE TABLE one FINAL")
    assert lab.total("one") == before == lab.total("requests_15m")
    print(f"| one table, aged | {lab.size('one')} | {merged:.2f} |\n", flush=True)
    late(lab)
    print("| ms | `requests_15m` | one table, minutes | aged |\n| --- | --- | --- | --- |")
    for what, sql in QUESTIONS.items():
        cells = [*asked[what], ask(lab, sql, "one")]
        print(f"| {what} | {' | '.join(f'{ms:.0f}' for ms in cells)} |", flush=True)


def ask(lab: Lab, question: str, table: str) -> float:
    """How long a question takes of a table, in ms."""
    return lab.milliseconds(question.format(table))


def late(lab: Lab) -> None:
    """A late chunk joins what has aged, and nothing is lost."""
    before = lab.total("one")
    lab.store.command(f"INSERT INTO one ({', '.join(columns())}) {EVENT} LIMIT 1000")
    lab.store.command("OPTIMIZE TABLE one FINAL")
    [requests, *_] = lab.total("one")
    assert requests == before[0] + 1000  # type: ignore[operator]


def columns() -> list[str]:
    """The columns of an event, in `EVENT`'s order."""
    return [
        "tenant", "minute", *KEYS.split(", "),
        *(n for n in SUMS if "cache" not in n and "reasoning" not in n),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
