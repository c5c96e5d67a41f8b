"""The views that programs outside this project rely on: names, parameters, columns, types.

Columns may be added behind these; nothing here is ever renamed or reordered, and a parameter is
never added: parameters are mandatory.
"""

from __future__ import annotations

from typing import NamedTuple

COUNT = "UInt64"
MONEY = "Decimal(38, 9)"
NUMBER = "Nullable(Float64)"
INSTANT = "DateTime64(3, 'UTC')"
MAYBE_INSTANT = "Nullable(DateTime64(3, 'UTC'))"
BUCKET = "DateTime({tz})"
FLAG = "UInt8"
TYPES = {
    "since": "DateTime('UTC')",
    "until": "DateTime('UTC')",
    "as_of": "DateTime('UTC')",
    "tz": "String",
    "grain": "String",
    "tenant": "String",
    "token": "String",
    "months": "an integer",
    "periods": "an integer",
    "k": "an integer",
    "metric": "String",
    "property": "String",
}
"""Of the parameters; an integer may have any width."""


class View(NamedTuple):
    """What the contract says of one view."""

    rows: tuple[str, ...]
    """Rows of the list of numbers."""
    parameters: tuple[str, ...]
    columns: dict[str, str]


def _view(rows: str, parameters: str, **columns: str) -> View:
    return View(tuple(rows.split()), tuple(parameters.split()), columns)


_TOKENS = {"input_tokens": COUNT, "output_tokens": COUNT}
_ALL_TOKENS = {**_TOKENS, "total_tokens": COUNT}
_USAGE = {"name": "String", "interactions": COUNT, "active_users": COUNT, **_ALL_TOKENS}
_BILL = {"currency": "String", "cost": MONEY, "unpriced_requests": COUNT}
_RANGE = "since until"

VIEWS = {
    "tasks_by_month": _view(
        "A1",
        "since until tz tenant",
        month="Date",
        tasks="Nullable(UInt64)",
        available=FLAG,
        closed=FLAG,
    ),
    "top_customers": _view(
        "A2", "as_of months tz k", rank=COUNT, tenant="String", name="String", tasks=COUNT
    ),
    "monthly_usage": _view(
        "A3",
        "since until tz tenant",
        tenant="String",
        external_id="String",
        name="String",
        month="Date",
        tasks=COUNT,
        closed=FLAG,
    ),
    "monthly_usage_by_recipe": _view(
        "A3",
        "since until tz tenant",
        tenant="String",
        recipe_id="String",
        name="String",
        month="Date",
        tasks=COUNT,
    ),
    "connections_by_month": _view(
        "A4 A5", "as_of months tz tenant", month="Date", connections=COUNT
    ),
    "top_apps": _view(
        "A6", "as_of k tenant", rank=COUNT, app="String", name="String", connections=COUNT
    ),
    "customers_by_month": _view("A7", "as_of months tz", month="Date", customers=COUNT),
    "customers": _view(
        "A7 A8",
        "as_of tz",
        tenant="String",
        name="String",
        external_id="String",
        subscription="String",
        tasks_this_month=COUNT,
        connections=COUNT,
        active_recipes=COUNT,
        users=COUNT,
        last_seen=MAYBE_INSTANT,
    ),
    "active_recipes_by_month": _view("A9", "as_of months tz tenant", month="Date", recipes=COUNT),
    "recommended_recipes": _view(
        "A10", "as_of k", rank=COUNT, recipe_id="String", name="String", clones=COUNT
    ),
    "telemetry_summary": _view("C1", "since until tenant", interactions=COUNT, active_users=COUNT),
    "usage_trend": _view(
        "C1 C2",
        "since until tz grain tenant",
        bucket=BUCKET,
        interactions=COUNT,
        active_users=COUNT,
    ),
    "cost_trend": _view(
        "C1 C2", "since until tz grain tenant", bucket=BUCKET, currency="String", cost=MONEY
    ),
    "usage_by_agent": _view(
        "C3", "since until tenant", tenant="String", agent_id="String", **_USAGE
    ),
    "usage_by_team": _view("C3", "since until tenant", tenant="String", team_id="String", **_USAGE),
    "user_activity": _view(
        "C4",
        "since until tz tenant",
        tenant="String",
        user_id="String",
        name="String",
        email="String",
        team_id="String",
        interactions=COUNT,
        active_days=COUNT,
        interactions_per_active_day=NUMBER,
        first_seen=MAYBE_INSTANT,
        last_seen=MAYBE_INSTANT,
        adoption="String",
    ),
    "billing_by_tenant": _view("C1 C5", "since until tenant", tenant="String", **_BILL),
    "billing_by_team": _view(
        "C1 C5", "since until tenant", tenant="String", team_id="String", name="String", **_BILL
    ),
    "billing_by_agent": _view(
        "C1 C5", "since until tenant", tenant="String", agent_id="String", name="String", **_BILL
    ),
    "cost_summary": _view("C1", "since until tenant", **_BILL),
    "organizations": _view(
        "D1", "as_of tenant", tenant="String", name="String", kind="String", registered=FLAG
    ),
    "billing_periods": _view(
        "C5",
        "as_of periods tenant",
        tenant="String",
        period="Date",
        since=INSTANT,
        until=INSTANT,
        closed=FLAG,
    ),
    "request_summary": _view(
        "D3 D4 D5",
        "since until tenant token",
        requests=COUNT,
        failed_requests=COUNT,
        unmetered_requests=COUNT,
        completion_ms_avg=NUMBER,
        completion_ms_p50=NUMBER,
        completion_ms_p95=NUMBER,
        completion_ms_p99=NUMBER,
        embedding_ms_avg=NUMBER,
        embedding_ms_p50=NUMBER,
        embedding_ms_p95=NUMBER,
        embedding_ms_p99=NUMBER,
        **_ALL_TOKENS,
        cache_read_input_tokens=COUNT,
        cache_creation_input_tokens=COUNT,
        reasoning_output_tokens=COUNT,
    ),
    "requests_over_time": _view(
        "D2",
        "since until tz grain tenant token",
        bucket=BUCKET,
        requests=COUNT,
        failed_requests=COUNT,
        **_TOKENS,
    ),
    "top_tenants": _view(
        "D6",
        "since until k",
        rank=COUNT,
        tenant="String",
        name="String",
        requests=COUNT,
        **_ALL_TOKENS,
    ),
    "top_tokens": _view(
        "D6",
        "since until k tenant",
        rank=COUNT,
        tenant="String",
        token_id="String",
        name="String",
        requests=COUNT,
        **_ALL_TOKENS,
        token_owner="String",
        service_account="String",
    ),
    "top_users": _view(
        "D6",
        "since until k tenant token",
        rank=COUNT,
        tenant="String",
        user_id="String",
        requests=COUNT,
        **_ALL_TOKENS,
    ),
    "requests_by_model": _view(
        "D7", "since until tenant token", model="String", name="String", requests=COUNT
    ),
    "live_windows": _view(
        "L1",
        "as_of tenant",
        tenant="String",
        window="String",
        requests=COUNT,
        failed_requests=COUNT,
        **_TOKENS,
        tasks=COUNT,
    ),
    "ledger": _view(
        "L3",
        _RANGE,
        topic="String",
        partition="UInt32",
        received=COUNT,
        counted=COUNT,
        duplicate=COUNT,
        rejected=COUNT,
        skipped=COUNT,
    ),
    "ledger_by_tenant": _view(
        "L3",
        _RANGE,
        tenant="String",
        type="String",
        counted=COUNT,
        duplicate=COUNT,
        rejected=COUNT,
        conflicts=COUNT,
    ),
    "rejections": _view("L3", _RANGE, topic="String", reason="String", rejected=COUNT),
    "ledger_gaps": _view(
        "L3",
        "",
        topic="String",
        partition="UInt32",
        from_offset="Int64",
        to_offset="Int64",
        kind="String",
    ),
    "metric_values": _view(
        "B1 B2 B5 B6",
        "as_of tenant",
        tenant="String",
        metric_id="String",
        version="UInt32",
        name="String",
        format="String",
        currency="String",
        value="Nullable(Decimal(76, 18))",
        previous="Nullable(Decimal(76, 18))",
        change_percent="Nullable(Float64)",
        state="String",
        events=COUNT,
        missing=COUNT,
        not_numeric=COUNT,
        not_exact=COUNT,
    ),
    "metric_sparkline": _view(
        "B3",
        "as_of tz tenant metric",
        tenant="String",
        metric_id="String",
        day="Date",
        value="Nullable(Decimal(76, 18))",
    ),
    "metric_breakdown": _view(
        "B2",
        "as_of k tenant metric property",
        tenant="String",
        metric_id="String",
        rank=COUNT,
        key="String",
        value="Decimal(76, 18)",
    ),
    "as_of": _view("all", "", type="String", newest_event=INSTANT, newest_arrival=INSTANT),
}
