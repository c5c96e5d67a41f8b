"""The catalogue of views, read from the deployed database.

A view says of itself what no query tells, in its comment, three lines: the rows of the list of
numbers that it answers, a sentence, and the units of its columns.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import UsageError
from pipeline.views.call import Value, call, opened
from pipeline.views.sources import Parameter, parameters

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

_ZONE = "Pacific/Apia"  # hardly anybody's own: where it shows in a type, it came from `tz`
_PLAIN, _DAYS = "_plain", "_days"
"""End the names of a view's plain case, and of that from days; both begin with an underscore."""
_KEPT = "_metric_days_kept"
"""Says which days may be taken."""
_SAMPLES: Mapping[str, Any] = {"tz": _ZONE, "grain": "day"}


YOUNG_SECONDS = 10
"""A file's time is of whole seconds, and servers' clocks differ: one that changed so lately may
change again at the same time."""
_STATE = """
SELECT
    count(), groupBitXor(cityHash64(name, uuid, metadata_modification_time)),
    max(metadata_modification_time) < now() - {young:UInt32}
FROM system.tables WHERE database = {database:String} AND engine = 'View'
"""


class Column(NamedTuple):
    """A column of a view; ``DateTime(tz)`` is in the zone that was asked for."""

    name: str
    type: str
    unit: str


WORTH = 250_000
"""Events that are spared, from which on the longer text pays."""
MOST_TOLD = 30_000
"""Characters of fillings, which the text has some times: the store takes 262,144 in all."""


@dataclass(frozen=True)
class ByDay:
    """A question that days may answer which were added up before, if they hold."""

    which: str
    """Asks for those that do: a query, whose one row is taken by `asked`."""
    select: str = field(repr=False)
    values: Mapping[str, Value]
    around: Callable[[str], str] = field(default=str, repr=False)
    """Makes what stands behind FROM of the view's rows, where more than those is asked."""

    def asked(self, made: str, spared: int) -> str:
        """What stands behind FROM, with the days that hold; '' where that does not pay.

        It gives what the plain case gives, or refuses (`not_plain`).
        """
        if not made or spared < WORTH or len(made) > MOST_TOLD:
            return ""
        given = {**self.values, "made": made}
        return self.around(opened(self.select, given))


@dataclass(frozen=True)
class View:
    """One view: what it answers, what it wants, what it gives."""

    name: str
    rows: tuple[str, ...]
    """Rows of the list of numbers, ``A1``."""
    sentence: str
    parameters: tuple[Parameter, ...]
    units: Mapping[str, str]
    columns: tuple[Column, ...] = ()
    """Empty until described."""
    select: str = field(default="", repr=False)
    """As the database has it; empty where it was not read from one."""
    plain: str = field(default="", repr=False)
    """A shorter one, of the plain case alone: it gives the same, or refuses (`not_plain`)."""
    days: tuple[str, str] = field(default=("", ""), repr=False)
    """One that asks which days were added up before, and the plain case from those and events."""

    def asked(self, values: Mapping[str, Value]) -> str:
        """What stands behind FROM, with a value for each parameter."""
        return opened(self.select, values) if self.select else call(self.name, values)

    def asked_plainly(self, values: Mapping[str, Value], metric: str = "") -> str:
        """What stands behind FROM in the plain case; '' where the view has none.

        ``metric``: the one whose rows are wanted, where the view itself has those of all.
        """
        return opened(self.plain, {"metric": metric, **values}) if self.plain else ""

    def asked_by_day(self, values: Mapping[str, Value], metric: str = "") -> ByDay | None:
        """The plain case from days that were added up before; None where the view has none."""
        which, select = self.days
        if not which or not select:
            return None
        given = {"metric": metric, **values}
        return ByDay(f"SELECT * FROM {opened(which, given)}", select, given)  # noqa: S608 - quoted

    def as_json(self) -> dict[str, Any]:
        """The view as JSON for programs."""
        return {
            "name": self.name,
            "rows": list(self.rows),
            "sentence": self.sentence,
            "parameters": [parameter._asdict() for parameter in self.parameters],
            "columns": [column._asdict() for column in self.columns],
        }


def state(store: Store) -> tuple[int, int] | None:
    """What tells one state of all views from any other; None where they changed just now.

    It takes a fiftieth of what reading them takes: most of that is writing out their SQL.
    """
    rows = store.query(_STATE, {"database": store.database, "young": YOUNG_SECONDS})
    return next(((count, digest) for count, digest, is_old in rows if is_old), None)


def names(store: Store) -> dict[str, View]:
    """All views by name, their columns not described."""
    rows = store.query(
        "SELECT name, as_select FROM system.tables WHERE database = {database:String} "
        "AND engine = 'View' AND startsWith(name, '_')",
        {"database": store.database},
    )
    ours = dict(rows)
    which = ours.get(_KEPT, "")
    return {
        name: replace(
            view,
            plain=ours.get(f"_{name}{_PLAIN}", ""),
            days=(which, ours.get(f"_{name}{_DAYS}", "")),
        )
        for name, (view, _) in sources(store).items()
    }


def sources(store: Store) -> dict[str, tuple[View, str]]:
    """The views, each with its SELECT as the database has it."""
    rows = store.query(
        "SELECT name, as_select, comment FROM system.tables "
        "WHERE database = {database:String} AND engine = 'View' AND NOT startsWith(name, '_') "
        "ORDER BY name",
        {"database": store.database},
    )
    return {name: (_view(name, query, comment), query) for name, query, comment in rows}


def read(store: Store, only: Sequence[str] = ()) -> list[View]:
    """All views with their columns, or some, in the order of the list of numbers.

    Raises:
        UsageError: there is none of a name.
    """
    known = names(store)
    views = [described(store, find(known, name)) for name in only or known]
    return sorted(views, key=lambda view: (_place(view.rows), view.name))


def described(store: Store, view: View) -> View:
    """The view with its columns, as the database describes them."""
    samples = {one.name: _sample(one) for one in view.parameters}
    rows = store.query(f"DESCRIBE (SELECT * FROM {call(view.name, samples)})")  # noqa: S608 - quoted
    columns = tuple(
        Column(row[0], row[1].replace(f"'{_ZONE}'", "tz"), view.units.get(row[0], ""))
        for row in rows
    )
    return replace(view, columns=columns)


def not_plain(refusal: str) -> bool:
    """Whether a refusal says that a plain case is none, which in full is answered."""
    return "not plain: " in refusal


def find(views: Mapping[str, View], name: str) -> View:
    """The view of that name.

    Raises:
        UsageError: there is none; says which one was probably meant.
    """
    if name in views:
        return views[name]
    raise UsageError(f"there is no view {name!r}{meant(name, views)}; `usage views` lists all")


def meant(name: str, known: Iterable[str]) -> str:
    """`, did you mean …?`, or nothing where none comes near."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f", did you mean {close[0]!r}?" if close else ""


def _view(name: str, query: str, comment: str) -> View:
    rows, sentence, units = (*comment.split("\n"), "", "", "")[:3]
    known = dict(part.strip().split(" ", 1) for part in units.split(",") if " " in part.strip())
    return View(name, tuple(rows.split()), sentence, parameters(query), known, select=query)


def _sample(parameter: Parameter) -> Any:
    """Any value of the type: an empty range, so that describing costs nothing."""
    if parameter.name in _SAMPLES:
        return _SAMPLES[parameter.name]
    if parameter.type.startswith("DateTime"):
        return "2020-01-01 00:00:00"
    return "" if parameter.type == "String" else 1


def _place(rows: tuple[str, ...]) -> tuple[str, int]:
    """Where it stands in the list of numbers; those without a row last."""
    first = next(iter(rows), "~")
    digits = first[1:]
    return (first[:1], int(digits)) if digits.isdigit() else ("~", 0)
