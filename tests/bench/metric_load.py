"""Half a year of product events straight into the store: what the benchmark of metrics reads.

Organizations and names of events follow Zipf's law (exponent 1). An event has some 12.5 leaves of
every kind, written as the worker writes them; its number and a hash say which.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pipeline.clickhouse.client import Store

TENANTS, NAMES, DAYS = 2_000, 49, 190
SLICE = 500_000
"""Rows of one insert: some days of time."""

_AT_ONCE = (
    " SETTINGS max_insert_block_size = 10000000, min_insert_block_size_rows = 10000000, "
    "min_insert_block_size_bytes = 0, max_insert_threads = 1, max_partitions_per_insert_block = 0, "
    "insert_deduplicate = 0, deduplicate_insert = 'disable'"
)

_PLANS = "['free', 'team', 'business', 'enterprise']"
_LEAVES = {
    "status": (60, "['n200', 'n404', 'n500'][multiIf(h1 % 100 < 90, 1, h1 % 100 < 97, 2, 3)]"),
    "ok": (40, "if(h1 % 100 < 90, 'b1', 'b0')"),
    "duration_ms": (60, "concat('n', toString(h2 % 5000), '.', toString(h3 % 900), '7')"),
    "bytes": (40, "concat('n', toString(h4 % 1000000000))"),
    "amount": (45, "concat('n', toString(h5 % 500), '.', toString(h6 % 10), '3')"),
    "price": (20, "concat('s', toString(h7 % 90), '.', leftPad(toString(h8 % 100), 2, '0'))"),
    "cost": (25, "concat('n0.', leftPad(toString(h2 % 1000000000), 9, '0'), '1')"),
    "currency": (30, "concat('s', ['USD', 'EUR', 'GBP', 'INR', 'JPY'][1 + h3 % 5])"),
    "country": (50, "concat('s', char(65 + h4 % 8), char(65 + h5 % 8))"),
    "path": (
        50,
        (
            "concat('s/v1/', ['orders', 'items', 'users', 'reports'][1 + h6 % 4], '/', "
            "toString(h7 % 1300))"
        ),
    ),
    "request_id": (50, "concat('s', lower(hex(h8)), lower(hex(h1)))"),
    "started_at": (
        25,
        (
            "concat('s', formatDateTime(time - toIntervalSecond(h2 % 3600), '%Y-%m-%dT%H:%i:%S', "
            "'UTC'), '.', toString(100 + h3 % 900), 'Z')"
        ),
    ),
    "plan": (60, f"concat('s', {_PLANS}[1 + h4 % 4])"),
    "feature": (45, "concat('sfeature_', toString(h5 % 30))"),
    "version": (40, "concat('s', toString(h6 % 4), '.', toString(h7 % 10), '.0')"),
    "browser": (30, "concat('s', ['Chrome', 'Firefox', 'Safari', 'Edge', 'curl'][1 + h8 % 5])"),
    "referrer": (25, "concat('shttps://example.com/docs/', toString(h2 % 700))"),
    "pages": (35, "concat('n', toString(h3 % 40))"),
    "items": (35, "concat('n', toString(h4 % 12))"),
    "score": (20, "concat('n0.', toString(h5 % 90000), '7')"),
    "user.plan": (40, f"concat('s', {_PLANS}[1 + h6 % 4])"),
    "user.role": (40, "concat('s', ['admin', 'member', 'viewer'][1 + h7 % 3])"),
    "user.address.city": (20, "concat('scity ', toString(h8 % 200))"),
    "device.type": (30, "concat('s', ['phone', 'laptop', 'server', 'tablet'][1 + h1 % 4])"),
    "device.id": (25, "concat('s', lower(hex(h2 % 100000)))"),
    "tags": (15, """concat('a["t', toString(h3 % 20), '","t', toString(h4 % 20), '"]')"""),
    "error": (15, "concat('stimeout after ', toString(h5 % 60), ' s')"),
    "retry": (20, "if(h6 % 10 = 0, 'b1', 'b0')"),
}
"""By path: the percent of names whose events have it (of those, 95 % do), and what makes it."""
_ALWAYS = ("status", "amount", "duration_ms", "plan", "user.plan", "path", "feature")
"""Whatever is asked for is there: the twelve most frequent names have these."""

_EVENTS = """
INSERT INTO product_events (name, tenant, time, user_id, properties)
SELECT name, tenant, time, user_id, CAST(arrayFilter(leaf -> leaf.2 != '', [{leaves}]),
    'Map(LowCardinality(String), String)')
FROM
(
    SELECT
        number AS n, {hashes},
        toUInt32(pow({names}, (cityHash64(n, 'name') % 1000000) / 1000000)) AS nid,
        concat('event_', leftPad(toString(nid), 2, '0')) AS name,
        toUInt32(pow({tenants}, (cityHash64(n, 'tenant') % 1000000) / 1000000)) AS tid,
        concat('tenant-', leftPad(toString(tid), 4, '0')) AS tenant,
        concat('u-', toString(cityHash64(n, 'user') % (20 + intDiv({tenants}, tid)))) AS user_id,
        toDateTime64({since}, 3, 'UTC')
            + toIntervalMillisecond(intDiv(n * {span_ms}, {total}) + cityHash64(n, 't') % 60000)
            AS time
    FROM numbers({first}, {count})
)
ORDER BY name, tenant, time
"""

_REGISTERED = """
INSERT INTO entities
(
    tenant, entity, entity_id, time, arrival, partition, offset, element, deleted, attributes,
    name, kind
)
SELECT
    concat('tenant-', leftPad(toString(1 + number), 4, '0')) AS tenant, 'tenant', tenant,
    toDateTime64({since}, 3, 'UTC') AS time, time, 0, number, 0, 0, '{{}}', tenant, 'customer'
FROM numbers({tenants})
"""


def load(store: Store, rows: int, until: datetime, first: int = 0, total: int = 0) -> None:
    """Insert so many events of the days before ``until``, and the registry of their tenants.

    ``first``, ``total``: the events are those from the one on, of so many in the same days.
    """
    since = int((until - timedelta(days=DAYS)).timestamp())
    leaves = ", ".join(_leaf(n, path) for n, path in enumerate(_LEAVES))
    hashes = ", ".join(f"cityHash64(n, {n}) AS h{n}" for n in range(1, 9))
    for begin in range(first, first + rows, SLICE):
        sql = _EVENTS.format(
            leaves=leaves,
            hashes=hashes,
            names=NAMES,
            tenants=TENANTS,
            since=since,
            span_ms=DAYS * 86_400_000 - 60_000,
            total=total or rows,
            first=begin,
            count=min(SLICE, first + rows - begin),
        )
        store.command(sql + _AT_ONCE)
    if not first:
        store.command(_REGISTERED.format(since=since, tenants=TENANTS) + _AT_ONCE)


def _leaf(number: int, path: str) -> str:
    share, makes = _LEAVES[path]
    has = f"cityHash64(nid, {number}) % 100 < {share}"
    if path in _ALWAYS:
        has = f"(nid < 12 OR {has})"
    return f"('{path}', if({has} AND cityHash64(n, {number}, 'm') % 100 >= 5, {makes}, ''))"
