"""The page in a real browser: its numbers are the API's, and nobody sees more than is theirs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, quote

import pytest
from playwright.sync_api import Browser, Route, expect

from pipeline.access.roles import ALL, Role
from pipeline.panels.catalogue import PANELS
from pipeline.panels.panel import Tab
from pipeline.web import FILES, POLICY, ROUTES
from tests.support.harness.api import Served
from tests.support.harness.api_world import api_over_a_world
from tests.support.harness.browser import Screen, chromium, screen
from tests.support.harness.store import EmbeddedStore

SINCE, UNTIL = "2024-01-01T00:00:00Z", "2025-04-01T00:00:00Z"
RANGE = f"since={SINCE}&until={UNTIL}&tz=UTC"
TABS = [tab for tab in Tab if tab not in (Tab.HEALTH, Tab.CUSTOMER)]


@pytest.fixture(scope="module")
def api(store: EmbeddedStore) -> Iterator[Served]:
    """Provide an API with the page over a seeded world."""
    with api_over_a_world(store.port, more=ROUTES) as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Provide one browser."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def admin(api: Served) -> str:
    """Provide who sees everything but the ledger."""
    return api.let(Role.ADMIN, ALL)


@pytest.fixture(scope="module")
def tenant(api: Served, admin: str) -> str:
    """Provide an organization that has requests."""
    rows = asked(api, admin, "top_tenants", k="1")
    return str(rows[0]["tenant"])


def asked(api: Served, who: str, view: str, **more: str) -> list[dict[str, Any]]:
    values = {"since": SINCE, "until": UNTIL, **more}
    answer = api.view(view, values, who=who)
    assert answer.status == 200, answer.body
    rows: list[dict[str, Any]] = answer.json["rows"]
    return rows


def on(browser: Browser, api: Served, who: str, **options: Any) -> Any:
    return screen(browser, f"http://127.0.0.1:{api.port}", who, **options)


def numbers(shown: Screen, panel: str) -> dict[str, str]:
    """The exact values behind a panel's cards, by their names."""
    cards = shown.panel(panel).locator("dl.stats > div")
    return {
        card.locator("dt").inner_text().lower(): str(
            card.locator("dd").first.get_attribute("data-value")
        )
        for card in cards.all()
    }


def test_the_files_are_open_and_say_what_the_browser_may_do(api: Served) -> None:
    for path in ("/", *(f"/{name}" for name in FILES[1:])):
        answer = api.get(path)
        assert answer.status == 200
        assert answer.headers["Content-Security-Policy"] == POLICY
        again = api.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status == 304
    assert api.get("/../pyproject.toml").status in (401, 404)


@pytest.mark.parametrize("tab", TABS, ids=str)
def test_every_tab_shows_its_panels_without_a_barrier(
    browser: Browser, api: Served, admin: str, tab: Tab
) -> None:
    with on(browser, api, admin) as shown:
        shown.show(f"tab={tab}&{RANGE}")
        due = [one.id for one in PANELS if one.tab == tab and one.scope in ("", "all")]
        if tab == Tab.LIVE:
            due.insert(0, "live-requests")
        found = shown.page.locator("[data-panel]").all()
        assert [one.get_attribute("data-panel") for one in found] == due
        assert shown.page.locator("[role=alert]").count() == 0
        for chart in shown.page.locator(".chart").all():
            box = chart.bounding_box()
            assert box is not None
            assert box["height"] > 150
        assert shown.barriers() == []
        shown.stands_in_the_dark_and_on_paper()


def test_cards_are_what_the_api_says(browser: Browser, api: Served, admin: str) -> None:
    with on(browser, api, admin) as shown:
        shown.show(f"tab=requests&{RANGE}")
        (due,) = asked(api, admin, "request_summary")
        found = numbers(shown, "requests-summary")
        assert found["requests"] == str(due["requests"]) != "0"
        assert found["total tokens"] == str(due["total_tokens"])
        shown.show(f"tab=dashboard&{RANGE}")
        costs = {row["currency"]: row["cost"] for row in asked(api, admin, "cost_summary")}
        found = numbers(shown, "cost-summary")
        for currency in filter(None, costs):
            assert found[f"cost, {currency.lower()}"] == costs[currency]


def test_a_chart_is_also_a_table_with_every_value(
    browser: Browser, api: Served, admin: str
) -> None:
    with on(browser, api, admin) as shown:
        shown.show(f"tab=requests&{RANGE}&grain=month")
        panel = shown.panel("requests-over-time")
        panel.get_by_role("button", name="Table").click()
        found = [row.split("\t")[1] for row in panel.locator("tbody tr").all_inner_texts()]
        due = asked(api, admin, "requests_over_time", grain="month", tz="UTC")
        assert [int(one.replace(",", "")) for one in found] == [row["requests"] for row in due]


def test_rows_lead_into_an_organization_and_a_token(
    browser: Browser, api: Served, admin: str, tenant: str
) -> None:
    with on(browser, api, admin) as shown:
        shown.show(f"tab=requests&{RANGE}")
        shown.panel("top-organizations").locator("tbody a").first.click()
        expect(shown.panel("top-tokens")).to_be_visible()
        shown.settle()
        assert f"tenant={tenant}" in shown.page.url
        (due,) = asked(api, admin, "request_summary", tenant=tenant)
        assert numbers(shown, "requests-summary")["requests"] == str(due["requests"])
        shown.panel("top-tokens").locator("tbody a").first.click()
        expect(shown.panel("top-users")).to_be_visible()
        shown.settle()
        shown.page.go_back()
        expect(shown.panel("top-tokens")).to_be_visible()


def german(number: int) -> str:
    return f"{number:,}".replace(",", ".")


def indian(number: int) -> str:
    """Groups of two digits before the last three."""
    head, last = divmod(number, 1_000)
    return f"{_pairs(str(head))},{last:03d}" if head else str(last)


def _pairs(digits: str) -> str:
    return digits if len(digits) <= 2 else f"{_pairs(digits[:-2])},{digits[-2:]}"


@pytest.mark.parametrize(("locale", "written"), [("de-DE", german), ("en-IN", indian)])
def test_a_link_shows_the_same_in_other_languages_and_zones(
    browser: Browser, api: Served, admin: str, locale: str, written: Callable[[int], str]
) -> None:
    options = {"locale": locale, "timezone_id": "Asia/Kolkata"}
    with on(browser, api, admin, **options) as shown:
        shown.show("tab=requests&since=2024-01-01T00:00:00Z&until=2025-04-01T00:00:00Z")
        assert shown.page.get_by_label("Time zone").input_value() in (
            "Asia/Calcutta",
            "Asia/Kolkata",
        )
        (due,) = asked(api, admin, "request_summary")
        tokens = shown.panel("top-organizations").locator("tbody tr").first.inner_text()
        row = asked(api, admin, "top_tenants", k="10")[0]
        assert written(int(row["input_tokens"])) in tokens
        assert numbers(shown, "requests-summary")["requests"] == str(due["requests"])


def test_a_viewer_has_the_tabs_and_numbers_of_their_own(
    browser: Browser, api: Served, admin: str, tenant: str
) -> None:
    who = api.let(Role.VIEWER, tenant)
    asks: list[str] = []
    with on(browser, api, who) as shown:
        shown.page.on("request", lambda request: asks.append(request.url))
        shown.show(f"tab=billing&{RANGE}")  # a link of somebody who sees more
        assert "Billing" not in shown.tabs()
        assert "Dashboard" not in shown.tabs()
        assert "Health" not in shown.tabs()
        shown.show(f"tab=requests&{RANGE}&tenant=")
        (due,) = asked(api, admin, "request_summary", tenant=tenant)
        assert numbers(shown, "requests-summary")["requests"] == str(due["requests"])
        other = next(
            str(row["tenant"])
            for row in asked(api, admin, "top_tenants", k="5")
            if row["tenant"] != tenant
        )
        name = json.dumps(other).strip('"')
        assert name not in shown.page.content()
    assert not [one for one in asks if "billing" in one]


def test_what_is_refused_says_whom_to_ask(
    browser: Browser, api: Served, admin: str, tenant: str
) -> None:
    who = api.let(Role.VIEWER, tenant)
    with on(browser, api, who) as shown:
        shown.show(f"tab=requests&{RANGE}&tenant=somebody-else")
        expect(shown.panel("requests-summary").get_by_role("alert")).to_contain_text(
            "An administrator of your organization can grant it."
        )
        shown.complaints[:] = [one for one in shown.complaints if "403" not in one]


def test_without_an_identity_there_is_a_sentence_and_no_number(
    browser: Browser, api: Served
) -> None:
    with on(browser, api, "nobody") as shown:
        shown.page.goto(shown.url)
        expect(shown.page.get_by_role("alert")).to_have_count(1)
        shown.complaints[:] = [one for one in shown.complaints if "401" not in one]


def test_it_works_by_keyboard_alone(browser: Browser, api: Served, admin: str, tenant: str) -> None:
    with on(browser, api, admin) as shown:
        page = shown.page
        shown.show(f"tab=requests&{RANGE}")
        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to the numbers")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main#main")).to_be_focused()
        page.keyboard.press("w")
        expect(page.get_by_role("button", name="1w")).to_have_attribute("aria-pressed", "true")
        shown.show(f"tab=requests&{RANGE}")
        sort = shown.panel("top-organizations").get_by_role("button", name="Output tokens")
        sort.focus()
        page.keyboard.press("Enter")
        sorted_by = shown.panel("top-organizations").locator("th[aria-sort=descending]")
        expect(sorted_by).to_contain_text("output tokens")
        name = next(
            str(row["name"])
            for row in asked(api, admin, "top_tenants", k="10")
            if row["tenant"] == tenant
        )
        page.get_by_role("combobox", name="Organization").focus()
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        expect(shown.panel("top-tokens")).to_be_visible()
        assert f"tenant={tenant}" in page.url
        shown.settle()


def test_a_range_is_drawn_with_the_pointer_and_stays_when_it_is_opened_again(
    browser: Browser, api: Served, admin: str
) -> None:
    with on(browser, api, admin, timezone_id="UTC") as shown:
        shown.show(f"tab=requests&{RANGE}&grain=month")
        chart = shown.panel("requests-over-time").get_by_role("application")
        box = chart.bounding_box()
        assert box is not None
        middle = box["y"] + box["height"] / 2
        shown.page.mouse.move(box["x"] + box["width"] * 0.3, middle)
        shown.page.mouse.down()
        shown.page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=4)
        shown.page.mouse.up()
        shown.settle()
        found = parse_qs(shown.page.url.partition("#")[2])
        since, until = found["since"][0], found["until"][0]
        assert SINCE < since < until < UNTIL
        (due,) = asked(api, admin, "request_summary", since=since, until=until)
        assert numbers(shown, "requests-summary")["requests"] == str(due["requests"])
        shown.page.reload()
        shown.settle()
        assert numbers(shown, "requests-summary")["requests"] == str(due["requests"])
        link = shown.panel("top-organizations").get_by_role("link", name="CSV")
        csv = api.get(str(link.get_attribute("href")), who=admin).body.decode().splitlines()
        assert len(csv) - 1 == len(asked(api, admin, "top_tenants", since=since, until=until))


def test_a_zone_that_there_is_not_is_said_and_one_by_another_name_is_taken(
    browser: Browser, api: Served, admin: str
) -> None:
    with on(browser, api, admin) as shown:
        shown.show(f"tab=requests&since={SINCE}&until={UNTIL}&tz=Nowhere/Atlantis")
        refused = shown.panel("requests-over-time").get_by_role("alert")
        expect(refused).to_contain_text("Nowhere/Atlantis")
        shown.show(f"tab=requests&since={SINCE}&until={UNTIL}&tz=US/Eastern")
        expect(shown.page.get_by_label("Time zone")).to_have_value("US/Eastern")
        expect(refused).to_have_count(0)
        shown.complaints[:] = [one for one in shown.complaints if "400" not in one]


def test_a_report_is_generated_and_fetched(browser: Browser, api: Served, admin: str) -> None:
    with on(browser, api, admin) as shown:
        shown.show(f"tab=billing&{RANGE}")
        shown.page.get_by_role("button", name="Generate report").click()
        shown.page.get_by_label("Analytics: By team").check()
        shown.page.get_by_label("Format").select_option("csv")
        shown.page.get_by_role("button", name="Generate", exact=True).click()
        link = shown.page.locator("dialog a")
        expect(link).to_be_visible()
        path = str(link.get_attribute("href"))
        lines = api.get(path, who=admin).body.decode().splitlines()
        assert len(lines) - 1 == len(asked(api, admin, "usage_by_team"))


def test_months_that_are_not_available_are_told_from_those_with_none(
    browser: Browser, api: Served, admin: str
) -> None:
    asked_for = {"since": "2020-08-01T00:00:00Z", "until": "2020-12-01T00:00:00Z", "tz": "UTC"}
    due = asked(api, admin, "tasks_by_month", **asked_for)
    assert [row["tasks"] for row in due] == [None, None, 0, 0]
    state = "&".join(f"{name}={text}" for name, text in asked_for.items())
    with on(browser, api, admin) as shown:
        shown.show(f"tab=usage-metrics&{state}")
        panel = shown.panel("tasks")
        expect(panel.get_by_text("not available")).to_have_count(1)
        panel.get_by_role("button", name="Table").click()
        found = [row.split("\t")[1] for row in panel.locator("tbody tr").all_inner_texts()]
        assert found == ["not available", "not available", "0", "0"]


def test_the_period_before_is_beside_this_one(browser: Browser, api: Served, admin: str) -> None:
    ranges = ("2024-07-01T00:00:00Z", "2024-10-01T00:00:00Z", "2025-01-01T00:00:00Z")
    before, now = (
        asked(api, admin, "usage_trend", since=since, until=until, grain="month", tz="UTC")
        for since, until in pairwise(ranges)
    )
    state = f"tab=dashboard&since={ranges[1]}&until={ranges[2]}&grain=month&tz=UTC"
    with on(browser, api, admin) as shown:
        shown.show(state)
        chart = shown.panel("interactions-trend").get_by_role("application")
        chart.focus()
        for then, row in zip(reversed(before), reversed(now), strict=True):
            chart.press("ArrowLeft")
            said = shown.panel("interactions-trend").get_by_role("status").inner_text()
            for value in (row["interactions"], then["interactions"]):
                assert f"{value:,}" in said


def test_who_has_never_seen_it_finds_answers_in_a_few_clicks(
    browser: Browser, api: Served, admin: str
) -> None:
    """Ten questions of a newcomer; each answer is on the screen after the clicks written here."""
    last = {"since": "2024-12-01T00:00:00Z", "until": "2025-01-01T00:00:00Z"}
    zone = {"timezone_id": "UTC"}
    with on(browser, api, admin, **zone) as shown:
        page = shown.page
        page.clock.set_fixed_time("2025-01-15T12:00:00Z")

        def click(name: str) -> None:
            page.get_by_role("link", name=name, exact=True).click()
            shown.settle()

        def first(panel: str) -> str:
            return str(shown.panel(panel).locator("tbody tr").first.inner_text())

        shown.show("")
        # 1. Is the number complete?
        expect(page.locator(".title")).to_contain_text("still running")
        expect(page.locator(".fresh")).to_contain_text("Newest counted")
        # 2. Which organization asks most, last month?
        page.get_by_role("button", name="Last month").click()
        shown.settle()
        expect(page.locator(".title")).to_contain_text("over; late events still add")
        (top,) = asked(api, admin, "top_tenants", k="1", **last)
        assert top["name"] in first("top-organizations")
        # 3. Which model do they use? The range stays when the tab or the filter changes.
        models = asked(api, admin, "requests_by_model", **last)
        most = max(models, key=lambda row: int(row["requests"]))
        expect(shown.panel("requests-by-model").locator("li").first).to_contain_text(
            str(most["name"])
        )
        # 4. Which team cost most? 5. What did it cost in all, per currency?
        click("Billing")
        teams = asked(api, admin, "billing_by_team", **last)
        currency = min(str(row["currency"]) for row in teams if row["currency"])
        dear = max(
            (row for row in teams if row["currency"] == currency),
            key=lambda row: float(row["cost"]),
        )
        assert str(dear["name"]) in first("billing-by-team")
        for row in asked(api, admin, "cost_summary", **last):
            if row["currency"]:
                total = shown.panel("billing-by-team").locator("tfoot tr", has_text=row["currency"])
                expect(total).to_have_count(1)
        # 6. Who stopped using it? 7. Who never used it?
        click("Users")
        people = asked(api, admin, "user_activity", tz="UTC", **last)
        for adoption, name in (("stopped", "Stopped using it"), ("never", "Never used it")):
            due = sum(row["adoption"] == adoption for row in people)
            if due:
                page.get_by_role("button", name=f"{name} {due}").click()
                expect(
                    shown.panel("user-activity").locator(f".badge.{adoption}").first
                ).to_be_visible()
        # 8. How many people use it?
        click("Dashboard")
        (due_row,) = asked(api, admin, "telemetry_summary", **last)
        assert numbers(shown, "telemetry-summary")["active users"] == str(due_row["active_users"])
        # 9. Which customer has most tasks? 10. And what of that one alone?
        click("Usage metrics")
        shown.panel("top-customers").locator("tbody a").first.click()
        shown.settle()
        expect(shown.panel("customer-tasks")).to_be_visible()


def test_a_link_or_a_changed_request_gives_a_viewer_nothing_of_others(
    browser: Browser, api: Served, admin: str, tenant: str
) -> None:
    who = api.let(Role.VIEWER, tenant)
    other = next(
        str(row["tenant"])
        for row in asked(api, admin, "top_tenants", k="5")
        if row["tenant"] != tenant
    )
    with on(browser, api, who) as shown:
        # Every request of the page asks for somebody else's organization instead.
        def changed(route: Route) -> None:
            url = re.sub(r"tenant=[^&]*", "tenant=" + quote(other), route.request.url)
            route.continue_(url=url if "tenant=" in url else f"{url}&tenant={quote(other)}")

        shown.page.route("**/v1/views/request*", changed)
        shown.page.route("**/v1/views/top_*", changed)
        shown.show(f"tab=requests&{RANGE}")
        refused = shown.panel("requests-summary").get_by_role("alert")
        expect(refused).to_contain_text("An administrator of your organization can grant it.")
        assert shown.page.locator("dd[data-value]").count() == 0
        shown.complaints[:] = [one for one in shown.complaints if "403" not in one]


def test_thousands_of_rows_are_drawn_a_hundred_at_a_time(
    browser: Browser, api: Served, admin: str
) -> None:
    with on(browser, api, admin) as shown:
        many = [
            {"tenant": f"customer-{n:04d}", "name": f"Customer {n:04d}", "tasks_this_month": n}
            for n in range(2_000)
        ]

        def widened(route: Route) -> None:
            answer = route.fetch()
            document = answer.json()
            if "rows" in document:
                document["rows"] = [dict(document["rows"][0]) | one for one in many]
            else:
                document["organizations"] = many
            route.fulfill(response=answer, json=document)

        shown.page.route("**/v1/views/customers?*", widened)
        shown.page.route("**/v1/organizations", widened)
        shown.show("tab=customers&tz=UTC")
        rows = shown.panel("customers").locator("tbody tr")
        assert rows.count() == 100
        assert "Customer 1999" in rows.first.inner_text()
        shown.panel("customers").get_by_role("searchbox").fill("customer 0042")
        expect(rows).to_have_count(1)


def test_an_operator_sees_the_ledger_and_nothing_of_anybodys_usage(
    browser: Browser, api: Served
) -> None:
    who = api.let(Role.OPERATOR, ALL)
    with on(browser, api, who) as shown:
        shown.show(f"tab=requests&{RANGE}")
        assert shown.tabs() == ["Live", "Health"]
        shown.show(f"tab=health&{RANGE}")
        assert shown.barriers() == []
        due = api.view("rejections", {"since": SINCE, "until": UNTIL}, who=who).json["rows"]
        rejected = shown.panel("rejections")
        for row in due:
            expect(rejected.get_by_role("link", name=row["reason"]).first).to_be_visible()
        expect(shown.panel("freshness").locator("tbody tr")).to_have_count(4)
        shown.stands_in_the_dark_and_on_paper()
        # Without Kafka, what is asked of it says so.
        expect(shown.panel("lag").get_by_role("alert")).to_contain_text("does not answer")
        leads = shown.page.locator("small.runbook a").all()
        targets = [str(one.get_attribute("href")) for one in leads]
        shown.page.goto(f"{shown.url}/{targets[0]}")
        assert shown.barriers() == []
        for target in targets:
            expect(shown.page.locator(f"h2#{target.partition('#')[2]}")).to_have_count(1)
        shown.complaints[:] = [one for one in shown.complaints if "503" not in one]
