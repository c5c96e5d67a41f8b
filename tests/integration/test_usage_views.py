"""The views of usage, cost and requests, on rows computed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import files, resources, users_days, zones
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.clickhouse.schema.views import shipped, written_out
from pipeline.errors import StoreRefused
from pipeline.facts.heads import ENTITIES, PRODUCT_EVENTS, RECIPE_ACTIONS, REQUESTS
from pipeline.facts.interface import Head
from pipeline.protocol.ledger import OUTCOMES
from pipeline.views.call import call
from tests.support.contract.views import VIEWS
from tests.support.harness.clickhouse_parts import new_database, settings_for
from tests.support.harness.instants import at, seconds
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.view_store import empty

Row = tuple[Any, ...]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
"""In microseconds, as durations are kept."""


@pytest.fixture(scope="module", autouse=True)
def users_days_are_read(tables: Store) -> None:
    """Have views read users' days and months, into which all goes at once here."""
    tables.command("INSERT INTO users_settlements (day) VALUES ('2149-06-06')")
    users_days.publish(tables, nobody_asks=True)


@pytest.fixture
def views(tables: Store) -> Iterator[Store]:
    """Provide them empty."""
    yield tables
    empty(tables)


def insert(store: Store, head: Head, *rows: dict[str, Any]) -> None:
    """Insert events; what a row does not name is 0 or ''."""
    columns = [
        [row.get(name, 0 if "Int" in kind else "") for row in rows] for name, kind in head.columns
    ]
    store.insert(head.table, head.columns, columns)


def request(when: str, tenant: str = "acme", **more: Any) -> dict[str, Any]:
    """Make a request of a minute; ``cost`` is in whole units of the currency, USD."""
    row = {"minute": seconds(when), "tenant": tenant, "model": "m", "operation": "chat", **more}
    if "cost" in row:
        row["cost_nanos"] = int(Decimal(row.pop("cost")) * 10**9)
        row.setdefault("currency", "USD")
    return row


def entity(kind: str, ident: str, tenant: str = "acme", /, **more: Any) -> dict[str, Any]:
    """Make a state of an entity, from 2020 on unless ``time`` says otherwise."""
    when = seconds(more.pop("time", "2020-01-01")) * 1000
    row = {"entity": kind, "entity_id": ident, "tenant": tenant, "time": when, "arrival": when}
    return {"attributes": '{"x":1}', **row, **more}


def select(store: Store, view: str, **parameters: Any) -> list[Row]:
    """Return the view's rows; instants in UTC."""
    rows = store.query(f"SELECT * FROM {call(view, parameters)}")
    return [
        tuple(value.astimezone(UTC) if isinstance(value, datetime) else value for value in row)
        for row in rows
    ]


def between(since: str, until: str, **more: Any) -> dict[str, Any]:
    return {"since": at(since), "until": at(until), "tenant": "", **more}


MAY = between("2026-05-01", "2026-06-01")


def fill(store: Store) -> None:
    """Two organizations in May 2026, one more that nobody registered, and what was before."""
    insert(
        store,
        ENTITIES,
        entity("tenant", "acme", name="Acme"),
        entity("tenant", "zeta", "zeta", name="Zeta", deleted=1),
        entity("agent", "a1", name="Writer"),
        entity("agent", "idle", name="Idle"),
        entity("agent", "gone", name="Gone", deleted=1),
        entity("agent", "late", time="2026-06-01"),
        entity("agent", "of-deleted", "zeta"),
        entity("team", "t1"),
        entity("user", "ann", name="Ann", email="ann@acme.example", team_id="t1"),
        entity("user", "bob", name="Bob", email="bob@acme.example"),
        entity("user", "never", name="Nev"),
        entity("token", "k1", name="Key", owner_user_id="ann", service_account_id="robot"),
        entity("service_account", "robot", name="Robot"),
        entity("model", "m", "*", name="Model M"),
        entity("model", "unused", "*"),
    )
    ann = {"user_id": "ann", "team_id": "t1", "agent_id": "a1", "token_id": "k1"}
    insert(
        store,
        REQUESTS,
        request("2026-05-01 00:00", **ann, input_tokens=10, output_tokens=1, cost="0.000000001"),
        request("2026-05-01 23:59", **ann, input_tokens=20, failed=1, cost="1.5", currency="EUR"),
        request("2026-05-31 23:59", **ann, output_tokens=4, duration_us=3 * SECOND),
        request("2026-05-10 12:00", user_id="x", cost="2", duration_us=SECOND),
        request("2026-05-10 12:14", cost="0", operation="embeddings", duration_us=2 * SECOND),
        request("2026-05-10 12:00", "wild", user_id="ann", model="new", reasoning_output_tokens=3),
        request("2026-04-30 23:59", user_id="bob", cost="7"),  # the minute before
        request("2026-06-01 00:00", user_id="never", cost="9"),  # and the one after
    )


class TestMay:
    def test_c1_interactions_and_active_users(self, views: Store) -> None:
        fill(views)
        assert select(views, "telemetry_summary", **MAY) == [(6, 3)]  # ann, x, the other's ann
        assert select(views, "telemetry_summary", **MAY | {"tenant": "acme"}) == [(5, 2)]

    def test_c2_trends_by_month_add_up(self, views: Store) -> None:
        fill(views)
        months = between("2026-04-15", "2026-07-01", tz="UTC", grain="month")
        starts = [at("2026-04-01"), at("2026-05-01"), at("2026-06-01")]
        counts = [(1, 1), (6, 3), (1, 1)]
        assert select(views, "usage_trend", **months) == [
            (start, *count) for start, count in zip(starts, counts, strict=True)
        ]
        assert select(views, "cost_trend", **months) == [
            (starts[0], "USD", Decimal(7)),
            (starts[1], "EUR", Decimal("1.5")),
            (starts[1], "USD", Decimal("2.000000001")),
            (starts[2], "USD", Decimal(9)),
        ]

    def test_c2_users_are_told_apart_by_both_of_their_ids(self, views: Store) -> None:
        people = [(tenant, user) for tenant in ("a", "b", "c") for user in ("a", "b", "c")]
        insert(
            views,
            REQUESTS,
            *(
                request(when, tenant, user_id=user)
                for tenant, user in people
                for when in ("2026-05-03 10:00", "2026-05-03 22:00", "2026-05-05 10:00")
            ),
            request("2026-05-04 10:00", "b", user_id="a"),
            request("2026-05-04 10:00", "b"),  # is nobody
        )
        over = between("2026-05-03", "2026-05-06", tz="UTC", grain="day")
        days = select(views, "usage_trend", **over)
        assert [row[1:] for row in days] == [(18, 9), (2, 1), (9, 9)]
        local = select(views, "usage_trend", **over | {"tz": "Asia/Kolkata"})
        assert [row[1:] for row in local] == [(9, 9), (11, 9), (9, 9), (0, 0)]
        weeks = select(views, "usage_trend", **over | {"grain": "week"})
        assert [row[1:] for row in weeks] == [(18, 9), (11, 9)]

    def test_c3_agents_and_teams_of_the_registry_with_zeros(self, views: Store) -> None:
        fill(views)
        assert select(views, "usage_by_agent", **MAY) == [
            ("acme", "", "unattributed", 2, 1, 0, 0, 0),
            ("acme", "a1", "Writer", 3, 1, 30, 5, 35),
            ("acme", "idle", "Idle", 0, 0, 0, 0, 0),
            ("wild", "", "unattributed", 1, 1, 0, 0, 0),
        ]
        assert select(views, "usage_by_team", **MAY | {"tenant": "acme"}) == [
            ("acme", "", "unattributed", 2, 1, 0, 0, 0),
            ("acme", "t1", "t1", 3, 1, 30, 5, 35),
        ]

    def test_c4_users_active_stopped_and_never(self, views: Store) -> None:
        fill(views)
        noon, may = at("2026-05-10 12:00"), at("2026-05-01 00:00")
        assert select(views, "user_activity", **MAY, tz="Asia/Kolkata") == [
            # 1 May 05:30, 2 May 05:29 and 1 June 05:29 in Kolkata
            ("acme", "ann", "Ann", "ann@acme.example", "t1", 3, 3, 1.0, may,
             at("2026-05-31 23:59"), "active"),
            ("acme", "bob", "Bob", "bob@acme.example", "", 0, 0, None, at("2026-04-30 23:59"),
             at("2026-04-30 23:59"), "stopped"),
            ("acme", "never", "Nev", "", "", 0, 0, None, None, None, "never"),
            ("acme", "x", "x", "", "", 1, 1, 1.0, noon, noon, "active"),
            ("wild", "ann", "ann", "", "", 1, 1, 1.0, noon, noon, "active"),
        ]  # fmt: skip
        ann = select(views, "user_activity", **MAY | {"tenant": "acme"}, tz="UTC")[0]
        assert ann[5:8] == (3, 2, 1.5)

    def test_c5_bills_add_up(self, views: Store) -> None:
        fill(views)
        tiny = Decimal("0.000000001")
        assert select(views, "billing_by_tenant", **MAY) == [
            ("acme", "", 0, 1),
            ("acme", "EUR", Decimal("1.5"), 0),
            ("acme", "USD", 2 + tiny, 0),
            ("wild", "", 0, 1),
        ]
        assert select(views, "billing_by_agent", **MAY) == [
            ("acme", "", "unattributed", "USD", Decimal(2), 0),
            ("acme", "a1", "Writer", "", 0, 1),
            ("acme", "a1", "Writer", "EUR", Decimal("1.5"), 0),
            ("acme", "a1", "Writer", "USD", tiny, 0),
            ("wild", "", "unattributed", "", 0, 1),
        ]
        by_team = select(views, "billing_by_team", **MAY)
        assert [row[1:] for row in by_team if row[1] == "t1"] == [
            ("t1", "t1", "", 0, 1),
            ("t1", "t1", "EUR", Decimal("1.5"), 0),
            ("t1", "t1", "USD", tiny, 0),
        ]

    def test_d3_to_d5_summary(self, views: Store) -> None:
        fill(views)
        (row,) = select(views, "request_summary", **MAY, token="")
        assert row[:3] == (6, 1, 0)
        assert row[3] == pytest.approx(4000 / 5)  # two took none, failures count
        assert row[4] == 0
        assert row[5:7] == (pytest.approx(3000, rel=0.02), pytest.approx(3000, rel=0.02))
        assert row[7] == 2000
        assert row[8:11] == (pytest.approx(2000, rel=0.02),) * 3
        assert row[11:] == (30, 5, 35, 0, 0, 3)
        (of_token,) = select(views, "request_summary", **MAY, token="k1")
        assert of_token[:4] == (3, 1, 0, pytest.approx(1000))
        assert of_token[7:11] == (None,) * 4  # no embeddings: no value
        assert of_token[11:] == (30, 5, 35, 0, 0, 0)
        nothing = select(views, "request_summary", **MAY | {"tenant": "nobody"}, token="")
        assert nothing == [(0, 0, 0, *[None] * 8, *[0] * 6)]

    def test_d5_requests_that_sent_no_token_count(self, views: Store) -> None:
        """In quarter hours that lie in the range, and in minutes at its ends."""
        sent = ("2026-05-01 00:14", "2026-05-01 00:20", "2026-05-01 00:31", "2026-05-01 00:32")
        for when in sent:
            insert(views, REQUESTS, request(when, token_id="k1", unmetered=1), request(when))
        over = between("2026-05-01 00:14", "2026-05-01 00:32")
        for token, requests in (("", 6), ("k1", 3)):
            (row,) = select(views, "request_summary", **over, token=token)
            assert row[:3] == (requests, 0, 3)

    def test_c1_what_all_cost(self, views: Store) -> None:
        fill(views)
        assert select(views, "cost_summary", **MAY) == [
            ("", 0, 2),
            ("EUR", Decimal("1.5"), 0),
            ("USD", Decimal("2.000000001"), 0),
        ]
        assert select(views, "cost_summary", **MAY | {"tenant": "wild"}) == [("", 0, 1)]
        assert select(views, "cost_summary", **MAY | {"tenant": "nobody"}) == []

    def test_d1_organizations(self, views: Store) -> None:
        fill(views)  # acme is registered, zeta was deleted unseen, wild is unknown
        insert(
            views,
            ENTITIES,
            entity("tenant", "partner", "partner", kind="admin"),
            entity("tenant", "left", "left", name="Left", time="2026-05-02"),
            entity("tenant", "left", "left", time="2026-05-05", deleted=1, attributes="{}"),
        )
        insert(views, RECIPE_ACTIONS, {"minute": seconds("2026-05-03 10:07"), "tenant": "left"})
        minute = seconds("2026-05-03 10:08")
        event = {"minute": minute, "tenant": "reader", "time": minute * 1000, "properties": {}}
        insert(views, PRODUCT_EVENTS, event)
        acme, left, partner = (
            ("acme", "Acme", "customer", 1),
            ("left", "Left", "customer", 1),
            ("partner", "partner", "admin", 1),
        )

        def known(as_of: str, tenant: str = "") -> list[Row]:
            rows = select(views, "organizations", as_of=at(as_of), tenant=tenant)
            return [row for row in rows if row[0] != "wild"]

        assert known("2019-12-31 23:59") == []
        assert known("2026-05-03 10:08") == [acme, left, partner]
        reader = ("reader", "reader", "customer", 0)
        assert known("2026-05-03 10:09:59") == [acme, left, partner, reader]
        gone = ("left", "Left", "customer", 0)
        assert known("2026-05-06") == [acme, gone, partner, reader]
        assert known("2026-05-06", "left") == [gone]
        rows = select(views, "organizations", as_of=at("2026-06-01"), tenant="wild")
        assert rows == [("wild", "wild", "customer", 0)]

    def test_d6_ranks(self, views: Store) -> None:
        fill(views)
        ranked = {"since": MAY["since"], "until": MAY["until"]}
        assert select(views, "top_tenants", **ranked, k=2) == [
            (1, "acme", "Acme", 5, 30, 5, 35),
            (2, "wild", "wild", 1, 0, 0, 0),
        ]
        assert select(views, "top_tenants", **ranked, k=1) == [(1, "acme", "Acme", 5, 30, 5, 35)]
        assert select(views, "top_tenants", **ranked, k=0) == []
        assert select(views, "top_tokens", **MAY, k=10) == [
            (1, "acme", "k1", "Key", 3, 30, 5, 35, "ann@acme.example", "Robot"),
            (2, "acme", "", "unattributed", 2, 0, 0, 0, "", ""),
            (3, "wild", "", "unattributed", 1, 0, 0, 0, "", ""),
        ]
        assert select(views, "top_users", **MAY, k=3, token="") == [
            (1, "acme", "ann", 3, 30, 5, 35),
            (2, "acme", "", 1, 0, 0, 0),  # ties by tenant, then user
            (3, "acme", "x", 1, 0, 0, 0),
        ]
        assert select(views, "top_users", **MAY, k=9, token="k1") == [
            (1, "acme", "ann", 3, 30, 5, 35)
        ]

    def test_d7_models_of_the_catalogue_with_zeros(self, views: Store) -> None:
        fill(views)
        assert select(views, "requests_by_model", **MAY, token="") == [
            ("m", "Model M", 5),
            ("new", "new", 1),
            ("unused", "unused", 0),
        ]

    def test_columns_are_those_of_the_contract(self, views: Store) -> None:
        for name in ("user_activity", "request_summary", "billing_periods", "live_windows"):
            samples: dict[str, Any] = {"tz": "UTC", "k": 1, "periods": 1}
            values = {
                one: samples.get(one, "" if one in ("tenant", "token") else at("2026-05-01"))
                for one in VIEWS[name].parameters
            }
            described = views.query(f"DESCRIBE (SELECT * FROM {call(name, values)})")
            assert {row[0]: row[1] for row in described} == VIEWS[name].columns


# Requests in the first and the last minute of a bucket, and in the last before it.
EDGES = {
    # tz, grain: [(start of a bucket, start of the next)] in UTC
    ("Asia/Kolkata", "day"): ("2026-03-28 18:30", "2026-03-29 18:30"),
    ("Asia/Kathmandu", "month"): ("2026-04-30 18:15", "2026-05-31 18:15"),
    ("America/St_Johns", "day"): ("2026-03-08 03:30", "2026-03-09 02:30"),  # of 23 hours
    ("Australia/Lord_Howe", "day"): ("2026-04-04 13:00", "2026-04-05 13:30"),  # of 24.5 hours
    ("America/New_York", "day"): ("2026-11-01 04:00", "2026-11-02 05:00"),  # of 25 hours
    ("America/New_York", "hour"): ("2026-11-01 05:00", "2026-11-01 06:00"),  # the first 01:00
    ("America/New_York", "week"): ("2026-10-26 04:00", "2026-11-02 05:00"),
    ("Pacific/Apia", "day"): ("2011-12-29 10:00", "2011-12-30 10:00"),  # the next is the 31st
    ("Africa/Cairo", "day"): ("2026-04-23 22:00", "2026-04-24 21:00"),  # begins at 01:00
}


class TestZones:
    @pytest.mark.parametrize(("tz", "grain"), EDGES)
    def test_buckets_begin_and_end_to_the_minute(self, views: Store, tz: str, grain: str) -> None:
        start, end = map(at, EDGES[tz, grain])
        minute = timedelta(minutes=1)
        insert(
            views,
            REQUESTS,
            *(
                request(f"{when:%Y-%m-%d %H:%M}", user_id=f"u{n}", cost="1", token_id="k")
                for n, when in enumerate([start - minute, start, end - minute, end])
            ),
        )
        for since, until in ((start, end), (start - 3 * minute, end + 4 * minute)):
            over = {"since": since, "until": until, "tz": tz, "grain": grain, "tenant": "acme"}
            trend = select(views, "usage_trend", **over)
            assert (start, 2, 2) in trend
            costs = select(views, "cost_trend", **over)
            assert (start, "USD", Decimal(2)) in costs
            for token in ("", "k"):
                rows = select(views, "requests_over_time", **over, token=token)
                assert (start, 2, 0, 0, 0) in rows
                assert [row[0] for row in rows] == [row[0] for row in trend]
            if since < start:
                assert [row[1:] for row in trend] == [(1, 1), (2, 2), (1, 1)]
                assert trend[2][0] == end

    def test_a_users_day_of_utc_is_on_both_local_days_that_it_holds(self, views: Store) -> None:
        ends = (request("2026-05-02 18:29", user_id="u"), request("2026-05-02 18:30", user_id="u"))
        insert(views, REQUESTS, *ends)
        assert views.query("SELECT count(), sum(requests) FROM users_1d FINAL") == [(1, 2)]
        for tz, days in (("Asia/Kolkata", 2), ("UTC", 1)):
            over = between("2026-05-01", "2026-05-04", tz=tz)
            assert [row[5:7] for row in select(views, "user_activity", **over)] == [(2, days)]
            trend = select(views, "usage_trend", **over, grain="day")
            assert sum(row[2] for row in trend) == days

    def test_a_repeated_hour_is_two_buckets(self, views: Store) -> None:
        insert(views, REQUESTS, request("2026-11-01 05:30"), request("2026-11-01 06:30"))
        over = between("2026-11-01 04:30", "2026-11-01 07:30", tz="America/New_York", grain="hour")
        assert select(views, "usage_trend", **over) == [
            (at("2026-11-01 04:00"), 0, 0),
            (at("2026-11-01 05:00"), 1, 0),
            (at("2026-11-01 06:00"), 1, 0),
            (at("2026-11-01 07:00"), 0, 0),
        ]

    def test_a_missing_day_is_no_bucket(self, views: Store) -> None:
        over = between("2011-12-29 10:00", "2011-12-31 10:00", tz="Pacific/Apia", grain="day")
        rows = views.query(f"SELECT toDate(bucket) FROM {call('usage_trend', over)}")
        assert rows == [(date(2011, 12, 29),), (date(2011, 12, 31),)]

    def test_minutes_come_from_minutes(self, views: Store) -> None:
        insert(views, REQUESTS, request("2026-05-01 10:07", user_id="u"))
        over = between("2026-05-01 10:06", "2026-05-01 10:09", tz="UTC", grain="minute")
        counts = [(0, 0), (1, 1), (0, 0)]
        assert [row[1:] for row in select(views, "usage_trend", **over)] == counts

    def test_offsets_are_those_of_the_package(self, views: Store) -> None:
        rows = views.query(
            written_out(
                "SELECT toUnixTimestamp(month_since) FROM "
                "_zone_months(as_of = '2026-04-05 12:00:00') WHERE zone = 'Australia/Lord_Howe'"
            )
        )
        assert rows == [(seconds("2026-03-31 13:00"),)]  # before its clock went back
        assert zones.load(views) is False  # once is enough
        views.insert("_zone_versions", (("version", "String"),), [["another"]])
        assert zones.load(views) is True
        assert views.query(written_out("SELECT uniqExact(zone) FROM _zones")) == [
            (len({row[0] for row in zones.offsets()}),)
        ]


class TestBillingPeriods:
    def periods(self, store: Store, as_of: str, count: int = 2, tenant: str = "acme") -> list[Row]:
        rows = select(store, "billing_periods", as_of=at(as_of), periods=count, tenant=tenant)
        return [row[1:] for row in rows]

    def test_by_anchor_and_zone(self, views: Store) -> None:
        zone = "Asia/Kathmandu"
        insert(
            views, ENTITIES, entity("tenant", "acme", billing_anchor_day=31, timezone=zone)
        )  # fmt: skip
        january, february = date(2026, 1, 31), date(2026, 2, 28)
        bounds = [at("2026-01-30 18:15"), at("2026-02-27 18:15"), at("2026-03-30 18:15")]
        running = (february, bounds[1], bounds[2], False)
        before = (january, bounds[0], bounds[1], False)
        assert self.periods(views, "2026-02-27 18:15") == [before, running]
        assert self.periods(views, "2026-02-27 18:15:59", 1) == [running]
        assert self.periods(views, "2026-02-27 18:14", 1) == [before]
        assert self.periods(views, "2026-02-27 18:15", 0) == []

    def test_on_the_day_of_a_clock_change(self, views: Store) -> None:
        zone = "Australia/Lord_Howe"
        insert(views, ENTITIES, entity("tenant", "acme", billing_anchor_day=5, timezone=zone))
        assert self.periods(views, "2026-04-04 13:00", 1) == [
            (date(2026, 4, 5), at("2026-04-04 13:00"), at("2026-05-04 13:30"), False)
        ]

    def test_day_1_in_utc_by_default_of_tenants_that_stand(self, views: Store) -> None:
        insert(
            views,
            ENTITIES,
            entity("tenant", "acme"),
            entity("tenant", "gone", "gone", deleted=1),
            entity("tenant", "later", "later", time="2026-05-02"),
        )
        rows = select(views, "billing_periods", as_of=at("2026-05-01"), periods=1, tenant="")
        assert rows == [("acme", date(2026, 5, 1), at("2026-05-01"), at("2026-06-01"), False)]

    def test_closed_once_an_event_came_after_its_end(self, views: Store) -> None:
        insert(views, ENTITIES, entity("tenant", "acme", billing_anchor_day=15))
        insert(views, REQUESTS, request("2026-05-15 00:00", "other"))
        counted = (seconds("2026-05-15 00:00"), "usage.requests", 0, "other", "usage.request.v1")
        views.insert("partitions_1m", OUTCOMES, [[one] for one in (*counted, "counted", "", 1)])
        closed = [row[-1] for row in self.periods(views, "2026-05-20", 3)]
        assert closed == [True, True, False]

    def test_an_anchor_on_a_day_that_there_was_not(self, views: Store) -> None:
        insert(
            views,
            ENTITIES,
            entity(
                "tenant", "acme", timezone="Pacific/Apia", billing_anchor_day=30, time="2010-01-01"
            ),
        )
        first = at("2011-12-30 10:00")  # the 31st begins where the 30th should
        assert self.periods(views, "2012-01-05", 1) == [
            (date(2011, 12, 30), first, at("2012-01-29 10:00"), False)
        ]


def test_a_month_is_the_tenants_own(views: Store) -> None:
    insert(views, ENTITIES, entity("tenant", "acme", timezone="Asia/Kolkata"))
    for tenant in ("acme", "utc"):
        insert(
            views,
            REQUESTS,
            request("2026-04-30 18:29", tenant),
            request("2026-04-30 18:30", tenant),
            request("2026-05-01 00:00", tenant),
        )
        insert(
            views,
            RECIPE_ACTIONS,
            {"minute": seconds("2026-04-30 18:30"), "tenant": tenant, "task": 1},
        )
    rows = select(views, "live_windows", as_of=at("2026-05-02"), tenant="")
    assert [row for row in rows if row[1] == "month"] == [
        ("acme", "month", 2, 0, 0, 0, 1),
        ("utc", "month", 1, 0, 0, 0, 0),
    ]


class TestRegistry:
    def name(self, store: Store, until: str = "2026-06-01") -> str:
        over = between("2026-01-01", until)
        return str(select(store, "usage_by_agent", **over)[0][2])

    def test_the_later_time_wins_whatever_the_order(self, views: Store) -> None:
        insert(views, REQUESTS, request("2026-01-01 00:00", agent_id="a"))
        insert(views, ENTITIES, entity("agent", "a", time="2026-05-01", name="May", offset=1))
        insert(views, ENTITIES, entity("agent", "a", time="2026-03-01", name="March", offset=2))
        assert self.name(views) == "May"
        assert self.name(views, "2026-05-01") == "March"  # what stood before it
        assert self.name(views, "2026-03-01") == "a"

    def test_at_the_same_time_offsets_then_arrivals(self, views: Store) -> None:
        insert(views, REQUESTS, request("2026-01-01 00:00", agent_id="a"))
        insert(views, ENTITIES, entity("agent", "a", name="old", offset=7, arrival=9))
        insert(views, ENTITIES, entity("agent", "a", name="batch", offset=8, element=1, arrival=1))
        insert(views, ENTITIES, entity("agent", "a", name="first", offset=8, element=0, arrival=1))
        assert self.name(views) == "batch"
        # 9 came later than 1, the arrival of the other partition's winner, though 2 is above both
        insert(views, ENTITIES, entity("agent", "a", name="other", partition=1, arrival=2))
        assert self.name(views) == "other"
        insert(views, ENTITIES, entity("agent", "a", name="tie", partition=2, arrival=2))
        assert self.name(views) == "tie"

    def test_a_bare_deletion_keeps_the_name(self, views: Store) -> None:
        insert(views, REQUESTS, request("2026-01-01 00:00", agent_id="a"))
        insert(views, ENTITIES, entity("agent", "a", name="Known"))
        gone: dict[str, Any] = {"deleted": 1, "attributes": "{}"}
        insert(views, ENTITIES, entity("agent", "a", time="2026-02-01", **gone))
        insert(views, ENTITIES, entity("agent", "a", time="2026-03-01", **gone))
        assert self.name(views) == "Known"


class TestMinuteRows:
    ASKED = ("telemetry_summary", "usage_trend", "requests_over_time")

    def test_old_ends_are_cut_to_quarter_hours(self, store: EmbeddedStore) -> None:
        connected = new_database(store.port)
        edge = between("2020-06-01 10:05", "2020-06-01 10:10")
        # Kept for good, minutes answer however old they are.
        self.keep(store, connected, 0)
        insert(connected, REQUESTS, request("2020-06-01 10:07", user_id="u"))
        assert select(connected, "telemetry_summary", **edge) == [(1, 1)]
        self.keep(store, connected, 35)
        old = ("2020-05-01 10:07", "2020-05-01 10:15", "2020-05-01 10:44", "2020-05-01 10:46")
        insert(connected, REQUESTS, *(request(when, user_id="u") for when in old))
        over = between("2020-05-01 10:05", "2020-05-01 10:50")
        assert select(connected, "telemetry_summary", **over) == [(2, 1)]
        trend = select(connected, "usage_trend", **over, tz="UTC", grain="minute")
        assert [row for row in trend if row[1]] == [
            (at("2020-05-01 10:15"), 1, 1),
            (at("2020-05-01 10:30"), 1, 1),
        ]
        assert select(connected, "telemetry_summary", **edge) == [(0, 0)]
        connected.command(f"DROP DATABASE {connected.database}")
        connected.close()

    def test_keeping_them_longer_brings_none_back(self, store: EmbeddedStore) -> None:
        connected = new_database(store.port)
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        hours = [hour - timedelta(days=age) for age in (60, 25, 10)]
        minutes = [one + timedelta(minutes=n) for one in hours for n in (1, 20, 50)]
        exact, cut = [1, 20, 50], [0, 15, 45]
        self.keep(store, connected, 35)
        insert(connected, REQUESTS, *(request(f"{one:%Y-%m-%d %H:%M}") for one in minutes))
        self.expire(connected, left=6)
        for days in (100, 0, 100):
            self.keep(store, connected, days)
            assert self.by(connected, "hour", hours) == [[0] * 3] * 3
            assert self.by(connected, "minute", hours) == [cut, exact, exact]
        self.keep(store, connected, 20)
        self.expire(connected, left=3)
        for days in (30, 0):  # the later time holds
            self.keep(store, connected, days)
            assert self.by(connected, "minute", hours) == [cut, cut, exact]
        connected.command(f"DROP DATABASE {connected.database}")
        connected.close()

    def keep(self, store: EmbeddedStore, connected: Store, days: int) -> None:
        """Migrate; a second time there is nothing left to do."""
        kept = settings_for(store.port, connected.database, USAGE_KEEP_MINUTE_ROWS=str(days))
        shown = [view for view in shipped() if view.name in self.ASKED]
        migrate(connected, kept, views=shown)
        assert migrate(connected, kept, views=shown).remade == ()

    def expire(self, store: Store, left: int) -> None:
        store.command("OPTIMIZE TABLE requests_1m FINAL")
        assert store.query("SELECT sum(requests) FROM requests_1m") == [(left,)]

    def by(self, store: Store, grain: str, hours: list[datetime]) -> list[list[int]]:
        """Return at which minute of each hour the bucket of each request begins."""
        found = []
        for since in hours:
            over = {"since": since, "until": since + timedelta(hours=1), "tenant": ""}
            rows = select(store, "requests_over_time", **over, token="", tz="UTC", grain=grain)
            found.append([row[0].minute for row in rows for _ in range(row[1])])
        return found

    def test_new_ends_are_exact(self, store: EmbeddedStore) -> None:
        connected = new_database(store.port)
        migrate(connected, settings_for(store.port, connected.database))
        now = datetime.now(UTC).replace(minute=7, second=0, microsecond=0) - timedelta(days=2)
        minutes = [now + timedelta(minutes=n) for n in (-1, 0, 40, 41)]
        insert(connected, REQUESTS, *(request(f"{one:%Y-%m-%d %H:%M}") for one in minutes))
        over = {"since": now, "until": now + timedelta(minutes=41), "tenant": ""}
        assert select(connected, "telemetry_summary", **over) == [(2, 0)]
        connected.command(f"DROP DATABASE {connected.database}")
        connected.close()


def test_rollups_are_filled_with_what_was_there_before(views: Store) -> None:
    fill(views)
    kinds = {"totals_15m": "completions + embeddings_us", "users_1d": "length(user_id)"}
    kinds["users_1mo"] = kinds["users_1d"]
    sums = "SELECT sum(requests), sum(cost), sum({}), sum(input_tokens) FROM {}"
    before = [views.query(sums.format(kind, table)) for table, kind in kinds.items()]
    zoned = next(one for one in files.read(resources.migrations()) if one.name == "zones")
    for _ in range(2):
        for statement in zoned.statements():
            for table in kinds:  # columns that a later migration added were not there yet
                added = "unmetered" if table == "totals_15m" else "late"
                as_then = f"INSERT INTO {table} (* EXCEPT {added})"
                statement = statement.replace(f"INSERT INTO {table}", as_then)
            views.command(statement)
    assert [views.query(sums.format(kind, table)) for table, kind in kinds.items()] == before


HOSTILE = 'o\'brien\\ "&" -- ; söhne'


class TestHostileParameters:
    def test_quotes_in_a_tenant(self, views: Store) -> None:
        insert(views, REQUESTS, request("2026-05-01 00:00", HOSTILE, token_id=HOSTILE))
        over = MAY | {"tenant": HOSTILE}
        assert select(views, "telemetry_summary", **over) == [(1, 0)]
        assert select(views, "top_tokens", **over, k=1)[0][:3] == (1, HOSTILE, HOSTILE)
        assert select(views, "request_summary", **over, token=HOSTILE)[0][0] == 1

    @pytest.mark.parametrize("tz", ["Mars/Olympus", "asia/kolkata", ""])
    def test_an_unknown_zone_is_refused(self, views: Store, tz: str) -> None:
        for view, more in (
            ("usage_trend", {"grain": "day"}),
            ("cost_trend", {"grain": "day"}),
            ("user_activity", {}),
            ("requests_over_time", {"grain": "hour", "token": ""}),
        ):
            with pytest.raises(StoreRefused, match=r"(?i)time ?zone"):
                select(views, view, **MAY, tz=tz, **more)

    def test_an_unknown_grain_is_refused(self, views: Store) -> None:
        for view, more in (("usage_trend", {}), ("cost_trend", {}), ("requests_over_time", TOKEN)):
            with pytest.raises(StoreRefused, match="unknown grain `fort'night`: it is minute,"):
                select(views, view, **MAY, tz="UTC", grain="fort'night", **more)

    def test_ten_years_of_minutes_are_refused(self, views: Store) -> None:
        over = between("2016-05-01", "2026-05-01", tz="UTC", grain="minute")
        for view, more in (("usage_trend", {}), ("cost_trend", {}), ("requests_over_time", TOKEN)):
            with pytest.raises(StoreRefused, match="more than 1,000,000 minutes"):
                select(views, view, **over, **more)

    def test_since_after_until_is_empty(self, views: Store) -> None:
        fill(views)
        back = between("2026-06-01 00:10", "2026-05-01 00:05")
        assert select(views, "telemetry_summary", **back) == [(0, 0)]
        assert select(views, "usage_trend", **back, tz="UTC", grain="day") == []
        assert select(views, "cost_trend", **back, tz="UTC", grain="day") == []
        assert select(views, "billing_by_agent", **back) == []
        assert select(views, "top_users", **back, k=3, token="") == []
        assert select(views, "request_summary", **back, token="")[0][0] == 0
        assert {row[3] for row in select(views, "usage_by_agent", **back)} == {0}
        assert {row[-1] for row in select(views, "user_activity", **back, tz="UTC")} <= {
            "stopped",
            "never",
        }

    def test_a_century_of_hours_and_periods_ends(self, views: Store) -> None:
        insert(views, ENTITIES, entity("tenant", "acme"))
        over = between("1971-01-01", "2071-01-01", tz="America/New_York", grain="day")
        assert len(select(views, "requests_over_time", **over, token="")) == 36_526
        rows = select(
            views, "billing_periods", as_of=at("2026-05-01"), periods=2**32 - 1, tenant=""
        )
        assert rows[0][1] == date(1970, 1, 1)
        assert len(rows) == 56 * 12 + 5


TOKEN = {"token": ""}
