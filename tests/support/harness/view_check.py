"""Views against the oracle: parameters by the matrix, rows one by one."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from pipeline.clickhouse.client import Store
from tests.support.contract.views import BUCKET
from tests.support.contract.views import VIEWS as CONTRACT
from tests.support.harness.instants import at
from tests.support.harness.view_world import (
    ADMIN,
    CHANGES,
    FIRST,
    LAST,
    TENANTS,
    UNREGISTERED,
    ZONES,
)
from tests.support.oracle.views import VIEWS
from tests.support.oracle.world import Row, Rows, World

SHOWN = 6
_DAY = timedelta(days=1)
_STRIDE = 7  # from one range to the next: a few of them are of different kinds


RANGES = (
    (FIRST - _DAY, LAST + _DAY),
    (at("2024-06-30 18:30"), at("2024-07-31 18:30")),  # a month in Kolkata
    (at("2024-02-29 18:15"), at("2024-04-30 18:15")),  # two in Kathmandu
    (at("2024-10-31 10:00"), at("2025-01-31 10:00:59")),  # about three in Apia; seconds are cut off
    (at("2024-03-03 04:37"), at("2024-03-17 09:02")),
    (at("2024-09-29 11:11:11"), at("2024-10-13 23:59:59")),
    *((change - timedelta(hours=7, minutes=8), change + timedelta(hours=5)) for change in CHANGES),
    (CHANGES[3] - timedelta(minutes=1), CHANGES[3]),
    (at("2023-01-01 00:00"), at("2023-03-01 00:07")),  # before anything
    (at("2020-08-15 00:00"), at("2020-12-01 00:00")),  # over the beginning of availability
    (at("2011-12-28 12:00"), at("2012-01-02 12:00")),  # Apia skips a day
    (at("2024-12-31 23:59"), at("2025-01-01 00:01")),
)
AS_OF = (
    LAST + _DAY,
    at("2024-07-31 18:30"),  # August begins in Kolkata
    at("2024-07-31 18:29:59"),
    at("2024-11-03 05:45"),
    at("2025-02-28 10:01"),  # March in Apia, not elsewhere
    at("2024-03-01 00:00"),
    at("2024-12-15 12:34:56"),
    at("2023-01-01 00:00"),
)
PARAMETERS: dict[str, Sequence[Any]] = {
    "tz": ZONES,
    "grain": ("minute", "hour", "day", "week", "month"),
    "tenant": ("", "", *TENANTS[:4], ADMIN, UNREGISTERED, "nobody"),
    "token": ("", "", "token-1", "token-9"),
    "months": (12, 6, 1, 3),
    "periods": (3, 1, 14),
    "k": (3, 10, 1, 1000),
}
LONGEST = {"minute": 2 * _DAY, "hour": 100 * _DAY}
"""Of a range at these grains: rows are compared one by one."""


def cases(
    view: str,
    count: int,
    seed: int = 1,
    ranges: Sequence[tuple[datetime, datetime]] = RANGES,
    instants: Sequence[datetime] = AS_OF,
) -> list[dict[str, Any]]:
    """So many sets of parameters for a view, spread over the matrix; first everything there is."""
    names = CONTRACT[view].parameters
    rng = random.Random(f"{view} {seed}")
    found: list[dict[str, Any]] = []
    if not names:
        return [{}]
    for number in itertools.count():
        place = seed + _STRIDE * number if number else 0
        case: dict[str, Any] = {} if number else {"tenant": "", "token": "", "k": 1000}
        case["since"], case["until"] = ranges[place % len(ranges)]
        case["as_of"] = instants[place % len(instants)]
        case = {name: case.get(name, rng.choice(PARAMETERS.get(name, [""]))) for name in names}
        longest = LONGEST.get(case.get("grain", ""), 999 * _DAY)
        if "grain" in case and case["until"] - case["since"] > longest:
            case["grain"] = rng.choice(("day", "week", "month"))
        found.append(case)
        if len(found) == count:
            return found
    raise AssertionError


def select(store: Store, view: str, parameters: Mapping[str, Any], topic_prefix: str = "") -> Rows:
    """The view's rows, of the contract's columns; instants in UTC, topics without the prefix."""
    columns = ", ".join(f"`{name}`" for name in CONTRACT[view].columns)
    arguments = ", ".join(f"{name} = {_literal(value)}" for name, value in parameters.items())
    call = f"{view}({arguments})" if arguments else view
    rows = store.query(f"SELECT {columns} FROM {call}")
    return [tuple(_plain(value, topic_prefix) for value in row) for row in rows]


def _literal(value: Any) -> str:
    if isinstance(value, datetime):
        return f"'{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}'"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    return str(value)


def _plain(value: Any, topic_prefix: str) -> Any:
    if isinstance(value, str) and topic_prefix:
        return value.removeprefix(topic_prefix)
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def differences(
    store: Store, world: World, view: str, parameters: dict[str, Any], topic_prefix: str = ""
) -> Iterator[str]:
    """Yield lines for what is not as the oracle says."""
    due = VIEWS[view](world, **parameters)
    found = select(store, view, parameters, topic_prefix)
    yield from compare(view, due, found, f"{view}({parameters})")


def compare(view: str, due: Rows, found: Rows, where: str) -> Iterator[str]:
    """Yield lines for rows that differ; in order where the view has one."""
    columns = CONTRACT[view].columns
    first = next(iter(columns))
    if first in ("month", "bucket", "rank"):
        leads = [row[0] for row in found]
        if leads != sorted(leads):
            yield f"{where}: not in order of {first}: {leads[:20]}"
    by_key = {_key(row, columns): row for row in found}
    if len(by_key) != len(found):
        yield f"{where}: {len(found) - len(by_key)} rows have the same key as another"
    keys = {_key(row, columns): row for row in due}
    wrong = [
        f"  due {row}, found {by_key.get(key)}"
        for key, row in sorted(keys.items())
        if key not in by_key or not _same_row(row, by_key[key])
    ]
    wrong += [f"  not due: {row}" for key, row in sorted(by_key.items()) if key not in keys]
    if wrong:
        yield f"{where}: {len(wrong)} wrong ({len(due)} rows due, {len(found)} found)"
        yield from wrong[:SHOWN]


def _key(row: Row, columns: Mapping[str, str]) -> tuple[str, ...]:
    """What tells rows apart: ranks, partitions, buckets, days and texts."""
    kinds = zip(row, columns.items(), strict=False)
    return tuple(
        f"{value:06d}" if isinstance(value, int) else str(value)
        for value, (name, kind) in kinds
        if name in ("rank", "partition") or kind in ("String", "Date", BUCKET)
    )


def _same_row(due: Row, found: Row) -> bool:
    return len(due) == len(found) and all(map(_same, due, found))


def _same(due: Any, found: Any) -> bool:
    if isinstance(due, float) and isinstance(found, float):
        return math.isclose(due, found, rel_tol=1e-9)
    if isinstance(found, Decimal):
        return Decimal(due) == found
    return bool(due == found)
