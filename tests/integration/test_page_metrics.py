"""A metric of one's own on the page: made with a dry run, then a column for every customer."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from pipeline.access.roles import ALL, Role
from pipeline.api import definitions, log
from pipeline.clickhouse.client import Store
from pipeline.settings import load
from pipeline.simulate.stream import Options
from pipeline.web import ROUTES
from tests.support.harness.api import Served, served
from tests.support.harness.browser import WAIT_MS, Screen, chromium, screen
from tests.support.harness.kafka_broker import KafkaBroker
from tests.support.harness.produce import REQUESTS
from tests.support.harness.scene import Scene
from tests.support.harness.simulated import fill
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.waiting import until

STREAM = Options(rate=0.004, announce=True, steady=True, events=0.5)


@pytest.fixture(scope="module")
def scene(
    kafka: KafkaBroker, store: EmbeddedStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """Provide a simulated world in the tables, and a worker that counts what comes."""
    one = Scene(kafka, store, tmp_path_factory.mktemp("page"))
    one.settings["USAGE_PARTITIONS"] = "1"
    one.partitions = 1
    one.run("topics", "create")
    one.run("migrate", within=240)
    try:
        with one.connect() as tables:
            now = int(time.time() * 1000)
            fill(tables, STREAM, seed=1, tenants=6, days=70, until=now)
        one.worker()
        one.await_assigned(1)
        yield one
    finally:
        one.end()


@pytest.fixture(scope="module")
def api(scene: Scene) -> Iterator[Served]:
    """Provide an API with the page over them, which waits as long as that takes."""
    connected = Store.connect(scene.loaded())
    own = {"USAGE_API_PORT": "0", "USAGE_API_REQUESTS_PER_MINUTE": "100000"}
    try:
        with (
            pytest.MonkeyPatch.context() as patch,
            served(load(scene.environment(**own)), connected, ROUTES) as one,
        ):
            patch.setattr(definitions, "WAIT_SECONDS", 60.0)
            patch.setattr(log, "FIRST_ANSWER_SECONDS", 60.0)
            yield one
    finally:
        connected.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Provide one browser."""
    with chromium() as found:
        yield found


def values(api: Served, who: str, metric: str) -> dict[str, int]:
    """What the API says of a metric that counts, by the customer's id."""
    rows = api.view("metric_values", {"as_of": "now"}, who=who).json["rows"]
    return {row["tenant"]: whole(row["value"]) for row in rows if row["metric_id"] == metric}


def whole(value: str | None) -> int:
    """A count that is written as a decimal."""
    assert value is not None
    number = Decimal(value)
    assert number == int(number)
    return int(number)


def near(one: int, other: int) -> bool:
    """Whether both may be counts of thirty days that end now: between two looks some leave them."""
    return abs(one - other) < 4


def shown_value(card: Locator) -> int:
    """The exact value behind a metric's card."""
    expect(card).to_be_visible(timeout=WAIT_MS)
    return whole(card.get_attribute("data-value"))


def choose(shown: Screen, field: str, text: str) -> None:
    box = shown.page.get_by_role("combobox", name=field, exact=True)
    box.fill(text)
    box.press("Enter")
    expect(box).to_have_value(text)


def test_a_metric_of_ones_own_is_visible_for_all_customers(browser: Browser, api: Served) -> None:
    admin = api.let(Role.ADMIN, ALL)
    url = f"http://127.0.0.1:{api.port}"
    with screen(browser, url, admin, timezone_id="UTC") as shown:
        page = shown.page
        shown.show("tab=metrics")
        page.get_by_role("link", name="Add usage metric").click()
        page.get_by_role("textbox", name="Name").fill("Good calls")
        choose(shown, "Event 1", "api_request")
        page.get_by_role("button", name="Add event matcher").click()
        choose(shown, "Event 2", "api_call")
        page.get_by_role("button", name="Add filter").click()
        choose(shown, "Property of filter 1", "status")
        page.get_by_label("Value of filter 1", exact=True).fill("200")
        dry = page.get_by_role("region", name="Dry run")
        expect(dry).to_contain_text("where status is exactly 200, last 30 days")
        expect(dry.locator("[data-metric] .value")).to_be_visible(timeout=WAIT_MS)
        expect(dry.get_by_label("Events that each filter leaves").locator("li")).to_have_count(2)
        expect(dry).to_contain_text("status: ")
        tried = shown_value(dry.locator("[data-metric] .value"))
        assert shown.barriers() == []
        page.get_by_role("button", name="Save metric").click()
        expect(page.locator(".told")).to_contain_text("(version 1)", timeout=WAIT_MS)
        page.get_by_role("link", name="See it in the list of customers").click()
        panel = shown.panel("customers")
        expect(panel.get_by_role("button", name="Good calls")).to_be_visible(timeout=WAIT_MS)
        panel.get_by_role("button", name="Good calls").click()
        due = sorted(values(api, admin, "good_calls").values(), reverse=True)
        assert len(due) == 6
        assert near(due[0], tried)
        found = last_column(shown)
        assert len(found) == len(due)
        assert all(map(near, found, due)), (found, due)
        panel.locator("tbody a").first.click()
        assert near(shown_value(page.locator("[data-metric=good_calls] .value")), tried)
        page.get_by_role("link", name="Good calls").click()
        choose(shown, "By property", "status")
        shown.settle()
        parts = shown.panel("customer-metric-breakdown").locator("ol.bars li")
        expect(parts).to_have_count(1)
        # Some may have left the thirty days since the dry run (`near`).
        left = "|".join(f"{tried - gone:,}" for gone in range(4))
        expect(parts.first).to_have_text(re.compile(f"^200({left})$"))
        assert shown.barriers() == []


def last_column(shown: Screen) -> list[int]:
    """The values of a metric in the list of customers, without their changes."""
    cells = shown.panel("customers").locator("tbody td:last-child")
    texts = cells.evaluate_all("cells => cells.map((cell) => cell.firstChild.textContent)")
    return [int(text.replace(",", "")) for text in texts]


def test_who_saves_over_a_newer_version_is_told(browser: Browser, api: Served) -> None:
    admin = api.let(Role.ADMIN, ALL)
    other = {"name": "Paid", "interval_days": 7, "match": ["invoice.paid"]}

    def put(body: object, **headers: str) -> int:
        sent = {"Content-Type": "application/json", **headers}
        text = json.dumps(body).encode()
        return api.get("/v1/metrics/paid", who=admin, method="PUT", headers=sent, body=text).status

    assert put(other) == 201
    with screen(browser, f"http://127.0.0.1:{api.port}", admin) as shown:
        page = shown.page
        shown.show("tab=metrics&metric=paid")
        expect(page.get_by_role("textbox", name="Name")).to_have_value("Paid")
        assert put({**other, "name": "Paid, theirs"}, **{"If-Match": '"1"'}) == 200
        page.get_by_label("Display").select_option("sparkline")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("version 2 exists, you changed 1")
        page.get_by_role("button", name="Show what is in force").click()
        expect(page.get_by_role("textbox", name="Name")).to_have_value("Paid, theirs")
        page.get_by_label("Display").select_option("sparkline")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.locator(".told")).to_contain_text("(version 3)", timeout=WAIT_MS)
        shown.complaints[:] = [one for one in shown.complaints if "412" not in one]


def test_values_of_filters_stay_what_they_are(browser: Browser, api: Served) -> None:
    """A text that reads as a number, an empty one, one of two lines: saved again, the same."""
    admin = api.let(Role.ADMIN, ALL)
    filters = [
        {"property": "a", "operator": "in", "value": ["200", 200, True, "true", "", "x\ny", '"']},
        {"property": "b", "operator": "exact", "value": ""},
        {"property": "c", "operator": "is_not", "value": "1e5"},
        {"property": "d", "operator": "contains", "value": '"quoted"'},
        {"property": "e", "operator": "is_set"},
    ]
    sent = {"name": "Odd", "interval_days": 7, "match": ["login"], "filters": filters}
    headers = {"Content-Type": "application/json"}
    text = json.dumps(sent).encode()
    made = api.get("/v1/metrics/odd", who=admin, method="PUT", headers=headers, body=text)
    assert made.status == 201
    with screen(browser, f"http://127.0.0.1:{api.port}", admin) as shown:
        shown.show("tab=metrics&metric=odd")
        expect(shown.page.get_by_role("textbox", name="Name")).to_have_value("Odd")
        shown.page.get_by_role("textbox", name="Name").fill("Odd ones")
        shown.page.get_by_role("button", name="Save", exact=True).click()
        expect(shown.page.locator(".told")).to_contain_text("(version 2)", timeout=WAIT_MS)
    assert api.get("/v1/metrics/odd", who=admin).json["filters"] == filters


def test_a_manager_sees_values_of_their_own_and_no_definitions(
    browser: Browser, api: Served
) -> None:
    admin = api.let(Role.ADMIN, ALL)
    tenant, value = max(values(api, admin, "good_calls").items(), key=lambda one: one[1])
    manager = api.let(Role.MANAGER, tenant)
    with screen(browser, f"http://127.0.0.1:{api.port}", manager) as shown:
        shown.show("tab=metrics")
        assert "Metrics" not in shown.tabs()
        shown.show("tab=usage-metrics")
        assert near(shown_value(shown.page.locator("[data-metric=good_calls] .value")), value)


def test_the_last_hour_moves_by_itself(browser: Browser, api: Served, scene: Scene) -> None:
    admin = api.let(Role.ADMIN, ALL)
    with screen(browser, f"http://127.0.0.1:{api.port}", admin, timezone_id="UTC") as shown:
        shown.show("tab=live&live-requests.table=1")

        def requests() -> int:
            texts = shown.panel("live-requests").locator("tbody td:nth-child(2)").all_inner_texts()
            return sum(int(text.replace(",", "")) for text in texts)

        before = requests()
        stream = ("--rate", "40", "--for", "2", "--tenants", "6", "--no-announcement", "--steady")
        scene.run("simulate", *stream)
        until(lambda: requests() >= before + 20, within=60, what="the page to show more requests")


def test_an_operator_reads_what_was_rejected_and_how_far_workers_are(
    browser: Browser, api: Served, scene: Scene
) -> None:
    operator, admin = api.let(Role.OPERATOR, ALL), api.let(Role.ADMIN, ALL)
    sender = scene.sender()
    for number in range(3):
        sender.send(REQUESTS, "acme", b'{"n":%d, <b>"no JSON"}' % number, [], 0)
    sender.flush()
    theirs = api.let(Role.OPERATOR, "acme")

    def letters() -> list[dict[str, Any]]:
        answer = api.get("/v1/dead-letters", {"reason": "malformed"}, who=operator)
        assert answer.status == 200, answer.body
        found: list[dict[str, Any]] = answer.json["dead_letters"]
        return found

    until(lambda: len(letters()) == 3, within=60, what="the dead letters")
    origin = letters()[0]["origin"]
    whole = api.get(f"/v1/dead-letters/{origin}", who=operator).json
    assert whole["value"] == '{"n":2, <b>"no JSON"}'
    assert api.get("/v1/dead-letters", {"since": "now"}, who=operator).json["dead_letters"] == []
    few = api.get("/v1/dead-letters", {"limit": "1"}, who=operator).json
    assert (len(few["dead_letters"]), few["more"]) == (1, True)
    # What nobody's name could be read of is for who sees all.
    assert api.get("/v1/dead-letters", who=theirs).json["dead_letters"] == []
    assert api.get(f"/v1/dead-letters/{origin}", who=theirs).status == 404
    assert api.get("/v1/dead-letters/nowhere:0:0", who=operator).status == 404
    assert api.get("/v1/dead-letters", {"tenant": "globex"}, who=theirs).status == 403
    assert api.get("/v1/lag", who=theirs).status == 403
    for path in ("/v1/dead-letters", f"/v1/dead-letters/{origin}", "/v1/lag"):
        assert api.get(path, who=admin).status == 403

    def behind() -> int:
        lag: int = api.get("/v1/lag", who=operator).json["lag"]
        return lag

    until(lambda: behind() == 0, within=60, what="everything to be counted")
    with screen(browser, f"http://127.0.0.1:{api.port}", operator, timezone_id="UTC") as shown:
        shown.show("tab=health&frame=1d")
        expect(shown.panel("lag").get_by_role("heading")).to_contain_text("not counted yet, 0")
        shown.panel("rejections").get_by_role("link", name="malformed").click()
        found = shown.panel("letters")
        expect(found.locator("tbody tr")).to_have_count(3)
        assert shown.barriers() == []
        found.get_by_role("link", name=origin).click()
        expect(found.locator("pre")).to_have_text('{"n":2, <b>"no JSON"}')
        assert shown.barriers() == []
        shown.page.reload()
        expect(found.locator("pre")).to_have_text('{"n":2, <b>"no JSON"}')
        found.get_by_role("link", name="Close dead letters").click()
        expect(found).to_have_count(0)
