"""User-defined metrics, slow and obvious: every event is asked by every definition."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_DOWN, Decimal, localcontext
from typing import Any, NamedTuple

from tests.support.contract.leaves import leaf_of
from tests.support.oracle.calendar import day_of, to_ms
from tests.support.oracle.log import MINUTE, Definition
from tests.support.oracle.world import Rows, World

DAY = 86_400_000
NEGATIONS = {
    "is_not": "exact",
    "not_in": "in",
    "not_contains": "contains",
    "not_regex": "regex",
    "is_not_set": "is_set",
}
TEXT_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,37})(\.[0-9]{1,18})?")
INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt]((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(\.\d{1,9})?"
    r"(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))",
    re.ASCII,
)
LEVELS = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
ZERO = Decimal(0)


@dataclass
class Thing:
    """One event, request or action, as a metric sees it."""

    tenant: str
    time: int
    name: str = ""
    properties: dict[str, Any] = field(default_factory=dict)
    measures: dict[str, Decimal | None] = field(default_factory=dict)
    """Of a request or an action: what it adds; None where there is none."""
    currency: str = ""


class Counted(NamedTuple):
    """What one matching event adds to a metric."""

    thing: Thing
    fault: str
    """Why it adds nothing: one of the counters' names, or ``''``."""
    number: Decimal
    leaf: str


class Answer(NamedTuple):
    amount: Decimal | None
    events: int
    missing: int
    not_numeric: int
    not_exact: int


def metric_values(world: World, as_of: datetime, tenant: str) -> Rows:
    """Values of metrics, and what they are compared with: B1, B2, B5, B6."""
    until, rows = to_ms(as_of), []
    customers = {one for one in world.standing(until).customers() if tenant in ("", one)}
    for one in world.metrics():
        days = one.data["interval_days"]
        middle, since = until - days * DAY, until - 2 * days * DAY
        found = matching(world, one, since, until, tenant)
        for who in customers | {each.thing.tenant for each in found}:
            mine = [each for each in found if each.thing.tenant == who]
            now = answer(one, [each for each in mine if each.thing.time >= middle])
            before = answer(one, [each for each in mine if each.thing.time < middle])
            previous = before.amount if since >= whole_since(world, one) else None
            change, state = changed(now.amount, previous)
            is_money = one.data.get("format") == "currency"
            rows.append(
                (
                    who,
                    one.metric_id,
                    one.version,
                    one.data["name"],
                    one.data.get("format") or "numeric",
                    one.data["currency"] if is_money else "",
                    now.amount,
                    previous,
                    change,
                    state,
                    *now[1:],
                )
            )
    return rows


def metric_sparkline(world: World, as_of: datetime, tz: str, tenant: str, metric: str) -> Rows:
    """Values by the day: B3."""
    until, rows = to_ms(as_of), []
    for one in world.metrics(metric):
        since = until - one.data["interval_days"] * DAY
        found = matching(world, one, since, until, tenant)
        days = sorted({day_of(at, tz) for at in range(since, until, 15 * MINUTE)})
        days = sorted({*days, day_of(until - MINUTE, tz)})
        for who in {each.thing.tenant for each in found}:
            by_day: dict[date, list[Counted]] = {day: [] for day in days}
            for each in found:
                if each.thing.tenant == who:
                    by_day[day_of(each.thing.time, tz)].append(each)
            rows += [
                (who, one.metric_id, day, answer(one, of).amount) for day, of in by_day.items()
            ]
    return rows


def metric_breakdown(
    world: World,
    as_of: datetime,
    tenant: str,
    metric: str,
    property: str,  # noqa: A002
    k: int,
) -> Rows:
    """Counts and sums by one property."""
    until, rows = to_ms(as_of), []
    for one in world.metrics(metric):
        if calculation(one) not in ("count", "sum"):
            continue
        since = until - one.data["interval_days"] * DAY
        found = matching(world, one, since, until, tenant)
        for who in {each.thing.tenant for each in found}:
            groups: dict[str, list[Counted]] = {}
            for each in found:
                if each.thing.tenant == who:
                    groups.setdefault(word(at_path(each.thing, property)), []).append(each)
            amounts = {key: Decimal(answer(one, of).amount or 0) for key, of in groups.items()}
            order = sorted(amounts, key=lambda key: (-amounts[key], key.encode()))
            ranks = [(n, key, amounts[key]) for n, key in enumerate(order[:k], 1)]
            if len(order) > k:
                ranks.append((k + 1, "other", total(amounts[key] for key in order[k:])))
            rows += [(who, one.metric_id, *rest) for rest in ranks]
    return rows


def calculation(one: Definition) -> str:
    return one.data.get("calculation") or "count"


def source(one: Definition) -> str:
    return one.data.get("source") or "events"


def whole_since(world: World, one: Definition) -> int:
    """Since when everything is kept that the metric counts; nothing at all is for never."""
    if source(one) == "events":
        return min((each.time for each in world.products), default=2**62)
    of = world.requests if source(one) == "requests" else world.actions
    return min((each.time // MINUTE * MINUTE for each in of), default=2**62)


def changed(now: Any, before: Any) -> tuple[float | None, str]:
    if now is None or before is None:
        return None, "none"
    if before == 0:
        return None, "new" if now != 0 else "none"
    # A minus sign would round to the 28 digits of Decimal's context.
    return float(total((now, before.copy_negate()))) / abs(float(before)) * 100, "ok"


def things(world: World, one: Definition) -> Iterator[Thing]:
    if source(one) == "events":
        for event in world.products:
            properties = {**event.properties, "$user_id": event.user or None}
            yield Thing(event.tenant, event.time, event.name, properties)
    elif source(one) == "requests":
        for request in world.requests:
            keys = {
                "team_id": request.team,
                "agent_id": request.agent,
                "token_id": request.token,
                "user_id": request.user,
                "$user_id": request.user,
                "model": request.model,
                "operation": request.operation,
            }
            measures = {
                "requests": Decimal(1),
                "input_tokens": Decimal(request.input),
                "output_tokens": Decimal(request.output),
                "total_tokens": Decimal(request.input + request.output),
                "cost": request.cost,
                "duration_ms": Decimal(request.duration_us) / 1000,
            }
            properties = {name: value or None for name, value in keys.items()}
            properties["failed"] = request.failed
            yield Thing(request.tenant, request.time, "", properties, measures, request.currency)
    else:
        for action in world.actions:
            properties = {"recipe_id": action.recipe, "app": action.app or None}
            measures = {"actions": Decimal(1), "tasks": Decimal(action.is_task)}
            yield Thing(
                action.tenant,
                action.time,
                "",
                {**properties, "failed": action.failed},
                measures,
            )


def matching(world: World, one: Definition, since: int, until: int, tenant: str) -> list[Counted]:
    """Everything in [since, until) that the metric counts."""
    found = []
    for thing in things(world, one):
        if not since <= thing.time < until or tenant not in ("", thing.tenant):
            continue
        if source(one) == "events" and thing.name not in one.data["match"]:
            continue
        if all(holds(thing, each) for each in one.data.get("filters") or []):
            counted = added(one, thing)
            if counted is not None:
                found.append(counted)
    return found


def added(one: Definition, thing: Thing) -> Counted | None:
    """None: it is no part of the metric."""
    if calculation(one) == "count":
        return Counted(thing, "", ZERO, "")
    if source(one) != "events":
        amount = thing.measures[one.data["property"]]
        if one.data["property"] == "cost" and thing.currency not in ("", one.data["currency"]):
            return None
        return Counted(thing, "" if amount is not None else "missing", amount or ZERO, "")
    value = at_path(thing, one.data["property"])
    if not is_set(value):
        return Counted(thing, "missing", ZERO, "")
    if calculation(one) == "unique":
        return Counted(thing, "", ZERO, leaf_of(value))
    number = number_of(value)
    if number is not None:
        return Counted(thing, "", number, "")
    return Counted(thing, "not_exact" if is_number(value) else "not_numeric", ZERO, "")


def answer(one: Definition, found: list[Counted]) -> Answer:
    faults = [each.fault for each in found]
    counters = (faults.count(name) for name in ("missing", "not_numeric", "not_exact"))
    return Answer(amount_of(one, found), len(found), *counters)


def amount_of(one: Definition, found: list[Counted]) -> Decimal | None:
    kind = calculation(one)
    if kind == "count":
        return Decimal(len(found))
    numbers = [each.number for each in found if not each.fault]
    if kind == "unique":
        return Decimal(len({each.leaf for each in found if not each.fault}))
    if kind == "sum":
        return total(numbers)
    if not numbers:
        return None
    if kind in ("min", "max"):
        return (min if kind == "min" else max)(numbers)
    if kind == "average":
        return as_written(float(total(numbers)) / len(numbers))
    return as_written(float(percentile(sorted(numbers), LEVELS[kind])))


def as_written(double: float) -> Decimal:
    """The shortest decimal that is this double, cut to 18 places."""
    with localcontext() as context:
        context.prec = 200
        return Decimal(repr(double)).quantize(Decimal("1e-18"), ROUND_DOWN)


def percentile(numbers: list[Decimal], level: float) -> Decimal:
    """The element that ``quantileExactLow`` takes."""
    if level == 0.5:
        return numbers[(len(numbers) - 1) // 2]
    return numbers[min(math.floor(level * len(numbers)), len(numbers) - 1)]


def total(numbers: Iterable[Decimal]) -> Decimal:
    with localcontext() as context:
        context.prec = 200
        return sum(numbers, ZERO)


# Values and filters --------------------------------------------------------------------------


def at_path(thing: Thing, path: str) -> Any:
    """The value at a path, None where there is none."""
    if path == "$user_id":
        return thing.properties.get(path)
    value: Any = {name: each for name, each in thing.properties.items() if name != "$user_id"}
    for key in keys(path):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def keys(path: str) -> list[str]:
    """The keys of a path, character by character."""
    found, letters = [""], iter(path)
    for letter in letters:
        if letter == ".":
            found.append("")
        else:
            found[-1] += next(letters) if letter == "\\" else letter
    return found


def is_set(value: Any) -> bool:
    return value is not None and not (isinstance(value, dict) and value)


def is_number(value: Any) -> bool:
    return not isinstance(value, bool | str | list | dict) and value is not None


def exact(value: Any) -> Decimal | None:
    """A JSON number of up to 38 and 18 digits."""
    with localcontext() as context:
        context.prec = 500
        number = Decimal(text_of(value))
        if abs(number) >= 10**38 or number != number.quantize(Decimal("1e-18")):
            return None
        return number


def text_of(value: Any) -> str:
    return str(value.text) if hasattr(value, "text") else str(value)


def number_of(value: Any) -> Decimal | None:
    """What counts as a number: one that is exact, also in a string."""
    if isinstance(value, str):
        return Decimal(value) if TEXT_NUMBER.fullmatch(value) else None
    return exact(value) if is_number(value) else None


def instant_of(value: Any) -> int | None:
    match = INSTANT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    day, clock, fraction, sign, hours, minutes = match.groups()
    try:
        local = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=UTC)
    except ValueError:
        return None
    offset = (int(hours) * 60 + int(minutes)) * (1 if sign == "+" else -1) if sign else 0
    seconds = (local - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    return int(seconds) * 1000 + int((fraction or ".")[1:4].ljust(3, "0")) - offset * 60_000


def holds(thing: Thing, one: dict[str, Any]) -> bool:
    operator = one["operator"]
    base = NEGATIONS.get(operator, operator)
    found = asked(at_path(thing, one["property"]), base, one.get("value"))
    return found if base == operator else not found


def asked(value: Any, operator: str, operand: Any) -> bool:
    if operator == "is_set":
        return is_set(value)
    if operator == "exact":
        return equal(value, operand)
    if operator == "in":
        return any(equal(value, each) for each in operand)
    if operator == "contains":
        return isinstance(value, str) and operand in value
    if operator == "regex":
        return isinstance(value, str) and re.search(operand, value, re.DOTALL) is not None
    return in_range(value, operator, operand)


def equal(value: Any, operand: Any) -> bool:
    if isinstance(operand, dict):
        at = instant_of(value)
        return at is not None and at == instant_of(operand["date"])
    if isinstance(operand, bool):
        return isinstance(value, bool) and value == operand
    if isinstance(operand, str):
        return isinstance(value, str) and value == operand
    due = exact(operand)
    if due is None:
        return is_number(value) and exact(value) is None and text_of(value) == text_of(operand)
    return number_of(value) == due


def in_range(value: Any, operator: str, operand: Any) -> bool:
    ends = operand if operator == "between" else [operand]
    number: Any = number_of(value)
    if isinstance(ends[0], dict):
        number, ends = instant_of(value), [instant_of(each["date"]) for each in ends]
    else:
        ends = [Decimal(text_of(each)) for each in ends]
    if number is None:
        return False
    tests: dict[str, bool] = {
        "gt": number > ends[0],
        "gte": number >= ends[0],
        "lt": number < ends[0],
        "lte": number <= ends[0],
        "between": ends[0] <= number <= ends[-1],
    }
    return tests[operator]


def word(value: Any) -> str:
    """A value as its text alone; '' where there is none."""
    if not is_set(value):
        return ""
    leaf = leaf_of(value)
    return {"b1": "true", "b0": "false", "o": "{}"}.get(leaf, leaf[1:])
