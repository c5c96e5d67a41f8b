"""One example of every number, worked out by hand: for the person who asked for it.

Each test tells a short story in a few events, and says in words and figures what must come out.
Nothing here computes what is expected.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from pipeline.clickhouse.client import Store
from tests.support.contract.events import TYPES
from tests.support.contract.views import VIEWS
from tests.support.harness.instants import at
from tests.support.harness.view_check import select
from tests.support.harness.view_store import empty, fill
from tests.support.json_text import Num
from tests.support.oracle.log import (
    DEFINITIONS,
    ENTITIES,
    EVENTS,
    RECIPE_ACTIONS,
    REQUESTS,
    Entry,
)

MAY, JUNE, JULY = date(2026, 5, 1), date(2026, 6, 1), date(2026, 7, 1)


class Story:
    """Events as they are told; asking a view first sends what was told so far."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._log: list[Entry] = []
        self._sent = False

    def request(self, tenant: str, time: str, **data: Any) -> None:
        """A request of a chat model that took 100 ms and went well, but for what is said."""
        usual = {"operation": "chat", "model": "m", "status_code": 200, "duration_ms": 100}
        self._tell(REQUESTS, tenant, time, usual | data)

    def action(self, tenant: str, time: str, **data: Any) -> None:
        """A recipe's action that succeeded, but for what is said."""
        usual = {"recipe_id": "r", "job_id": "j", "step": 1, "kind": "action"}
        self._tell(RECIPE_ACTIONS, tenant, time, usual | {"outcome": "succeeded"} | data)

    def product_event(self, tenant: str, time: str, name: str, **properties: Any) -> None:
        """Something that happened in the product."""
        self._tell(EVENTS, tenant, time, {"name": name, "properties": properties})

    def metric(self, metric_id: str, **says: Any) -> None:
        """A user-defined metric of 30 days, as it stands from here on."""
        usual = {"metric_id": metric_id, "name": metric_id.title(), "interval_days": 30}
        self._tell(DEFINITIONS, "*", "2026-04-20 00:00", usual | says)

    def registered(self, entity: str, tenant: str, entity_id: str, since: str, **is_: Any) -> None:
        """How a thing stands from a time on."""
        data = {"entity": entity, "entity_id": entity_id, "attributes": is_}
        self._tell(ENTITIES, tenant, since, data)

    def customer(self, tenant: str, since: str = "2026-01-01 00:00", **is_: Any) -> None:
        """A customer's account."""
        self.registered("tenant", tenant, tenant, since, **is_)

    def deleted(self, entity: str, tenant: str, entity_id: str, since: str) -> None:
        """A thing is gone from a time on."""
        data = {"entity": entity, "entity_id": entity_id, "deleted": True}
        self._tell(ENTITIES, tenant, since, data)

    def ask(self, view: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """The view's rows; ``since``, ``until``, ``as_of`` as texts in UTC."""
        if not self._sent:
            empty(self._store)
            fill(self._store, self._log)
            self._sent = True
        instants = {n: at(v) for n, v in parameters.items() if n in ("since", "until", "as_of")}
        return select(self._store, view, parameters | instants)

    def _tell(self, topic: str, tenant: str, time: str, data: dict[str, Any]) -> None:
        number = len(self._log)
        ms = int(at(time).timestamp() * 1000)
        event = {
            "specversion": "1.0",
            "id": str(number),
            "source": "//told",
            "type": TYPES[topic],
            "subject": tenant,
            "data": data,
        }
        self._log.append(Entry(topic, 0, number, ms, event))
        self._sent = False


@pytest.fixture
def story(tables: Store) -> Story:
    """Provide a story with nothing told yet."""
    empty(tables)
    return Story(tables)


# Embedded partner: usage metrics ---------------------------------------------------------------


def test_a1_tasks_by_calendar_month(story: Story) -> None:
    """Acme's recipe ran in May: its trigger and its control flow are no tasks; two actions are, one
    of them with 200 items; so is the call of another recipe; a failed step and a skipped one are
    not. Rerun in July, the action counts again. The partner's own account counts nowhere. June had
    none: 0. September 2020 is before anything was counted: not available.

    The last event is of July, so May and June are closed, July is not.
    """
    story.customer("acme")
    story.customer("partner", kind="admin")
    story.action("acme", "2026-05-03 09:00", kind="trigger")
    story.action("acme", "2026-05-03 09:00", kind="control")
    story.action("acme", "2026-05-03 09:01", kind="action")
    story.action("acme", "2026-05-03 09:01", kind="action", items=200)
    story.action("acme", "2026-05-03 09:02", kind="call")
    story.action("acme", "2026-05-03 09:03", kind="action", outcome="failed")
    story.action("acme", "2026-05-03 09:04", kind="action", outcome="skipped")
    story.action("acme", "2026-07-03 09:01", kind="action", rerun=True)
    story.action("partner", "2026-05-04 09:00")
    rows = story.ask(
        "tasks_by_month", since="2026-05-01 00:00", until="2026-08-01 00:00", tz="UTC", tenant=""
    )
    assert rows == [(MAY, 3, 1, 1), (JUNE, 0, 1, 1), (JULY, 1, 1, 0)]
    rows = story.ask(
        "tasks_by_month", since="2020-09-01 00:00", until="2020-11-01 00:00", tz="UTC", tenant=""
    )
    assert rows == [(date(2020, 9, 1), None, 0, 1), (date(2020, 10, 1), 0, 1, 1)]


def test_a2_top_three_customers(story: Story) -> None:
    """Of the last 12 months as of 15 May 2026: they begin on 1 June 2025. Beta had three tasks,
    acme and zeta two each: the tie goes to acme, by its id. Delta's five were in May 2025: too old.
    """
    for tenant, name in (("acme", "Acme Ltd"), ("beta", "Beta Inc"), ("zeta", ""), ("delta", "D")):
        story.customer(tenant, "2025-01-01 00:00", name=name)
    for tenant, times in {"beta": 3, "acme": 2, "zeta": 2}.items():
        for day in range(1, times + 1):
            story.action(tenant, f"2026-02-0{day} 12:00")
    for day in range(1, 6):
        story.action("delta", f"2025-05-3{day % 2} 12:00")
    rows = story.ask("top_customers", as_of="2026-05-15 00:00", months=12, tz="UTC", k=3)
    assert rows == [(1, "beta", "Beta Inc", 3), (2, "acme", "Acme Ltd", 2), (3, "zeta", "zeta", 2)]


def test_a3_monthly_usage_for_programs(story: Story) -> None:
    """Acme had two tasks in May and one in June, in Kolkata's calendar: there, 31 May 18:30 UTC is
    already June. By recipe: one of each in May. July has begun, so both months are closed.
    """
    story.customer("acme", external_id="C-7", name="Acme Ltd")
    story.registered("recipe", "acme", "r1", "2026-01-01 00:00", name="Sync orders")
    story.action("acme", "2026-05-31 18:29", recipe_id="r1")
    story.action("acme", "2026-05-10 00:00", recipe_id="r2")
    story.action("acme", "2026-05-31 18:30", recipe_id="r1")
    story.request("acme", "2026-06-30 18:30")
    asked = {
        "since": "2026-04-30 18:30",
        "until": "2026-06-30 18:30",
        "tz": "Asia/Kolkata",
        "tenant": "acme",
    }
    assert sorted(story.ask("monthly_usage", **asked)) == [
        ("acme", "C-7", "Acme Ltd", MAY, 2, 1),
        ("acme", "C-7", "Acme Ltd", JUNE, 1, 1),
    ]
    assert sorted(story.ask("monthly_usage_by_recipe", **asked)) == [
        ("acme", "r1", "Sync orders", MAY, 1),
        ("acme", "r1", "Sync orders", JUNE, 1),
        ("acme", "r2", "r2", MAY, 1),
    ]


def test_a4_connections(story: Story) -> None:
    """Acme has two connections; a third was disconnected, a fourth deleted. Those of the partner's
    own account, of a deleted customer and of an account nobody registered do not count: 2.
    """
    story.customer("acme")
    story.customer("partner", kind="admin")
    story.customer("gone")
    story.deleted("tenant", "gone", "gone", "2026-05-05 00:00")
    for tenant, ids in {"acme": "abcd", "partner": "p", "gone": "g", "stranger": "s"}.items():
        for one in ids:
            story.registered("connection", tenant, one, "2026-05-01 00:00", status="connected")
    story.registered("connection", "acme", "c", "2026-05-02 00:00", status="disconnected")
    story.deleted("connection", "acme", "d", "2026-05-02 00:00")
    rows = story.ask(
        "connections_by_month", as_of="2026-05-20 00:00", months=1, tz="UTC", tenant=""
    )
    assert rows == [(MAY, 2)]


def test_a5_connections_trend(story: Story) -> None:
    """One connection was made in April, one in June, when the first was deleted: at the end of
    April 1, of May 1, and now, in the middle of June, 1; before April none.
    """
    story.customer("acme")
    story.registered("connection", "acme", "a", "2026-04-10 00:00", status="connected")
    story.registered("connection", "acme", "b", "2026-06-01 00:00", status="connected")
    story.registered("connection", "acme", "c", "2026-06-20 00:00", status="connected")
    story.deleted("connection", "acme", "a", "2026-06-02 00:00")
    rows = story.ask(
        "connections_by_month", as_of="2026-06-15 00:00", months=6, tz="UTC", tenant=""
    )
    months = [date(2026, month, 1) for month in range(1, 7)]
    assert rows == list(zip(months, [0, 0, 0, 1, 1, 1], strict=True))


def test_a6_most_popular_apps(story: Story) -> None:
    """Salesforce has three connections in two accounts, jira and slack one each: jira comes first,
    by its id.
    """
    story.customer("acme")
    story.customer("beta")
    story.registered("app", "*", "salesforce", "2026-01-01 00:00", name="Salesforce")
    connections = [("acme", "salesforce"), ("acme", "salesforce"), ("beta", "salesforce")]
    for n, (tenant, app) in enumerate([*connections, ("beta", "slack"), ("acme", "jira")]):
        story.registered(
            "connection", tenant, f"c{n}", "2026-05-01 00:00", app=app, status="connected"
        )
    assert story.ask("top_apps", as_of="2026-05-20 00:00", k=10, tenant="") == [
        (1, "salesforce", "Salesforce", 3),
        (2, "jira", "jira", 1),
        (3, "slack", "slack", 1),
    ]


def test_a7_customers_and_their_trend(story: Story) -> None:
    """Acme came in March; beta, whose subscription has expired, in April; gone came in March and
    left in May. The partner itself is no customer: 2 in March, 3 in April, 2 in May.
    """
    story.customer("acme", "2026-03-01 00:00", subscription="active")
    story.customer("beta", "2026-04-01 00:00", subscription="expired")
    story.customer("gone", "2026-03-02 00:00")
    story.customer("partner", "2026-03-01 00:00", kind="admin")
    story.deleted("tenant", "gone", "gone", "2026-05-02 00:00")
    rows = story.ask("customers_by_month", as_of="2026-05-20 00:00", months=3, tz="UTC")
    assert rows == [(date(2026, 3, 1), 2), (date(2026, 4, 1), 3), (MAY, 2)]


def test_a8_a_customers_page(story: Story) -> None:
    """Acme had two tasks in May (and one in April), has one connection, one of its two recipes
    runs, and two of its three users are still there. It was last seen by a product event.
    """
    story.customer("acme", name="Acme Ltd", external_id="C-7", subscription="active")
    story.action("acme", "2026-04-30 23:59")
    story.action("acme", "2026-05-01 00:00")
    story.action("acme", "2026-05-02 00:00")
    story.request("acme", "2026-05-03 00:00")
    story.product_event("acme", "2026-05-04 10:07", "login")
    story.registered("connection", "acme", "c", "2026-05-01 00:00", status="connected")
    story.registered("recipe", "acme", "r1", "2026-05-01 00:00", status="running")
    story.registered("recipe", "acme", "r2", "2026-05-01 00:00", status="stopped")
    for user in ("ann", "bob", "cid"):
        story.registered("user", "acme", user, "2026-05-01 00:00", name=user.title())
    story.deleted("user", "acme", "cid", "2026-05-02 00:00")
    assert story.ask("customers", as_of="2026-05-20 00:00", tz="UTC") == [
        ("acme", "Acme Ltd", "C-7", "active", 2, 1, 1, 2, at("2026-05-04 10:07"))
    ]


def test_a9_active_recipes(story: Story) -> None:
    """Two recipes of acme ran at the end of April; one was stopped in May. The partner's own recipe
    does not count.
    """
    story.customer("acme")
    story.customer("partner", kind="admin")
    for tenant, recipe in (("acme", "r1"), ("acme", "r2"), ("partner", "r3")):
        story.registered("recipe", tenant, recipe, "2026-04-01 00:00", status="running")
    story.registered("recipe", "acme", "r2", "2026-05-01 00:00", status="stopped")
    rows = story.ask(
        "active_recipes_by_month", as_of="2026-05-20 00:00", months=2, tz="UTC", tenant=""
    )
    assert rows == [(date(2026, 4, 1), 2), (MAY, 1)]


def test_a10_recommended_recipes(story: Story) -> None:
    """The partner recommends two recipes. Customers cloned *orders* twice (one clone was deleted
    later: it still counts) and *leads* once; the partner's own clone of *leads* does not count. A
    recipe nobody cloned, and one that is not recommended, are not in the list.
    """
    story.customer("acme")
    story.customer("beta")
    story.customer("partner", kind="admin")
    for recipe, is_recommended in (("orders", 1), ("leads", 1), ("unloved", 1), ("plain", 0)):
        story.registered(
            "recipe",
            "partner",
            recipe,
            "2026-01-01 00:00",
            name=recipe.title(),
            recommended=bool(is_recommended),
        )
    clones = [("acme", "orders"), ("beta", "orders"), ("beta", "leads"), ("partner", "leads")]
    for n, (tenant, origin) in enumerate([*clones, ("acme", "plain")]):
        story.registered("recipe", tenant, f"clone-{n}", "2026-02-01 00:00", cloned_from=origin)
    story.deleted("recipe", "acme", "clone-0", "2026-03-01 00:00")
    assert story.ask("recommended_recipes", as_of="2026-05-20 00:00", k=5) == [
        (1, "orders", "Orders", 2),
        (2, "leads", "Leads", 1),
    ]


# Telemetry -------------------------------------------------------------------------------------

MAY_UTC = {"since": "2026-05-01 00:00", "until": "2026-06-01 00:00", "tenant": ""}


def test_c1_interactions_users_and_cost(story: Story) -> None:
    """Four requests in May, a failed one among them, by two users and by nobody: 4 interactions, 2
    active users (Ann of acme and Ann of beta are two). They cost 0.1 and 0.2 dollars, exactly 0.3,
    and 5 euros; one had no price.
    """
    story.request("acme", "2026-05-01 00:00", user_id="ann", cost="0.1")
    story.request("acme", "2026-05-02 00:00", user_id="ann", cost="0.2", status_code=500)
    story.request("beta", "2026-05-03 00:00", user_id="ann", cost=5, currency="EUR")
    story.request("acme", "2026-05-31 23:59")
    story.request("acme", "2026-06-01 00:00", user_id="bob", cost=1)
    assert story.ask("telemetry_summary", **MAY_UTC) == [(4, 2)]
    assert sorted(story.ask("billing_by_tenant", **MAY_UTC)) == [
        ("acme", "", Decimal(0), 1),
        ("acme", "USD", Decimal("0.3"), 0),
        ("beta", "EUR", Decimal(5), 0),
    ]


def test_c2_usage_trend(story: Story) -> None:
    """By ISO week, in New York, over the change of clocks on 8 March 2026: that week begins on
    Monday 2 March at 05:00 UTC, the next on the 9th at 04:00 UTC. Ann had an interaction in each
    of them, at the last and the first moment; the third week is empty.
    """
    story.request("acme", "2026-03-09 03:59", user_id="ann", cost=1)
    story.request("acme", "2026-03-09 04:00", user_id="ann", cost=2)
    asked = {
        "since": "2026-03-04 00:00",
        "until": "2026-03-17 00:00",
        "tz": "America/New_York",
        "grain": "week",
        "tenant": "acme",
    }
    weeks = [at("2026-03-02 05:00"), at("2026-03-09 04:00"), at("2026-03-16 04:00")]
    assert story.ask("usage_trend", **asked) == [
        (weeks[0], 1, 1),
        (weeks[1], 1, 1),
        (weeks[2], 0, 0),
    ]
    assert story.ask("cost_trend", **asked) == [
        (weeks[0], "USD", Decimal(1)),
        (weeks[1], "USD", Decimal(2)),
    ]


def test_c3_by_agent_and_by_team(story: Story) -> None:
    """Ann used the agent *helper* twice; one request named no agent, nor user: that is a group of
    its own. The agent *idle* was never used, and stands there with zeros.
    """
    story.customer("acme")
    story.registered("agent", "acme", "helper", "2026-01-01 00:00", name="Helper")
    story.registered("agent", "acme", "idle", "2026-01-01 00:00", name="Idle")
    story.registered("team", "acme", "sales", "2026-01-01 00:00", name="Sales")
    tokens = {"input_tokens": 100, "output_tokens": 10}
    for _ in range(2):
        story.request(
            "acme", "2026-05-02 00:00", user_id="ann", agent_id="helper", team_id="sales", **tokens
        )
    story.request("acme", "2026-05-02 00:00", **tokens)
    assert sorted(story.ask("usage_by_agent", **MAY_UTC)) == [
        ("acme", "", "unattributed", 1, 0, 100, 10, 110),
        ("acme", "helper", "Helper", 2, 1, 200, 20, 220),
        ("acme", "idle", "Idle", 0, 0, 0, 0, 0),
    ]
    assert sorted(story.ask("usage_by_team", **MAY_UTC)) == [
        ("acme", "", "unattributed", 1, 0, 100, 10, 110),
        ("acme", "sales", "Sales", 2, 1, 200, 20, 220),
    ]


def test_c4_users(story: Story) -> None:
    """In May Ann had three interactions on two days, 1.5 a day; Bob was last seen in April: he
    stopped; Cid never came. Dan, whom nobody registered, came once.
    """
    story.customer("acme")
    for user in ("ann", "bob", "cid"):
        email = f"{user}@example.com"
        story.registered(
            "user",
            "acme",
            user,
            "2026-01-01 00:00",
            name=user.title(),
            email=email,
            team_id="sales",
        )
    for user, time in (
        ("bob", "2026-04-02 08:00"),
        ("ann", "2026-04-01 09:00"),
        ("ann", "2026-05-02 10:00"),
        ("ann", "2026-05-02 11:00"),
        ("ann", "2026-05-04 12:00"),
        ("dan", "2026-05-05 13:00"),
    ):
        story.request("acme", time, user_id=user)
    ann = at("2026-04-01 09:00"), at("2026-05-04 12:00")
    bob, dan = at("2026-04-02 08:00"), at("2026-05-05 13:00")
    assert sorted(story.ask("user_activity", **MAY_UTC, tz="UTC")) == [
        ("acme", "ann", "Ann", "ann@example.com", "sales", 3, 2, 1.5, *ann, "active"),
        ("acme", "bob", "Bob", "bob@example.com", "sales", 0, 0, None, bob, bob, "stopped"),
        ("acme", "cid", "Cid", "cid@example.com", "sales", 0, 0, None, None, None, "never"),
        ("acme", "dan", "dan", "", "", 1, 1, 1.0, dan, dan, "active"),
    ]


def test_c5_billing(story: Story) -> None:
    """Acme is billed from the 31st, in Kolkata: as of 10 March its period began on 28 February,
    which has no 31st, that is on the 27th at 18:30 UTC. In it acme cost 3 dollars: 1 of sales, 2 of
    no team; one request had no price. The parts add up to the whole.
    """
    story.customer("acme", timezone="Asia/Kolkata", billing_anchor_day=31)
    story.registered("team", "acme", "sales", "2026-01-01 00:00", name="Sales")
    story.request("acme", "2026-02-27 18:29", cost=100)
    story.request("acme", "2026-02-27 18:30", cost=1, team_id="sales", agent_id="helper")
    story.request("acme", "2026-03-05 00:00", cost=2)
    story.request("acme", "2026-03-06 00:00", agent_id="helper")
    start, end = at("2026-02-27 18:30"), at("2026-03-30 18:30")
    assert story.ask("billing_periods", as_of="2026-03-10 00:00", periods=1, tenant="acme") == [
        ("acme", date(2026, 2, 28), start, end, 0)
    ]
    period = {"since": "2026-02-27 18:30", "until": "2026-03-30 18:30", "tenant": "acme"}
    assert sorted(story.ask("billing_by_tenant", **period)) == [
        ("acme", "", Decimal(0), 1),
        ("acme", "USD", Decimal(3), 0),
    ]
    assert sorted(story.ask("billing_by_team", **period)) == [
        ("acme", "", "unattributed", "", Decimal(0), 1),
        ("acme", "", "unattributed", "USD", Decimal(2), 0),
        ("acme", "sales", "Sales", "USD", Decimal(1), 0),
    ]
    assert sorted(story.ask("billing_by_agent", **period)) == [
        ("acme", "", "unattributed", "USD", Decimal(2), 0),
        ("acme", "helper", "helper", "", Decimal(0), 1),
        ("acme", "helper", "helper", "USD", Decimal(1), 0),
    ]


# Usage dashboard -------------------------------------------------------------------------------

HOUR = {"since": "2026-05-01 10:00", "until": "2026-05-01 11:00"}


def totals(row: tuple[Any, ...]) -> dict[str, Any]:
    """A row of the summary by its columns' names."""
    return dict(zip(VIEWS["request_summary"].columns, row, strict=True))


def test_d1_scope(story: Story) -> None:
    """Acme had two requests, beta one. A global administrator asks for all and sees 3; asked for
    one organization, or for one token, the others' are not in it.
    """
    story.request("acme", "2026-05-01 10:00", token_id="t1")
    story.request("acme", "2026-05-01 10:01", token_id="t2")
    story.request("beta", "2026-05-01 10:02", token_id="t1")

    def requests(tenant: str, token: str) -> int:
        [row] = story.ask("request_summary", **HOUR, tenant=tenant, token=token)
        return int(row[0])

    assert requests("", "") == 3
    assert requests("acme", "") == 2
    assert requests("acme", "t1") == 1
    assert requests("", "t1") == 2
    assert requests("acm", "") == 0


def test_d2_time_frames(story: Story) -> None:
    """Three requests, one failed, at 10:00, 10:00 and 10:03, asked for in minutes: 2, 0, 0, 1; in
    an hour: 3; in days of Kathmandu, where 18:15 UTC is midnight: all on 1 May.
    """
    story.request("acme", "2026-05-01 10:00", input_tokens=1)
    story.request("acme", "2026-05-01 10:00", input_tokens=2, output_tokens=5, status_code=404)
    story.request("acme", "2026-05-01 10:03", input_tokens=4)
    whom = {"tenant": "acme", "token": ""}
    minutes = story.ask(
        "requests_over_time",
        since="2026-05-01 10:00",
        until="2026-05-01 10:04",
        tz="UTC",
        grain="minute",
        **whom,
    )
    assert minutes == [
        (at("2026-05-01 10:00"), 2, 1, 3, 5),
        (at("2026-05-01 10:01"), 0, 0, 0, 0),
        (at("2026-05-01 10:02"), 0, 0, 0, 0),
        (at("2026-05-01 10:03"), 1, 0, 4, 0),
    ]
    hours = story.ask("requests_over_time", **HOUR, tz="UTC", grain="hour", **whom)
    assert hours == [(at("2026-05-01 10:00"), 3, 1, 7, 5)]
    days = story.ask(
        "requests_over_time",
        since="2026-04-30 18:15",
        until="2026-05-01 18:16",
        tz="Asia/Kathmandu",
        grain="day",
        **whom,
    )
    assert days == [(at("2026-04-30 18:15"), 3, 1, 7, 5), (at("2026-05-01 18:15"), 0, 0, 0, 0)]


def test_d3_total_and_failed_requests(story: Story) -> None:
    """Five requests; those with status 400 and 503 failed, 399 did not."""
    for status in (200, 201, 399, 400, 503):
        story.request("acme", "2026-05-01 10:30", status_code=status)
    [row] = story.ask("request_summary", **HOUR, tenant="", token="")
    assert (totals(row)["requests"], totals(row)["failed_requests"]) == (5, 2)


def test_d4_response_times(story: Story) -> None:
    """Completions took 100, 200 and 600 ms (the last one failed): 300 on average, half of them up
    to 200 within 5 %. There were no embeddings: no value, not 0. A reranking is neither.
    """
    story.request("acme", "2026-05-01 10:00", operation="chat", duration_ms=100)
    story.request("acme", "2026-05-01 10:00", operation="text_completion", duration_ms=200)
    story.request(
        "acme",
        "2026-05-01 10:00",
        operation="generate_content",
        duration_ms=600,
        status_code=500,
    )
    story.request("acme", "2026-05-01 10:00", operation="rerank", duration_ms=9999)
    [row] = story.ask("request_summary", **HOUR, tenant="", token="")
    times = totals(row)
    assert times["completion_ms_avg"] == 300
    assert times["completion_ms_p50"] == pytest.approx(200, rel=0.05)
    assert [times[f"embedding_ms_{name}"] for name in ("avg", "p50", "p95", "p99")] == [None] * 4


def test_d5_tokens(story: Story) -> None:
    """1,000 tokens went in, 400 of them from a cache and 50 into it; 200 came out, 150 of them of
    reasoning: 1,200 in all, the parts shown but not added again.
    """
    story.request(
        "acme",
        "2026-05-01 10:00",
        input_tokens=1000,
        cache_read_input_tokens=400,
        cache_creation_input_tokens=50,
        output_tokens=200,
        reasoning_output_tokens=150,
    )
    [row] = story.ask("request_summary", **HOUR, tenant="", token="")
    assert row[-6:] == (1000, 200, 1200, 400, 50, 150)


def test_d6_the_table(story: Story) -> None:
    """Acme had three requests, beta one. Within acme, token t1 (Ann's, of the service account *ci*)
    had two, and one came without a token. Within t1, Ann and Bob had one each: Ann comes first.
    """
    story.customer("acme", name="Acme Ltd")
    story.registered("user", "acme", "ann", "2026-01-01 00:00", email="ann@example.com")
    story.registered("service_account", "acme", "ci", "2026-01-01 00:00", name="CI")
    story.registered(
        "token",
        "acme",
        "t1",
        "2026-01-01 00:00",
        name="Build",
        owner_user_id="ann",
        service_account_id="ci",
    )
    tokens = {"input_tokens": 10, "output_tokens": 1}
    story.request("acme", "2026-05-01 10:00", token_id="t1", user_id="bob", **tokens)
    story.request("acme", "2026-05-01 10:00", token_id="t1", user_id="ann", **tokens)
    story.request("acme", "2026-05-01 10:00", **tokens)
    story.request("beta", "2026-05-01 10:00", **tokens)
    assert story.ask("top_tenants", **HOUR, k=10) == [
        (1, "acme", "Acme Ltd", 3, 30, 3, 33),
        (2, "beta", "beta", 1, 10, 1, 11),
    ]
    assert story.ask("top_tokens", **HOUR, k=10, tenant="acme") == [
        (1, "acme", "t1", "Build", 2, 20, 2, 22, "ann@example.com", "CI"),
        (2, "acme", "", "unattributed", 1, 10, 1, 11, "", ""),
    ]
    assert story.ask("top_users", **HOUR, k=1, tenant="acme", token="t1") == [
        (1, "acme", "ann", 1, 10, 1, 11)
    ]


def test_d7_requests_by_model(story: Story) -> None:
    """Of the two models in the catalogue one was asked twice, the other never; a third, which is
    not in the catalogue, once.
    """
    story.registered("model", "*", "large", "2026-01-01 00:00", name="Large")
    story.registered("model", "*", "small", "2026-01-01 00:00", name="Small")
    for model in ("large", "large", "other"):
        story.request("acme", "2026-05-01 10:00", model=model)
    rows = story.ask("requests_by_model", **HOUR, tenant="", token="")
    assert sorted(rows) == [("large", "Large", 2), ("other", "other", 1), ("small", "Small", 0)]


# User-defined metrics ---------------------------------------------------------------------------

API_CALLS = {
    "match": ["api_request", "api_call"],
    "filters": [{"property": "status", "operator": "exact", "value": 200}],
}


def test_b1_b2_successful_api_calls_and_their_change(story: Story) -> None:
    """Events named api_request or api_call, only those with status 200. In the 30 days before
    1 May 12:00 acme had three of them, in the 30 days before those two: +50 %. The one at the
    beginning of a window belongs to it, the one at its end does not. A status "200" in a string is
    200 too; 500, true, a missing status, another name are not. Zeta had one now and none before:
    new, no percentage. Beta had none at all. Kept is everything since January.
    """
    for tenant in ("acme", "beta", "zeta"):
        story.customer(tenant)
    story.metric("api_calls", **API_CALLS)
    story.product_event("acme", "2026-01-01 00:00", "api_call", status=500)
    story.product_event("acme", "2026-04-01 12:00", "api_call", status=200)
    story.product_event("acme", "2026-04-10 09:00", "api_request", status="200")
    story.product_event("acme", "2026-05-01 11:59", "api_call", status=200.0)
    story.product_event("acme", "2026-05-01 12:00", "api_call", status=200)
    for status in (500, True, None, "OK"):
        story.product_event("acme", "2026-04-20 09:00", "api_call", status=status)
    story.product_event("acme", "2026-04-20 09:00", "login", status=200)
    story.product_event("acme", "2026-03-02 12:00", "api_call", status=200)
    story.product_event("acme", "2026-04-01 11:59", "api_call", status=200)
    story.product_event("zeta", "2026-04-20 09:00", "api_call", status=200)
    rows = story.ask("metric_values", as_of="2026-05-01 12:00", tenant="")
    about = ("api_calls", 1, "Api_Calls", "numeric", "")
    assert rows == [
        ("acme", *about, 3, 2, 50.0, "ok", 3, 0, 0, 0),
        ("beta", *about, 0, 0, None, "none", 0, 0, 0, 0),
        ("zeta", *about, 1, 0, None, "new", 1, 0, 0, 0),
    ]


def test_b3_a_bar_for_each_day_that_the_window_touches(story: Story) -> None:
    """Seven days before 1 May 12:00, in Kolkata: from 24 April 17:30 there to 1 May 17:30, so eight
    bars, of which the first and the last are cut. 25 April 18:30 UTC is already the 26th. They add
    up to 10.75, the value beside them; what was before the window is in no bar.
    """
    story.customer("acme")
    story.metric(
        "revenue",
        interval_days=7,
        format="currency",
        currency="EUR",
        display="sparkline",
        calculation="sum",
        property="order.amount",
        match=["order_paid"],
    )
    story.product_event("acme", "2026-04-24 11:59", "order_paid", order={"amount": 100})
    story.product_event("acme", "2026-04-24 12:00", "order_paid", order={"amount": 0.25})
    story.product_event("acme", "2026-04-25 18:30", "order_paid", order={"amount": "10.5"})
    story.product_event("acme", "2026-05-01 11:00", "order_paid", order={"amount": 0})
    rows = story.ask(
        "metric_sparkline", as_of="2026-05-01 12:00", tz="Asia/Kolkata", tenant="", metric="revenue"
    )
    bars = {24: Decimal("0.25"), 26: Decimal("10.5")}
    april = [("acme", "revenue", date(2026, 4, n), bars.get(n, 0)) for n in range(24, 31)]
    assert rows == [*april, ("acme", "revenue", date(2026, 5, 1), 0)]
    [row] = story.ask("metric_values", as_of="2026-05-01 12:00", tenant="acme")
    assert row[5:7] == ("EUR", Decimal("10.75"))


@pytest.mark.parametrize(
    ("operator", "value", "holds"),
    [
        ("exact", "pro", ["pro"]),
        ("is_not", "pro", ["Pro", "200", 12.5, True, None]),
        ("contains", "r", ["pro", "Pro"]),
        ("not_contains", "ro", ["200", 12.5, True, None]),
        ("regex", "^[Pp]ro$", ["pro", "Pro"]),
        ("not_regex", "o", ["200", 12.5, True, None]),
        ("gt", 12.5, ["200"]),
        ("gte", 12.5, ["200", 12.5]),
        ("lt", 200, [12.5]),
        ("lte", 200, ["200", 12.5]),
        ("between", [12.5, 199], [12.5]),
        ("in", ["pro", 200, True], ["pro", "200", True]),
        ("not_in", ["pro", 200, True], ["Pro", 12.5, None]),
        ("is_set", None, ["pro", "Pro", "200", 12.5, True]),
        ("is_not_set", None, [None]),
    ],
)
def test_b4_each_filter(story: Story, operator: str, value: Any, holds: list[Any]) -> None:
    """Six events: plan is "pro", "Pro", the string "200", 12.5, true, and in one there is none."""
    story.customer("acme")
    plans = ["pro", "Pro", "200", 12.5, True, None]
    for number, plan in enumerate(plans):
        story.product_event("acme", f"2026-04-2{number} 10:00", "login", user={"plan": plan})
    one = {"property": "user.plan", "operator": operator, "value": value}
    story.metric("logins", match=["login"], filters=[one])
    rows = story.ask(
        "metric_sparkline", as_of="2026-05-01 00:00", tz="UTC", tenant="", metric="logins"
    )
    found = [plans[day.day - 20] for _, _, day, n in rows if n]
    assert found == holds


def test_b4_a_date_is_compared_as_an_instant(story: Story) -> None:
    """Due 1 May 00:00 in Kolkata is 30 April 18:30 UTC: before 19:00 UTC. A text is never."""
    story.customer("acme")
    story.product_event("acme", "2026-04-20 10:00", "todo", due="2026-05-01T00:00:00+05:30")
    story.product_event("acme", "2026-04-20 10:00", "todo", due="2026-04-30T19:00:00Z")
    story.product_event("acme", "2026-04-20 10:00", "todo", due="soon")
    before = {"property": "due", "operator": "lt", "value": {"date": "2026-04-30T19:00:00Z"}}
    story.metric("due", match=["todo"], filters=[before])
    [row] = story.ask("metric_values", as_of="2026-05-01 00:00", tenant="acme")
    assert row[6] == 1


def test_b5_sums_are_exact_and_what_adds_nothing_is_counted(story: Story) -> None:
    """0.1 and 0.2 are 0.3, and 38 digits before the point lose nothing of 0.7 behind it. Of seven
    events one has no amount, one a word, one a number that is too small to be exact.
    """
    story.customer("acme")
    for amount in (Num("0.1"), Num("0.2"), Num("9" * 38), "0.7", None, "free", Num("1e-19")):
        story.product_event("acme", "2026-04-20 10:00", "paid", amount=amount)
    story.metric("paid", match=["paid"], calculation="sum", property="amount")
    [row] = story.ask("metric_values", as_of="2026-05-01 00:00", tenant="acme")
    assert row[6] == Decimal("1" + "0" * 38)
    assert row[10:] == (7, 1, 1, 1)


def test_b5_metrics_of_requests(story: Story) -> None:
    """Acme asked the large model for 100 + 20 and 200 + 0 tokens, and once without a count, which
    failed; the small one for 7. So 320 tokens of the large one, 50 in the window before: +540 %.
    Two of the four were priced in dollars, 1.25 in all, one in euros, one not at all. They took
    400 ms on average.
    """
    story.customer("acme")
    story.request("acme", "2026-01-01 00:00", model="other")
    story.request("acme", "2026-03-20 10:00", model="large", input_tokens=50)
    for data in (
        {"model": "large", "input_tokens": 100, "output_tokens": 20, "cost": "1", "duration_ms": 1},
        {"model": "large", "input_tokens": 200, "cost": "0.25", "duration_ms": 599},
        {"model": "large", "status_code": 500, "duration_ms": 900},
        {"model": "small", "input_tokens": 7, "cost": "9", "currency": "EUR"},
    ):
        story.request("acme", "2026-04-20 10:00", **data)
    tokens = {"calculation": "sum", "property": "total_tokens"}
    large = {"property": "model", "operator": "exact", "value": "large"}
    failed = {"property": "failed", "operator": "exact", "value": True}
    story.metric("tokens", source="requests", **tokens, filters=[large])
    story.metric("failures", source="requests", filters=[failed])
    spent = {"calculation": "sum", "property": "cost", "format": "currency", "currency": "USD"}
    story.metric("spent", source="requests", **spent)
    story.metric("took", source="requests", calculation="average", property="duration_ms")
    rows = story.ask("metric_values", as_of="2026-05-01 00:00", tenant="acme")
    found = {row[1]: row for row in rows}
    assert found["tokens"][6:10] == (320, 50, 540.0, "ok")
    assert found["failures"][6:10] == (1, 0, None, "new")
    assert found["spent"][5:7] == ("USD", Decimal("1.25"))
    assert found["spent"][10:] == (3, 1, 0, 0)
    assert found["took"][6] == 400


def test_b5_metrics_of_recipe_actions(story: Story) -> None:
    """Acme's recipe r1 had four steps: three actions of the app salesforce, of which one failed,
    and a control step. Neither the control step nor the one that failed is a task. Recipe r2 had
    one action of the app slack. In the window before r1 had one.
    """
    story.customer("acme")
    story.action("acme", "2026-01-01 00:00", recipe_id="r0")
    story.action("acme", "2026-03-20 10:00", recipe_id="r1", app="salesforce")
    for step, data in enumerate(
        (
            {"recipe_id": "r1", "app": "salesforce"},
            {"recipe_id": "r1", "app": "salesforce"},
            {"recipe_id": "r1", "app": "salesforce", "outcome": "failed"},
            {"recipe_id": "r1", "kind": "control"},
            {"recipe_id": "r2", "app": "slack"},
        )
    ):
        story.action("acme", "2026-04-20 10:00", step=step, **data)
    r1 = {"property": "recipe_id", "operator": "exact", "value": "r1"}
    no_slack = {"property": "app", "operator": "not_in", "value": ["slack"]}
    went_well = {"property": "failed", "operator": "exact", "value": False}
    story.metric("steps", source="actions", filters=[r1])
    tasks = {"calculation": "sum", "property": "tasks"}
    story.metric("tasks", source="actions", **tasks, filters=[no_slack])
    story.metric("successes", source="actions", **tasks, filters=[went_well])
    rows = story.ask("metric_values", as_of="2026-05-01 00:00", tenant="acme")
    assert {row[1]: row[6:10] for row in rows} == {
        "steps": (4, 1, 300.0, "ok"),
        "tasks": (2, 1, 100.0, "ok"),
        "successes": (3, 1, 200.0, "ok"),
    }
    bars = story.ask(
        "metric_sparkline", as_of="2026-05-01 00:00", tz="UTC", tenant="", metric="steps"
    )
    assert [(day, value) for _, _, day, value in bars if value] == [(date(2026, 4, 20), 4)]


def test_b6_every_customer_at_once_and_who_else_has_any(story: Story) -> None:
    """Acme and beta stand, beta with nothing. Gone was deleted and stranger never registered, but
    they have events; so has the partner's own account. Quiet was deleted and has none.
    """
    for tenant in ("acme", "beta", "gone", "quiet"):
        story.customer(tenant)
    story.customer("partner", kind="admin")
    for tenant in ("gone", "quiet"):
        story.deleted("tenant", tenant, tenant, "2026-04-25 00:00")
    for tenant in ("acme", "gone", "stranger", "partner"):
        story.product_event(tenant, "2026-04-20 10:00", "login")
    story.metric("logins", match=["login"])
    rows = story.ask("metric_values", as_of="2026-05-01 00:00", tenant="")
    assert [(row[0], row[6]) for row in rows] == [
        ("acme", 1),
        ("beta", 0),
        ("gone", 1),
        ("partner", 1),
        ("stranger", 1),
    ]


def test_b7_a_new_metric_and_a_changed_one_hold_for_the_past_too(story: Story) -> None:
    """The events are there first. Then the metric is defined, changed to sum their sizes, retired
    and brought back: each time all of the past is answered by what stands, under its version.
    """
    story.customer("acme")
    for size in (1, 2.5):
        story.product_event("acme", "2026-04-20 10:00", "export", size=size)
    asked = {"as_of": "2026-05-01 00:00", "tenant": "acme"}
    assert story.ask("metric_values", **asked) == []
    story.metric("exports", match=["export"])
    assert [row[2:7:4] for row in story.ask("metric_values", **asked)] == [(1, 2)]
    story.metric("exports", match=["export"], calculation="sum", property="size")
    assert [row[2:7:4] for row in story.ask("metric_values", **asked)] == [(2, Decimal("3.5"))]
    story.metric("exports", match=["export"], retired=True)
    assert story.ask("metric_values", **asked) == []
    story.metric("exports", match=["export"])
    assert [row[2:7:4] for row in story.ask("metric_values", **asked)] == [(4, 2)]


def test_what_a_count_is_made_of(story: Story) -> None:
    """Three logins on pro, two of a plan called other, one of none: the two greatest, then the
    rest.
    """
    story.customer("acme")
    for plan in ("pro", "pro", "pro", "other", "other", None):
        story.product_event("acme", "2026-04-20 10:00", "login", plan=plan)
    story.metric("logins", match=["login"])
    asked = {"as_of": "2026-05-01 00:00", "tenant": "", "metric": "logins", "property": "plan"}
    of_logins = ("acme", "logins")
    assert story.ask("metric_breakdown", **asked, k=2) == [
        (*of_logins, 1, "pro", 3),
        (*of_logins, 2, "other", 2),
        (*of_logins, 3, "other", 1),
    ]
