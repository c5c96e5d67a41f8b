"""A seeded, nasty world for user-defined metrics: events of all kinds, and random definitions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from schemas.metric_definition import CALCULATIONS, OPERATORS
from tests.support.contract.events import TYPES
from tests.support.json_text import Num, Repeating
from tests.support.oracle.log import (
    DEFINITIONS,
    ENTITIES,
    EVENTS,
    RECIPE_ACTIONS,
    REQUESTS,
    Entry,
)

AS_OF = datetime(2026, 5, 1, 12, 34, 56, tzinfo=UTC)
TENANTS = ("acme", "o'brien \\", "zeta")
UNREGISTERED, ADMIN = "stranger", "partner"
NAMES = ("api_call", "api_request", "it's", "'; DROP TABLE product_events; --")
KEYS = ("a", "b", "plan", "a.b", "", ".", "k\\", "k\\.x", "ключ", "it's", "{tenant:String}", "user")
TEXTS = (
    "", "a", "A", "team", "200", "200.0", "2e2", "12.50", "-0", "-0.0", "0", "1e2", " 5", "0x10",
    "007", "true", "null", "it's", 'q"uo', "back\\slash", "'); DROP TABLE x; --", "été", "É", "😀",
    "line\nbreak", "tab\t", "\0nul", "%", "_", "^a.*$", "(", "[x]", "$1", "9" * 38, "9" * 39,
    "0." + "1" * 18, "0." + "1" * 19, "1.0000000000000000000", "x" * 3000, "+5", "5.", ".5", "NaN",
    "2026-05-01T12:00:00Z", "2026-05-01T17:30:00+05:30", "2026-05-01T12:00:00.5Z",
    "2026-05-01t12:00:00z", "2026-05-01", "2026-05-01 12:00:00Z", "2026-05-01T12:00:00.000999Z",
    "2026-02-30T00:00:00Z", "2026-05-01T24:00:00Z", "2026-05-01T12:00:60Z", "1600-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z", "9999-12-31T23:59:59.999Z", "1969-12-31T23:59:59.5Z",
    "2026-05-01T00:30:00+23:59", "0001-01-01T00:00:00-00:01", "20260501", "2026-05-01T12:00Z",
    "2024-02-29T23:59:59.123456789-11:00", "2026-05-01T12:00:00Z\n", "2026-05-01T12:00:00+24:00",
)  # fmt: skip
NUMBERS = (
    "0", "-0", "0.0", "1", "-1", "200", "200.0", "2e2", "12.50", "12.5", "0.1", "0.2", "3e-1",
    "0.123456789012345678", "123456789012345678.123456789012345678", "9223372036854775807",
    "-9223372036854775808", "18446744073709551616", "9" * 38, "-" + "9" * 38, "1e-18", "1e-19",
    "1e37", "1e38", "1e308", "1E308", "-1e400", "0.1234567890123456789", "1" + "0" * 45, "7", "8",
)  # fmt: skip
DATES = (
    "2026-05-01T12:00:00Z", "2026-05-01T00:00:00+05:30", "2026-05-01T12:00:00.500Z",
    "1970-01-01T00:00:00Z", "1500-01-01T00:00:00Z", "9999-01-01T00:00:00Z",
)  # fmt: skip
PARTS = ("a", "e", "'", "\\", "0", "DROP", "é", "", "\n", "T12")
REGEXES = ("^a", "e.m$", "^2", "(?i)TEAM", "[0-9]+$", "'", r"\\", r"\d{3}", "line.break", "", "a|b")
ZONES = ("UTC", "Asia/Kolkata", "America/New_York", "Pacific/Chatham")
PATHS = ("a", "b", "plan", "a.b", "a\\.b", "", "user", "user.plan", "$user_id", "k\\\\", "none.of")


def world(seed: int, events: int, definitions: int) -> list[Entry]:
    """A log: the registry, so many events and so many metrics, some changed or retired."""
    return _World(seed).entries(events, definitions)


def is_plain(entry: Entry) -> bool:
    """Whether a definition is of product events, and asks for no instant."""
    data = entry.event["data"]
    return data.get("source", "events") == "events" and "{'date':" not in str(data["filters"])


class _World:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._offsets: dict[str, int] = {}
        self._log: list[Entry] = []

    def entries(self, events: int, definitions: int) -> list[Entry]:
        for tenant in (*TENANTS, ADMIN):
            kind = "admin" if tenant == ADMIN else "customer"
            attributes = {"name": tenant, "kind": kind}
            at = AS_OF - timedelta(days=300)
            self._add(
                ENTITIES, tenant, at, entity="tenant", entity_id=tenant, attributes=attributes
            )
        gone = {"entity": "tenant", "entity_id": TENANTS[-1], "deleted": True}
        if self._random.random() < 0.3:
            self._add(ENTITIES, TENANTS[-1], AS_OF - timedelta(days=5), **gone)
        for _ in range(events):
            self._random.choice((self._product, self._product, self._request, self._action))()
        for number in range(definitions):
            self._define(number)
        for number in range(0, definitions, 10):
            self._define(number, retired=self._random.random() < 0.5)
        return self._log

    def _add(self, topic: str, tenant: str, at: datetime, **data: Any) -> None:
        offset = self._offsets[topic] = self._offsets.get(topic, -1) + 1
        event = {
            "specversion": "1.0",
            "id": f"{topic} {offset}",
            "source": "world",
            "type": TYPES[topic],
            "subject": tenant,
            "time": at.isoformat(timespec="milliseconds"),
            "data": data,
        }
        arrival = int(max(at, AS_OF - timedelta(days=100)).timestamp() * 1000)
        self._log.append(Entry(topic, 0, offset, arrival, event))

    def _when(self) -> datetime:
        """Mostly around where windows begin and end."""
        pick = self._random
        minute = AS_OF.replace(second=0)
        if pick.random() < 0.4:
            back = timedelta(days=pick.choice((0, 7, 14, 30, 60, 90, 180)))
            away = pick.choice((0, 1, -1, 60_000, -60_000, 500_000, -900_000))
            return minute - back + timedelta(milliseconds=away)
        days = pick.choice((7, 14, 30, 60, 90, 180, 190))
        return minute - timedelta(
            seconds=pick.randrange(days * 86_400), milliseconds=pick.randrange(9)
        )

    def _who(self) -> str:
        return self._random.choice((*TENANTS, TENANTS[0], UNREGISTERED, ADMIN))

    def _product(self) -> None:
        data: dict[str, Any] = {"name": self._random.choice(NAMES)}
        if self._random.random() < 0.6:
            data["user_id"] = self._random.choice(("u1", "u2", "", "200", None))
        if self._random.random() < 0.95:
            data["properties"] = self._object(0)
        self._add(EVENTS, self._who(), self._when(), **data)

    def _request(self) -> None:
        pick = self._random.choice
        data: dict[str, Any] = {
            "operation": pick(("chat", "embeddings")),
            "model": pick(("m1", "m2", "it's")),
            "status_code": pick((200, 429)),
            "duration_ms": Num(pick(("0", "12.5", "812.0625", "1000000000"))),
        }
        for name in ("token_id", "user_id", "team_id", "agent_id"):
            data[name] = pick((None, "", "x", "y"))
        for name in ("input_tokens", "output_tokens"):
            data[name] = pick((None, 0, 7, 10**10))
        data["cost"] = pick((None, "0.000000001", "12.34", 0, "999999999"))
        data["currency"] = pick((None, "EUR", "USD"))
        self._add(REQUESTS, self._who(), self._when(), **data)

    def _action(self) -> None:
        pick = self._random.choice
        self._add(
            RECIPE_ACTIONS,
            self._who(),
            self._when(),
            recipe_id=pick(("r1", "r2")),
            job_id="j",
            step=1,
            kind=pick(("action", "trigger", "call")),
            outcome=pick(("succeeded", "failed", "skipped")),
            app=pick(("crm", "", None)),
        )

    def _object(self, depth: int) -> dict[str, Any]:
        pick = self._random
        found = Repeating({self._key(depth): self._value(depth) for _ in range(pick.randrange(6))})
        found.before = []
        if found and pick.random() < 0.1:
            found.before = [(pick.choice(sorted(found)), self._value(depth))]
        return found

    def _key(self, depth: int) -> str:
        return self._random.choice(KEYS if depth or self._random.random() < 0.5 else KEYS[:4])

    def _value(self, depth: int) -> Any:
        pick = self._random
        kind = pick.random()
        if kind < 0.35:
            return pick.choice(TEXTS)
        if kind < 0.7:
            return Num(pick.choice(NUMBERS)) if pick.random() < 0.7 else Num(str(pick.randrange(9)))
        if kind < 0.8:
            return pick.random() < 0.5
        if kind < 0.9:
            return pick.choice((None, [], [Num("1.50"), "a", {"x": None}], {}))
        return self._object(depth + 1) if depth < 3 else pick.choice(TEXTS)

    # Definitions ---------------------------------------------------------------------------

    def _define(self, number: int, *, retired: bool = False) -> None:
        data: dict[str, Any] = {
            "metric_id": f"m_{number}",
            "name": self._random.choice(("API calls", "'; --", "ü")),
            "interval_days": self._random.choice((7, 30, 90)),
        }
        if self._random.random() < 0.3:
            data |= {"format": "currency", "currency": self._random.choice(("EUR", "USD"))}
        if retired:
            data["retired"] = True
        kind = self._random.random()
        data |= self._of_events() if kind < 0.75 else self._of_sums(kind < 0.9)
        if data.get("property") == "cost":
            data |= {"format": "currency", "currency": self._random.choice(("EUR", "USD"))}
        self._add(DEFINITIONS, "*", AS_OF - timedelta(hours=1), **data)

    def _of_events(self) -> dict[str, Any]:
        pick = self._random
        data: dict[str, Any] = {"match": pick.choices((*NAMES, "none"), k=pick.randint(1, 4))}
        data["filters"] = [self._filter() for _ in range(pick.choice((0, 0, 1, 1, 1, 2, 3)))]
        calculation = pick.choice((*CALCULATIONS, "sum", "count"))
        if calculation != "count" or pick.random() < 0.2:
            data |= {"calculation": calculation, "property": pick.choice(PATHS)}
        return data

    def _filter(self) -> dict[str, Any]:
        pick = self._random
        operator = pick.choice(OPERATORS)
        one: dict[str, Any] = {"property": pick.choice(PATHS), "operator": operator}
        if operator in ("in", "not_in"):
            one["value"] = [self._operand() for _ in range(pick.randint(1, 5))]
        elif operator.endswith("contains"):
            one["value"] = pick.choice(PARTS)
        elif operator.endswith("regex"):
            one["value"] = pick.choice(REGEXES)
        elif operator == "between":
            one["value"] = self._between()
        elif operator in ("exact", "is_not"):
            one["value"] = self._operand()
        elif not operator.endswith("set"):
            one["value"] = self._bound()
        return one

    def _operand(self) -> Any:
        short = [text for text in TEXTS if len(text) <= 1024]
        return self._random.choice(
            (
                self._random.choice(short),
                Num(self._random.choice(NUMBERS)),
                self._random.random() < 0.5,
                {"date": self._random.choice(DATES)},
            )
        )

    def _bound(self) -> Any:
        if self._random.random() < 0.4:
            return {"date": self._random.choice(DATES)}
        return Num(self._random.choice(NUMBERS))

    def _between(self) -> list[Any]:
        pick = self._random
        if pick.random() < 0.4:
            return [
                {"date": text} for text in pick.choice(((DATES[4], DATES[3]), (DATES[1], DATES[2])))
            ]
        two = pick.choices([one for one in NUMBERS if "400" not in one], k=2)
        return [Num(text) for text in sorted(two, key=Decimal)]

    def _of_sums(self, of_requests: bool) -> dict[str, Any]:
        pick = self._random
        measures: Sequence[str] = ("actions", "tasks")
        keys: Sequence[str] = ("recipe_id", "app", "failed")
        if of_requests:
            measures = (
                "requests",
                "total_tokens",
                "input_tokens",
                "output_tokens",
                "cost",
                "duration_ms",
            )
            keys = ("team_id", "agent_id", "token_id", "user_id", "$user_id", "model", "operation")
        data: dict[str, Any] = {"source": "requests" if of_requests else "actions"}
        calculation = pick.choice(("count", "sum", "average"))
        measure = pick.choice(measures)
        if calculation != "count":
            data |= {"calculation": calculation, "property": measure}
        if of_requests and (calculation == "count" or measure == "requests"):
            keys = (*keys, "failed")
        if of_requests and calculation != "count" and measure == "duration_ms":
            keys = ("token_id", "operation")
        data["filters"] = [
            self._filter_of_sums(pick.choice(keys)) for _ in range(pick.choice((0, 1, 1, 2)))
        ]
        return data

    def _filter_of_sums(self, key: str) -> dict[str, Any]:
        pick = self._random
        value = (
            pick.choice((True, False, "true")) if key == "failed" else pick.choice(("x", "m1", ""))
        )
        values = {
            "exact": value,
            "is_not": value,
            "in": [value, "y", "chat"],
            "not_in": [value, "r1"],
            "contains": "m",
            "not_contains": "x",
            "regex": "^.1$",
            "not_regex": "r",
        }
        operator = pick.choice((*values, "is_set", "is_not_set"))
        one: dict[str, Any] = {"property": key, "operator": operator}
        return one | ({"value": values[operator]} if operator in values else {})
