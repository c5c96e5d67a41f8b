"""A simulated year straight into the rollups: what the views' benchmark reads.

Users belong to tenants by Zipf's law (exponent 1), each with a team, a token, two agents and two
models; on the days on which somebody is at work, five quarter hours in a row hold requests.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import users_days, views

TENANTS, USERS, ENTITIES = 2_000, 200_000, 1_000_000
QUARTERS_AT_WORK = 5
SLICE = 2_000_000
"""Rows of one insert."""
KEEP_DAYS = 35
"""Of minutes, as it comes."""

_AT_ONCE = (
    " SETTINGS max_insert_block_size = 10000000, min_insert_block_size_rows = 10000000, "
    "min_insert_block_size_bytes = 0, max_insert_threads = 1, insert_deduplicate = 0, "
    "deduplicate_insert = 'disable'"
)

# The user `u` of a row: everything else follows from the number and a hash.
_TENANT = f"toUInt32(floor(exp(cityHash64(u, 1) % 1000000 / 1000000 * log({TENANTS}))))"
_PERSON = f"""
    {_TENANT} AS t,
    concat('tenant-', leftPad(toString(t), 5, '0')) AS tenant,
    concat('user-', leftPad(toString(u), 6, '0')) AS user_id,
    concat('team-', toString(u % 7)) AS team_id,
    concat('token-', leftPad(toString(intDiv(u, 3)), 6, '0')) AS token_id"""

_QUARTERS = """
INSERT INTO requests_15m
(
    tenant, quarter, team_id, agent_id, token_id, user_id, model, operation, currency,
    first_minute, last_minute, requests, failed, duration_us, input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, cost, latency
)
WITH
    cityHash64(number, {salt}) AS h,
    h % {users} AS u,
    toDateTime('{month}', 'UTC') + 86400 * (intDiv(h, {users}) % {days})
        + 900 * (28 + cityHash64(h, 3) % 40) AS begins,
    arrayJoin(range({quarters})) AS k,
    cityHash64(h, k) AS r,
    {person}
SELECT
    tenant,
    begins + 900 * k AS quarter,
    team_id,
    concat('agent-', toString((u + r % 2) % 9)) AS agent_id,
    token_id,
    user_id,
    concat('model-', toString((u + intDiv(r, 2) % 2) % 20)) AS model,
    multiIf(r % 100 < 70, 'chat', r % 100 < 90, 'embeddings', 'text_completion') AS operation,
    if(r % 1000 < 50, '', if(t % 20 = 0, 'EUR', 'USD')) AS currency,
    quarter + 60 * (intDiv(r, 7) % 7) AS first_minute,
    first_minute + 60 * (intDiv(r, 11) % 8) AS last_minute,
    1 + r % 5 AS requests,
    intDiv(r, 13) % 17 = 0 AS failed,
    requests * 500000 + intDiv(r, 17) % 3000000 AS duration_us,
    intDiv(r, 19) % 10000 AS input_tokens,
    intDiv(r, 23) % 10000 AS output_tokens,
    intDiv(r, 29) % 1000 AS cache_read_input_tokens,
    0 AS cache_creation_input_tokens,
    intDiv(r, 31) % 500 AS reasoning_output_tokens,
    if(currency = '', 0, toDecimal128(intDiv(r, 37) % 10000000, 9) / 1000000000) AS cost,
    {latency} AS latency
FROM numbers({first}, {count})
ORDER BY tenant, quarter, team_id, agent_id, token_id, user_id, model, operation, currency
"""

# Each request of a row took half as long to twice as long as the next.
_LATENCY = """
    arrayMap(
        k -> toUInt16(
            1 + floor(
                log(duration_us / requests * (0.5 + cityHash64(r, k) % 150 / 100)) / log(1.04)
            )
        ),
        range(requests)
    )"""

_DERIVED = {
    "totals_15m": """
        SELECT
            tenant, quarter, currency, requests, failed,
            if(operation IN ('chat', 'text_completion'), requests, 0) AS completions,
            if(completions > 0, duration_us, 0) AS completions_us,
            if(operation = 'embeddings', requests, 0) AS embeddings,
            if(embeddings > 0, duration_us, 0) AS embeddings_us,
            input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens,
            reasoning_output_tokens, unmetered, cost
        FROM requests_15m WHERE {within}""",
    "users_1d": """
        SELECT
            tenant, user_id, toDate(quarter, 'UTC') AS day, team_id, agent_id, token_id, currency,
            first_minute, last_minute, requests, input_tokens, output_tokens, cost, late
        FROM requests_15m WHERE {within}""",
    "users_1mo": """
        SELECT
            tenant, user_id, toStartOfMonth(quarter) AS month, team_id, agent_id, token_id,
            currency, first_minute, last_minute, requests, input_tokens, output_tokens, cost, late
        FROM requests_15m WHERE {within}""",
    "latency_1mo": views.written_out("""
        SELECT
            tenant, toStartOfMonth(quarter) AS month,
            toUInt16(_latency_kind() * 1024 + _bucket_of(entry)) AS place,
            sum(_requests_of(entry)) AS requests
        FROM requests_15m ARRAY JOIN latency AS entry WHERE {within}
        GROUP BY tenant, month, place"""),
    "tasks_15m": """
        SELECT
            tenant, quarter,
            concat('recipe-', toString(cityHash64(user_id, model) % 300)) AS recipe_id,
            concat('app-', toString(cityHash64(user_id) % 100)) AS app,
            1 AS rule_set, first_minute, last_minute, requests AS actions, requests AS tasks, failed
        FROM requests_15m WHERE {within} AND cityHash64(user_id, quarter) % 10 = 0""",
}  # fmt: skip

_MINUTES = {
    "requests_1m": """
        SELECT
            tenant, first_minute AS minute, team_id, agent_id, token_id, user_id, model,
            operation, currency, requests, failed, duration_us, input_tokens, output_tokens,
            cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens,
            unmetered, cost, latency
        FROM requests_15m WHERE {within}""",
}  # fmt: skip

_ENTITY = """
INSERT INTO entities
(
    tenant, entity, entity_id, time, arrival, partition, offset, element, deleted, attributes,
    name, kind, external_id, subscription, timezone, billing_anchor_day, email, team_id,
    owner_user_id, service_account_id, status, recommended, cloned_from, app
)
WITH number AS u, {person}
SELECT
    {tenant} AS tenant_, '{entity}', {id} AS id,
    toDateTime64('{since}', 3, 'UTC') + cityHash64(u, '{entity}') % 25000000 AS time,
    time AS arrival, t % 8 AS partition, number AS offset, 0, number % 50 = 0 AS deleted,
    '{{"name":"x"}}' AS attributes, concat('Name of ', id) AS name, '', id AS external_id, 'active',
    ['', 'Asia/Kolkata', 'America/New_York', 'Europe/Berlin'][1 + number % 4], number % 32,
    concat(id, '@example.com') AS email, team_id, user_id,
    concat('account-', toString(u % 5)), ['running', 'connected'][1 + ('{entity}' = 'connection')],
    number % 100 = 0, if(number % 10 = 0, concat('recipe-', toString(cityHash64(u) % 300)), ''),
    concat('app-', toString(number % 100))
FROM numbers({count})
"""

_ENTITIES = (
    # (entity, how many of a million, tenant, id)
    ("tenant", 2_000, "id", "concat('tenant-', leftPad(toString(u), 5, '0'))"),
    ("user", 200_000, "tenant", "user_id"),
    ("token", 67_000, "tenant", "token_id"),
    ("agent", 18_000, "concat('tenant-', leftPad(toString(intDiv(u, 9)), 5, '0'))",
     "concat('agent-', toString(u % 9))"),
    ("team", 14_000, "concat('tenant-', leftPad(toString(intDiv(u, 7)), 5, '0'))",
     "concat('team-', toString(u % 7))"),
    ("service_account", 10_000, "concat('tenant-', leftPad(toString(intDiv(u, 5)), 5, '0'))",
     "concat('account-', toString(u % 5))"),
    ("model", 200, "'*'", "concat('model-', toString(u))"),
    ("app", 100, "'*'", "concat('app-', toString(u))"),
    ("recipe", 300_000, "tenant", "concat('recipe-', toString(u))"),
    ("connection", 388_700, "tenant", "concat('connection-', toString(u))"),
)  # fmt: skip


_PARTITIONS = """
SELECT DISTINCT partition_id FROM system.parts
WHERE active AND database = currentDatabase() AND table = {table:String}
"""


class Year(NamedTuple):
    """What was loaded."""

    since: datetime
    until: datetime
    rows: int


def load(store: Store, rows: int, until: datetime) -> Year:
    """Fill an empty, migrated store with the year before `until`, about so many rows."""
    months = list(_months(until))
    each = rows // len(months) // QUARTERS_AT_WORK
    kept = until - timedelta(days=KEEP_DAYS)
    for salt, (begin, end) in enumerate(months):
        for first in range(0, each, SLICE // QUARTERS_AT_WORK):
            count = min(SLICE // QUARTERS_AT_WORK, each - first)
            parts = {
                "salt": salt,
                "users": USERS,
                "month": f"{begin:%Y-%m-%d %H:%M:%S}",
                "days": (end - begin).days,
                "quarters": QUARTERS_AT_WORK,
                "person": _PERSON,
                "latency": _LATENCY,
                "first": first,
                "count": count,
            }
            store.command(_QUARTERS.format(**parts) + _AT_ONCE)
        _derive(store, begin, end, kept)
    for entity, count, tenant, ident in _ENTITIES:
        parts = {"entity": entity, "tenant": tenant, "id": ident, "person": _PERSON}
        many = count * ENTITIES // 1_000_000
        store.command(_ENTITY.format(since="2025-01-01 00:00:00", count=many, **parts))
    store.command(
        "INSERT INTO partitions_1m SELECT quarter, 'usage.requests', 0, tenant, "
        "'usage.request.v1', 'counted', '', requests, requests, failed, "
        f"input_tokens, output_tokens, 0 FROM totals_15m WHERE {_within(kept, until)}"
    )
    for table in ("requests_15m", *_DERIVED, *_MINUTES):
        # As the tables' settings do a day after a month's last row.
        for (partition,) in store.query(_PARTITIONS, {"table": table}):
            store.command(f"OPTIMIZE TABLE {table} PARTITION ID '{partition}' FINAL")
    users_days.publish(store, nobody_asks=True)  # settled until today since the migration
    return Year(months[0][0], until, rows)


def _derive(store: Store, begin: datetime, end: datetime, kept: datetime) -> None:
    """Fill what follows from a month's quarter hours, some days at a time."""
    while begin < end:
        upto = min(begin + timedelta(days=5), end)
        for table, query in _DERIVED.items():
            within = _within(begin, upto)
            store.command(f"INSERT INTO {table} {query}{_AT_ONCE}".format(within=within))
        if upto > kept:
            for table, query in _MINUTES.items():
                within = _within(max(begin, kept), upto)
                store.command(f"INSERT INTO {table} {query}{_AT_ONCE}".format(within=within))
        begin = upto


def _within(since: datetime, until: datetime) -> str:
    return f"quarter >= '{since:%Y-%m-%d %H:%M:%S}' AND quarter < '{until:%Y-%m-%d %H:%M:%S}'"


def _months(until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the twelve calendar months before an instant that begins one."""
    for back in range(12, 0, -1):
        count = until.year * 12 + until.month - 1 - back
        begin = datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC)
        days = calendar.monthrange(begin.year, begin.month)[1]
        yield begin, begin + timedelta(days=days)
