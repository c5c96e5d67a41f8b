"""The views of tasks, customers, connections and recipes, on small worlds with rows by hand."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest

from pipeline.clickhouse.client import Store
from pipeline.errors import StoreRefused
from pipeline.facts.heads import ENTITIES, PRODUCT_EVENTS, RECIPE_ACTIONS, REQUESTS
from pipeline.facts.interface import Head
from tests.support.harness.instants import at
from tests.support.harness.view_check import select
from tests.support.harness.view_store import empty

Row = tuple[Any, ...]


class World:
    """Rows straight into the heads, as a worker inserts them; asking inserts what was told."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._offset = self._chunks = 0
        self._told: dict[Head, list[dict[str, Any]]] = {}

    def is_(
        self,
        thing: str,
        since: str,
        *,
        deleted: bool = False,
        partition: int = 0,
        offset: int | None = None,
        element: int = 0,
        arrival: str = "",
        **attributes: Any,
    ) -> None:
        """How a thing (``recipe acme/r1``, ``tenant acme``) stands from a time on."""
        self._offset += 1
        entity, _, path = thing.partition(" ")
        tenant, _, name = path.partition("/")
        row = {
            "tenant": tenant,
            "entity": entity,
            "entity_id": name or tenant,
            "time": at(since),
            "arrival": at(arrival or since),
            "partition": partition,
            "offset": self._offset if offset is None else offset,
            "element": element,
            "deleted": int(deleted),
            "attributes": json.dumps(attributes, separators=(",", ":")),
        }
        self._tell(ENTITIES, row | {key: value for key, value in attributes.items() if value})

    def acted(self, tenant: str, *minutes: str, recipe: str = "r", task: int = 1) -> None:
        """Recipe actions; tasks, unless it is said that they are not."""
        for minute in minutes:
            row = {"tenant": tenant, "minute": at(minute), "recipe_id": recipe, "task": task}
            self._tell(RECIPE_ACTIONS, row)

    def requested(self, tenant: str, minute: str) -> None:
        """One request."""
        self._tell(REQUESTS, {"tenant": tenant, "minute": at(minute), "model": "m"})

    def did(self, tenant: str, minute: str) -> None:
        """One product event."""
        row = {"tenant": tenant, "minute": at(minute), "time": at(minute), "name": "login"}
        self._tell(PRODUCT_EVENTS, row | {"properties": {}})

    def ask(self, view: str, **parameters: Any) -> list[Row]:
        """The view's rows; instants as texts in UTC."""
        for name in ("since", "until", "as_of"):
            if name in parameters and isinstance(parameters[name], str):
                parameters[name] = at(parameters[name])
        self.insert()
        return select(self.store, view, parameters)

    def insert(self) -> None:
        """Insert what was told, each kind as one chunk."""
        for head, rows in self._told.items():
            self._chunks += 1
            columns = [
                [row.get(name, 0 if "Int" in kind else "") for row in rows]
                for name, kind in head.columns
            ]
            self.store.insert(head.table, head.columns, columns, token=f"chunk {self._chunks}")
        self._told.clear()

    def _tell(self, head: Head, row: dict[str, Any]) -> None:
        self._told.setdefault(head, []).append(row)


@pytest.fixture
def world(tables: Store) -> World:
    """Provide a world in which nothing has happened yet."""
    empty(tables)
    return World(tables)


def month(text: str) -> date:
    """Read ``2026-05`` as its first day."""
    return date.fromisoformat(f"{text}-01")


# Time --------------------------------------------------------------------------------------------

BOUNDARIES = (
    # zone, the month that begins, and when: by hand, from the zone's offset on that day
    ("Asia/Kolkata", "2024-07", "2024-06-30 18:30"),  # +05:30
    ("Asia/Kathmandu", "2024-07", "2024-06-30 18:15"),  # +05:45
    ("America/St_Johns", "2024-07", "2024-07-01 02:30"),  # -02:30, summer
    ("America/St_Johns", "2024-12", "2024-12-01 03:30"),  # -03:30, winter
    ("America/New_York", "2024-11", "2024-11-01 04:00"),  # -04:00, two days before it changes
    ("America/New_York", "2024-12", "2024-12-01 05:00"),  # -05:00
    ("Australia/Lord_Howe", "2024-10", "2024-09-30 13:30"),  # +10:30
    ("Australia/Lord_Howe", "2024-11", "2024-10-31 13:00"),  # +11:00: half an hour of summer
    ("America/Havana", "2020-11", "2020-11-01 04:00"),  # midnight comes twice: its first
    ("America/Asuncion", "2023-10", "2023-10-01 04:00"),  # there is no midnight: its 01:00
    ("Pacific/Apia", "2024-07", "2024-06-30 11:00"),  # +13:00
)


def test_months_begin_at_the_zones_midnight(world: World) -> None:
    """An action in the minute before belongs to the old month, one at midnight to the new."""
    for zone, begins, instant in BOUNDARIES:
        empty(world.store)
        minute = timedelta(minutes=1)
        world.acted("acme", f"{at(instant) - minute:%Y-%m-%d %H:%M}", instant, instant)
        rows = world.ask(
            "tasks_by_month",
            since=at(instant) - minute,
            until=at(instant) + minute,
            tz=zone,
            tenant="",
        )
        old = (month(begins) - timedelta(days=1)).replace(day=1)
        assert rows == [(old, 1, 1, 1), (month(begins), 2, 1, 0)], zone


def test_a_range_is_exact_to_the_minute_and_loses_its_seconds(world: World) -> None:
    world.acted("acme", "2026-05-03 10:06", "2026-05-03 10:07", "2026-05-03 10:14")
    world.acted("acme", "2026-05-03 10:15", "2026-05-03 10:29", "2026-05-03 10:30")
    world.acted("acme", "2026-05-03 10:37", "2026-05-03 10:38")

    def tasks(since: str, until: str) -> Any:
        rows = world.ask("tasks_by_month", since=since, until=until, tz="UTC", tenant="acme")
        return rows[0][1] if rows else None

    assert tasks("2026-05-03 10:07", "2026-05-03 10:38") == 6
    assert tasks("2026-05-03 10:07:59", "2026-05-03 10:38:59") == 6
    assert tasks("2026-05-03 10:07", "2026-05-03 10:15") == 2  # within a quarter hour
    assert tasks("2026-05-03 10:15", "2026-05-03 10:30") == 2  # just one
    assert tasks("2026-05-03 10:14", "2026-05-03 10:31") == 4
    assert tasks("2026-05-03 10:07:01", "2026-05-03 10:07:59") is None  # nothing is in it
    assert tasks("2026-05-04 00:00", "2026-05-03 00:00") is None
    since, until = int(at("2026-05-03 10:07").timestamp()), int(at("2026-05-03 10:38").timestamp())
    rows = world.store.query(
        f"SELECT tasks FROM tasks_by_month(since={since},until={until},tz='UTC',tenant='')"
    )
    assert rows == [(6,)]


def test_months_without_tasks_are_0_and_those_before_october_2020_not_available(
    world: World,
) -> None:
    world.acted("acme", "2020-09-30 23:59", "2020-10-01 00:00", "2020-12-01 00:00")
    asked = {"since": "2020-08-20 00:00", "until": "2021-02-01 00:00", "tz": "UTC"}
    assert world.ask("tasks_by_month", **asked, tenant="") == [
        (month("2020-08"), None, 0, 1),
        (month("2020-09"), None, 0, 1),
        (month("2020-10"), 1, 1, 1),
        (month("2020-11"), 0, 1, 1),
        (month("2020-12"), 1, 1, 0),
        (month("2021-01"), 0, 1, 0),
    ]
    assert [row[3] for row in world.ask("monthly_usage", **asked, tenant="")] == [
        month("2020-10"),
        month("2020-12"),
    ]
    by_recipe = world.ask("monthly_usage_by_recipe", **asked, tenant="")
    assert [row[3] for row in by_recipe] == [month("2020-10"), month("2020-12")]


@pytest.mark.parametrize("kind", ["request", "action", "product event", "entity"])
def test_a_month_is_closed_by_any_event_past_its_end(world: World, kind: str) -> None:
    """May ends in Kolkata at 18:30 of the 31st, UTC; June has not."""

    def happens(minute: str) -> None:
        if kind == "request":
            world.requested("other", minute)
        elif kind == "action":
            world.acted("other", minute, task=0)
        elif kind == "product event":
            world.did("other", minute)
        else:
            world.is_("user other/u", minute)

    def closed() -> list[int]:
        parameters = {"since": "2026-05-10 00:00", "until": "2026-06-10 00:00", "tenant": "acme"}
        rows = world.ask("tasks_by_month", **parameters, tz="Asia/Kolkata")
        usage = world.ask("monthly_usage", **parameters, tz="Asia/Kolkata")
        assert [row[5] for row in usage] == [row[3] for row in rows[:1]]
        return [row[3] for row in rows]

    world.acted("acme", "2026-05-11 00:00")
    happens("2026-05-31 18:29")
    assert closed() == [0, 0]
    happens("2026-05-31 18:30")
    assert closed() == [1, 0]


# Customers ---------------------------------------------------------------------------------------


def test_tasks_of_the_admin_count_nowhere_those_of_deleted_and_unregistered_do(
    world: World,
) -> None:
    """Who is the admin is read as of the end of the range; its earlier tasks go with it."""
    world.is_("tenant acme", "2026-01-01 00:00", name="Acme", external_id="x-1")
    world.is_("tenant gone", "2026-01-01 00:00", name="Gone", external_id="x-2")
    world.is_("tenant gone", "2026-04-20 00:00", deleted=True)  # no attributes: the name stays
    world.is_("tenant partner", "2026-01-01 00:00", name="Partner")
    world.is_("tenant partner", "2026-06-01 00:00", name="Partner", kind="admin")
    world.is_("recipe acme/r1", "2026-01-01 00:00", name="Sync")
    world.is_("recipe acme/r1", "2026-04-02 00:00", name="Sync all")
    world.is_("recipe gone/r1", "2026-01-01 00:00", name="Old")
    world.is_("recipe gone/r1", "2026-02-01 00:00", deleted=True, status="stopped")
    for tenant in ("acme", "gone", "partner", "stranger"):
        world.acted(tenant, "2026-04-10 00:00", recipe="r1")
    world.acted("acme", "2026-05-10 00:00", "2026-05-10 00:00", recipe="r2")
    april, may = month("2026-04"), month("2026-05")
    asked = {"since": "2026-04-01 00:00", "tz": "UTC"}

    rows = world.ask("tasks_by_month", **asked, until="2026-06-01 00:00", tenant="")
    assert [row[1] for row in rows] == [4, 2]
    rows = world.ask("tasks_by_month", **asked, until="2026-06-01 00:01", tenant="")
    assert [row[1] for row in rows] == [3, 2, 0]
    rows = world.ask("tasks_by_month", **asked, until="2026-06-01 00:01", tenant="partner")
    assert [row[1] for row in rows] == [0, 0, 0]

    assert world.ask("monthly_usage", **asked, until="2026-06-01 00:01", tenant="") == [
        ("acme", "x-1", "Acme", april, 1, 1),
        ("gone", "", "Gone", april, 1, 1),
        ("stranger", "", "stranger", april, 1, 1),
        ("acme", "x-1", "Acme", may, 2, 1),
    ]
    assert world.ask("monthly_usage_by_recipe", **asked, until="2026-06-01 00:01", tenant="") == [
        ("acme", "r1", "Sync all", april, 1),
        ("gone", "r1", "r1", april, 1),  # its deletion came with attributes, a name not among them
        ("stranger", "r1", "r1", april, 1),
        ("acme", "r2", "r2", may, 2),
    ]
    rows = world.ask("monthly_usage", **asked, until="2026-06-01 00:01", tenant="gone")
    assert rows == [("gone", "", "Gone", april, 1, 1)]


def test_top_customers_rank_by_tasks_ties_by_id_bytewise(world: World) -> None:
    """'B' is before 'a', and 'z' before 'é': by bytes."""
    for tenant in ("a", "B", "é", "z"):
        world.acted(tenant, "2026-04-30 23:59", "2026-05-01 00:00")
    world.acted("a", "2026-03-31 23:59", "2026-03-31 23:59")

    def top(as_of: str, months: int, k: int) -> list[Row]:
        rows = world.ask("top_customers", as_of=as_of, months=months, tz="UTC", k=k)
        return [(rank, tenant, tasks) for rank, tenant, _, tasks in rows]

    assert top("2026-05-01 00:01", 2, 9) == [(1, "B", 2), (2, "a", 2), (3, "z", 2), (4, "é", 2)]
    assert top("2026-05-01 00:01", 2, 3) == [(1, "B", 2), (2, "a", 2), (3, "z", 2)]
    assert top("2026-05-01 00:01", 3, 1) == [(1, "a", 4)]
    assert top("2026-05-01 00:01", 3, 0) == []
    # 1 May 00:00 belongs to May, of which nothing has happened then.
    assert top("2026-05-01 00:00:59", 1, 9) == []
    assert top("2026-05-01 00:00:59", 2, 2) == [(1, "B", 1), (2, "a", 1)]
    assert top("2026-05-01 00:00", 0, 9) == []


def test_customers_by_month(world: World) -> None:
    """Registered, not deleted, no admin, at each month's end: what happens on the first of the
    next month, at 00:00 of the zone, is too late for it."""
    world.is_("tenant acme", "2026-03-31 15:59:59.999", subscription="expired")
    world.is_("tenant beta", "2026-03-31 16:00")
    world.is_("tenant partner", "2026-01-01 00:00", kind="admin")
    world.is_("tenant gone", "2026-01-01 00:00")
    world.is_("tenant gone", "2026-04-30 16:00", deleted=True)
    world.is_("tenant back", "2026-01-01 00:00")
    world.is_("tenant back", "2026-02-10 00:00", deleted=True)
    world.is_("tenant back", "2026-05-02 10:05")
    world.is_("user stranger/u", "2026-01-01 00:00")
    asked = {"months": 5, "tz": "Asia/Singapore"}  # +08:00
    rows = world.ask("customers_by_month", as_of="2026-05-02 10:05", **asked)
    assert rows == [
        (month("2026-01"), 2),  # gone, back
        (month("2026-02"), 1),
        (month("2026-03"), 2),  # acme
        (month("2026-04"), 3),  # beta; gone goes as May begins
        (month("2026-05"), 2),
    ]
    rows = world.ask("customers_by_month", as_of="2026-05-02 10:06", **asked)
    assert rows[-1] == (month("2026-05"), 3)
    assert world.ask("customers_by_month", as_of="2025-12-31 16:00", months=1, tz="UTC") == [
        (month("2025-12"), 0)
    ]


def test_customers_with_all_that_they_have(world: World) -> None:
    """The page as of 20 May 2026, 10:07 in UTC: 15:37 in Kolkata, whose May began on 30 April."""
    world.is_("tenant acme", "2026-01-01 00:00", name="Acme", subscription="active")
    world.is_("tenant acme", "2026-05-20 10:06", name="Acme Ltd", external_id="x")
    world.is_("tenant idle", "2026-05-20 10:06:59.999")
    world.is_("tenant later", "2026-05-20 10:07")
    world.is_("tenant partner", "2026-01-01 00:00", kind="admin")
    world.is_("tenant gone", "2026-01-01 00:00")
    world.is_("tenant gone", "2026-01-02 00:00", deleted=True, name="Gone")
    world.is_("tenant old", "2026-01-01 00:00")
    for tenant in ("acme", "partner", "gone"):
        world.is_(f"connection {tenant}/c1", "2026-02-01 00:00", status="connected", app="a")
        world.is_(f"connection {tenant}/c2", "2026-02-01 00:00", status="disconnected")
        world.is_(f"connection {tenant}/c3", "2026-02-01 00:00")  # not said to be connected
        world.is_(f"recipe {tenant}/r1", "2026-02-01 00:00", status="running")
        world.is_(f"recipe {tenant}/r2", "2026-02-01 00:00", status="running")
        world.is_(f"recipe {tenant}/r3", "2026-02-01 00:00", status="stopped")
        world.is_(f"user {tenant}/u1", "2026-02-01 00:00")
        world.is_(f"user {tenant}/u2", "2026-02-01 00:00")
        world.is_(f"user {tenant}/u3", "2026-02-01 00:00")
        world.is_(f"user {tenant}/u3", "2026-02-01 00:01", deleted=True)
        world.acted(tenant, "2026-04-30 18:29", "2026-04-30 18:30", "2026-05-20 10:06")
    world.acted("acme", "2026-05-20 10:07", "2026-05-20 10:08")
    # Seen last: acme by its action; old, weeks ago, by a product event after a trigger.
    world.requested("old", "2025-11-01 00:00")
    world.acted("old", "2026-03-03 03:14", task=0)
    world.did("old", "2026-03-03 03:16")
    rows = world.ask("customers", as_of="2026-05-20 10:07:59", tz="Asia/Kolkata")
    assert rows == [
        ("acme", "Acme Ltd", "x", "", 2, 1, 2, 2, at("2026-05-20 10:06")),
        ("idle", "idle", "", "", 0, 0, 0, 0, None),
        ("old", "old", "", "", 0, 0, 0, 0, at("2026-03-03 03:16")),
    ]


# The change log ----------------------------------------------------------------------------------


def test_a_later_time_wins_whatever_came_first(world: World) -> None:
    world.is_("tenant acme", "2026-03-02 00:00", name="Second", arrival="2026-03-03 00:00")
    world.is_("tenant acme", "2026-03-01 00:00", name="First", arrival="2026-03-09 00:00")
    for as_of, name in (("2026-03-02 00:00", "First"), ("2026-03-02 00:01", "Second")):
        assert world.ask("customers", as_of=as_of, tz="UTC")[0][1] == name


def test_a_deletion_without_attributes_keeps_the_last_name_there_was(world: World) -> None:
    """Of a state without a name the id is shown; the name before it comes back with the deletion.

    The last of ``both`` was named and deleted at one instant; ``told`` was deleted with attributes.
    """
    for tenant in ("acme", "both", "told"):
        world.acted(tenant, "2026-03-01 00:00")
        world.is_(f"tenant {tenant}", "2026-03-01 00:00", name="First")
    world.is_("tenant acme", "2026-03-02 00:00", external_id="x")
    world.is_("tenant acme", "2026-03-03 00:00", deleted=True)
    world.is_("tenant both", "2026-03-03 00:00", name="Second")
    world.is_("tenant both", "2026-03-03 00:00", deleted=True)
    world.is_("tenant told", "2026-03-03 00:00", deleted=True, external_id="y")

    def usage(until: str) -> list[Row]:
        asked = {"since": "2026-03-01 00:00", "tz": "UTC", "tenant": ""}
        return [row[:3] for row in world.ask("monthly_usage", **asked, until=until)]

    assert usage("2026-03-02 00:01")[0] == ("acme", "x", "acme")
    assert usage("2026-03-03 00:01") == [
        ("acme", "", "First"),
        ("both", "", "Second"),
        ("told", "y", "told"),
    ]


SAME_TIME: tuple[tuple[str, list[dict[str, Any]]], ...] = (
    # (which one holds, what was said of one thing at one time: the last one holds)
    ("the higher offset", [{"offset": 4}, {"offset": 5}]),
    ("the later element", [{"offset": 4, "element": 8}, {"offset": 4, "element": 9}]),
    ("the higher offset, whatever the element", [{"offset": 4, "element": 9}, {"offset": 5}]),
    (
        "the higher offset, whatever the record's timestamp",
        [{"offset": 4, "arrival": "2026-03-05 00:00"}, {"offset": 5}],
    ),
    (
        "between partitions the later record, whatever the offset",
        [{"partition": 3, "offset": 9}, {"partition": 1, "arrival": "2026-03-02 00:00"}],
    ),
    (
        "at one timestamp the higher partition",
        [{"partition": 1, "offset": 9}, {"partition": 2, "offset": 3}],
    ),
    (
        "between partitions the last of each: an overruled one's timestamp says nothing",
        [
            {"partition": 1, "offset": 1, "arrival": "2026-03-09 00:00"},
            {"partition": 1, "offset": 2, "arrival": "2026-03-02 00:00"},
            {"partition": 0, "offset": 7, "arrival": "2026-03-03 00:00"},
        ],
    ),
)


@pytest.mark.parametrize(
    "said", [said for _, said in SAME_TIME], ids=[name for name, _ in SAME_TIME]
)
def test_of_several_at_one_time_one_holds(world: World, said: list[dict[str, Any]]) -> None:
    """Names and kinds, connections and recipes all follow the one that holds, in any order."""
    time = "2026-03-01 12:00"
    world.is_("tenant other", time, partition=5)  # another tenant does not mind
    for number, one in list(enumerate(said, 1))[::-1]:
        holds = number == len(said)
        is_ = {"offset": number} | one
        world.is_("tenant acme", time, **is_, name=f"Name {number}", kind="" if holds else "admin")
        status = "connected" if holds else "disconnected"
        world.is_("connection acme/c", time, **is_, status=status, app=f"app-{number}")
        world.is_("recipe acme/r", time, **is_, status="running" if holds else "stopped")
        world.is_("user acme/u", time, **is_, deleted=not holds)
    last = len(said)
    asked: dict[str, Any] = {"as_of": "2026-03-10 00:00", "tz": "UTC"}
    assert world.ask("customers", **asked)[0] == (
        *("acme", f"Name {last}", "", "", 0, 1, 1, 1),
        None,
    )
    for view in ("connections_by_month", "active_recipes_by_month"):
        rows = world.ask(view, **asked, months=2, tenant="acme")
        assert rows == [(month("2026-02"), 0), (month("2026-03"), 1)]
    assert world.ask("customers_by_month", **asked, months=1) == [(month("2026-03"), 2)]
    rows = world.ask("top_apps", as_of="2026-03-10 00:00", k=1, tenant="")
    assert rows == [(1, f"app-{last}", f"app-{last}", 1)]


# Connections and recipes -------------------------------------------------------------------------


def test_connections_and_active_recipes_by_month(world: World) -> None:
    """As it stood at each month's end, in accounts that are customers' then."""
    for entity, on, off in (
        ("connection", "connected", "disconnected"),
        ("recipe", "running", "stopped"),
    ):
        empty(world.store)
        world.is_("tenant acme", "2026-01-15 00:00")
        world.is_("tenant gone", "2026-01-15 00:00")
        world.is_("tenant gone", "2026-03-15 00:00", deleted=True)
        world.is_("tenant gone", "2026-05-15 00:00")  # and back again, with what it had
        world.is_("tenant partner", "2026-01-15 00:00", kind="admin")
        for tenant in ("acme", "gone", "partner", "stranger"):
            world.is_(f"{entity} {tenant}/1", "2026-01-01 00:00", status=on)
        world.is_(f"{entity} acme/2", "2026-02-01 00:00", status=on)  # not in January any more
        world.is_(f"{entity} acme/2", "2026-03-02 00:00", status=off)
        world.is_(f"{entity} acme/2", "2026-03-03 00:00", status=on)
        world.is_(f"{entity} acme/3", "2026-02-05 00:00", status=on)
        world.is_(f"{entity} acme/3", "2026-02-06 00:00", deleted=True)
        world.is_(f"{entity} acme/4", "2026-02-05 00:00")  # not said to be on
        world.is_(f"{entity} acme/1", "2026-05-10 00:00", deleted=True, status=on)
        view = {"connection": "connections_by_month", "recipe": "active_recipes_by_month"}[entity]
        asked = {"as_of": "2026-05-20 00:00", "months": 6, "tz": "UTC"}
        assert world.ask(view, **asked, tenant="") == [
            (month("2025-12"), 0),
            (month("2026-01"), 2),  # acme/1, gone/1
            (month("2026-02"), 3),  # and acme/2
            (month("2026-03"), 2),  # gone is gone
            (month("2026-04"), 2),
            (month("2026-05"), 2),  # gone/1 again, acme/2; acme/1 is deleted
        ]
        rows = world.ask(view, **asked, tenant="gone")
        assert [row[1] for row in rows] == [0, 1, 1, 0, 0, 1]
        for tenant in ("partner", "stranger", "nobody"):
            rows = world.ask(view, **asked, tenant=tenant)
            assert [row[1] for row in rows] == [0, 0, 0, 0, 0, 0], tenant


def test_top_apps(world: World) -> None:
    """By connections as of then; the names are those of the apps of `*`."""
    world.is_("app */sf", "2026-01-01 00:00", name="Salesforce")
    world.is_("app */sf", "2026-04-01 00:00", deleted=True)
    world.is_("app */jira", "2026-04-01 00:00", name="Jira")
    for tenant in ("acme", "beta", "partner", "stranger"):
        for number, app in enumerate(("sf", "sf", "jira", "box", "")):
            world.is_(
                f"connection {tenant}/{number}", "2026-02-01 00:00", app=app, status="connected"
            )
    world.is_("tenant acme", "2026-01-01 00:00")
    world.is_("tenant beta", "2026-03-01 00:00")
    world.is_("tenant partner", "2026-01-01 00:00", kind="admin")
    rows = world.ask("top_apps", as_of="2026-04-01 00:00", k=10, tenant="")
    assert rows == [
        (1, "sf", "Salesforce", 4),
        (2, "", "unattributed", 2),
        (3, "box", "box", 2),
        (4, "jira", "jira", 2),
    ]
    rows = world.ask("top_apps", as_of="2026-04-02 00:00", k=2, tenant="beta")
    assert rows == [(1, "sf", "Salesforce", 2), (2, "", "unattributed", 1)]
    rows = world.ask("top_apps", as_of="2026-04-02 00:00", k=10, tenant="")
    assert rows[3] == (4, "jira", "Jira", 2)
    assert world.ask("top_apps", as_of="2026-04-02 00:00", k=9, tenant="partner") == []


def test_recommended_recipes(world: World) -> None:
    """Clones ever made, in accounts that are customers' as of then, of recipes recommended then."""
    for recipe in ("pop", "rare", "none", "was", "gone"):
        world.is_(f"recipe lib/{recipe}", "2026-01-01 00:00", name=recipe.title(), recommended=True)
    world.is_("recipe lib/was", "2026-03-01 00:00", name="Was", recommended=False)
    world.is_("recipe lib/gone", "2026-03-01 00:00", deleted=True)
    world.is_("tenant lib", "2026-01-01 00:00", kind="admin")
    for tenant in ("acme", "beta"):
        world.is_(f"tenant {tenant}", "2026-01-01 00:00")
    world.is_("tenant left", "2026-01-01 00:00")
    world.is_("tenant left", "2026-05-01 00:00", deleted=True)
    for tenant in ("acme", "beta", "left", "lib", "stranger"):
        for recipe in ("pop", "was", "gone"):
            world.is_(f"recipe {tenant}/my-{recipe}", "2026-02-01 00:00", cloned_from=recipe)
    world.is_("recipe nobody/loose", "2026-01-01 00:00", recommended=True)  # not in any account
    world.is_("recipe acme/my-loose", "2026-02-10 00:00", cloned_from="loose")
    world.is_("recipe acme/my-rare", "2026-02-01 00:00", cloned_from="rare")
    world.is_("recipe acme/my-rare", "2026-02-02 00:00", cloned_from="rare", status="running")
    world.is_("recipe acme/my-pop", "2026-02-02 00:00", deleted=True)  # deleted, still a clone
    world.is_("recipe beta/my-pop", "2026-02-02 00:00", cloned_from="rare")  # once of each
    rows = world.ask("recommended_recipes", as_of="2026-05-01 00:00", k=5)
    assert rows == [
        (1, "pop", "Pop", 3),  # acme, beta, left
        (2, "rare", "Rare", 2),  # acme, beta
        (3, "loose", "loose", 1),
    ]
    rows = world.ask("recommended_recipes", as_of="2026-05-01 00:01", k=2)
    assert rows == [(1, "pop", "Pop", 2), (2, "rare", "Rare", 2)]
    rows = world.ask("recommended_recipes", as_of="2026-02-02 00:00", k=9)
    assert [(row[1], row[3]) for row in rows] == [
        *(("gone", 3), ("pop", 3), ("was", 3)),
        ("rare", 1),
    ]


@pytest.mark.parametrize(
    ("said", "clones"),
    [
        ([{"cloned_from": "lib"}, {}], 0),  # one partition: the higher offset holds
        ([{}, {"cloned_from": "lib"}], 1),
        ([{"cloned_from": "lib", "arrival": "2026-03-02"}, {"partition": 1}], 1),  # the later
        ([{"cloned_from": "lib"}, {"partition": 1, "arrival": "2026-03-02"}], 0),  # arrival
    ],
)
def test_a_state_overruled_at_its_very_instant_is_no_clone(
    world: World, said: list[dict[str, Any]], clones: int
) -> None:
    world.is_("tenant acme", "2026-01-01 00:00")
    world.is_("recipe acme/lib", "2026-01-01 00:00", recommended=True)
    for one in said:
        world.is_("recipe acme/mine", "2026-03-01", **one)
    rows = world.ask("recommended_recipes", as_of="2026-05-01 00:00", k=5)
    assert [row[3] for row in rows] == [clones] * bool(clones)


def test_tasks_before_october_2020_count_nowhere(world: World) -> None:
    """Where October begins in the zone that is asked for."""
    world.is_("tenant acme", "2020-01-01 00:00")
    world.acted("acme", "2020-09-30 18:29", "2020-09-30 18:30", "2020-10-01 00:00")
    for tz, tasks in (("UTC", 1), ("Asia/Kolkata", 2)):
        rows = world.ask("top_customers", as_of="2020-10-02 00:00", months=12, tz=tz, k=1)
        assert [row[3] for row in rows] == [tasks]
        [customer] = world.ask("customers", as_of="2020-10-02 00:00", tz=tz)
        assert customer[4] == tasks
    world.acted("acme", "2020-09-01 00:00")
    assert world.ask("top_customers", as_of="2020-09-20 00:00", months=2, tz="UTC", k=1) == []
    [customer] = world.ask("customers", as_of="2020-09-20 00:00", tz="UTC")
    assert customer[4] == 0


# Bad parameters ----------------------------------------------------------------------------------

RANGE = "since='2026-01-01 00:00:00', until='2026-06-01 00:00:00'"
AS_OF = "as_of='2026-05-20 00:00:00'"


def test_tenants_with_quotes_are_just_tenants(world: World) -> None:
    hostile = "o'neil\\\" OR 1=1 --"
    world.is_(f"tenant {hostile}", "2026-01-01 00:00", name="It's")
    world.acted(hostile, "2026-05-10 00:00")
    world.acted("acme", "2026-05-10 00:00")
    asked = {"since": "2026-05-01 00:00", "until": "2026-06-01 00:00", "tz": "UTC"}
    rows = world.ask("monthly_usage", **asked, tenant=hostile)
    assert rows == [(hostile, "", "It's", month("2026-05"), 1, 0)]
    assert world.ask("tasks_by_month", **asked, tenant="' OR 1=1 --")[0][1] == 0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (f"tasks_by_month({RANGE}, tz='Mars/Olympus', tenant='')", "Mars/Olympus"),
        (f"customers({AS_OF}, tz='')", "no time zone"),
        (f"tasks_by_month({RANGE}, tz='', tenant='')", "no time zone"),
        (f"monthly_usage({RANGE}, tz='', tenant='')", "no time zone"),
        (f"monthly_usage_by_recipe({RANGE}, tz='', tenant='')", "no time zone"),
        (f"top_customers({AS_OF}, months=3, tz='', k=3)", "no time zone"),
        (f"customers_by_month({AS_OF}, months=3, tz='')", "no time zone"),
        (f"connections_by_month({AS_OF}, months=3, tz='utc+25', tenant='')", "utc+25"),
        (
            f"connections_by_month({AS_OF}, months=100000, tz='UTC', tenant='')",
            "before January 1970",
        ),
        (f"customers_by_month({AS_OF}, months=4000000000, tz='UTC')", "before January 1970"),
        (f"top_apps({AS_OF}, k=-1, tenant='')", "parameter 'k'"),
        ("top_apps(as_of='yesterday', k=1, tenant='')", "parameter 'as_of'"),
        (f"top_apps({AS_OF}, k=1)", "tenant"),
    ],
)
def test_what_cannot_be_answered_is_refused(world: World, call: str, says: str) -> None:
    with pytest.raises(StoreRefused) as refused:
        world.store.query(f"SELECT * FROM {call}")
    assert says in str(refused.value)


def test_ten_thousand_years_are_all_that_there_is(world: World) -> None:
    """A DateTime reaches from 1970 to 2106; what is before or after it, is cut to it."""
    world.acted("acme", "2026-05-10 00:07")
    world.insert()
    rows = world.store.query(
        "SELECT month, tasks FROM tasks_by_month(since='0001-01-01 00:00:00', "
        "until='9999-12-31 23:59:59', tz='America/New_York', tenant='') WHERE tasks != 0"
    )
    assert rows == [(month("2026-05"), 1)]
    for ends in ("9999-01-01 00:00:00", "2106-02-07 06:28:00"):
        parameters = f"since='2106-02-07 06:16:00', until='{ends}', tz='UTC', tenant=''"
        rows = world.store.query(f"SELECT sum(tasks) FROM tasks_by_month({parameters})")
        assert rows == [(0,)]
    parameters = "as_of='2026-05-20 00:00:00', months=4000000, tz='Asia/Tokyo', k=3"
    rows = world.store.query(f"SELECT tenant, tasks FROM top_customers({parameters})")
    assert rows == [("acme", 1)]
