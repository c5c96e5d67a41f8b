"""From a report as it is asked for to the queries that make it (row C6). Pure.

Everything that depends on the moment is resolved here, so that a report that is made again says
the same: ranges are instants, organizations and columns are named, the SQL is written out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from pipeline.access.decision import TENANT, Refusal, audience, decide, role_in
from pipeline.access.roles import ALL, Caller, Role
from pipeline.errors import UsageError
from pipeline.views import formats, parameters, projection
from pipeline.views.call import Value, call, literal
from pipeline.views.catalogue import Column, View, find, meant
from pipeline.views.formats import CSV, JSON, PARQUET, XLSX, Format
from pipeline.views.projection import Shape, Source
from pipeline.views.rows import plain

FORMATS = (CSV, JSON, PARQUET, XLSX)
MOST_VIEWS = 20
MOST_ORGANIZATIONS = 1000
MOST_IN_PARQUET = 50
"""Named organizations of a report whose parts must be one query: ClickHouse's has its bounds."""

ORGANIZATION = "organization"
"""The column that tells organizations apart, of views whose rows do not."""

_SHARED = ("since", "until", "tz", "grain", "months", "periods", "k", "token")
"""Parameters of a report; each view takes those that it has."""

Values = Callable[[View, Mapping[str, str]], dict[str, Value]]
"""The values of a view's parameters, of what was typed; raises UsageError."""


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """A report as it is asked for; the views are its data points."""

    views: list[str]
    format: str = CSV.name
    since: str = ""
    until: str = ""
    organizations: list[str] | str = []
    """Ids; `*` or none: all that are the caller's."""
    columns: list[str] | dict[str, list[str]] = []
    """Of every view those it has of a list, or a list for each view; none: all."""
    tz: str = ""
    grain: str = ""
    months: int | None = None
    periods: int | None = None
    k: int | None = None
    token: str = ""
    spreadsheet: bool = False
    """CSV as spreadsheets want it: a byte-order mark, and no formulas."""


class Part(msgspec.Struct, frozen=True):
    """One view of a report."""

    view: str
    queries: list[str]
    """Whose rows follow on each other; in ClickHouse's own format."""
    columns: list[dict[str, str]]
    """Name, type and unit of each."""
    parameters: dict[str, Any]
    """As they were understood."""


class Report(msgspec.Struct, frozen=True):
    """A report whose every part is resolved."""

    format: str
    parts: list[Part]
    organizations: list[str]
    """Those it is about; `*` alone: all."""
    spreadsheet: bool = False

    @property
    def form(self) -> Format:
        """The format of the rows."""
        return formats.named(self.format, FORMATS)


class Refused(Exception):
    """A report that the caller may not have."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.sentence)
        self.refusal = refusal


def resolve(wanted: Wanted, who: Caller, known: Mapping[str, View], values: Values) -> Report:
    """The report that is wanted, for a caller.

    Raises:
        UsageError: something in it is unknown or wrong; names it.
        Refused: something in it is not the caller's to see.
    """
    who = _as_manager(who)
    form = formats.named(wanted.format, FORMATS)
    if wanted.spreadsheet and form is not CSV:
        raise UsageError("spreadsheet is for the format csv only")
    views = [find(known, name) for name in _views(wanted.views)]
    columns = _columns(wanted.columns, views)
    organizations = _organizations(wanted.organizations)
    _nothing_unused(wanted, views)
    shapes = {
        name: Shape(form, given, None, 0, wanted.spreadsheet) for name, given in columns.items()
    }
    parts = [_part(view, wanted, organizations, who, shapes[view.name], values) for view in views]
    about = {one for _, tenants in parts for one in tenants} or set(who.tenants(Role.MANAGER))
    return Report(
        form.name,
        [part for part, _ in parts],
        [ALL] if "" in about else sorted(about),
        wanted.spreadsheet,
    )


def _as_manager(who: Caller) -> Caller:
    """The caller with what counts for reports: their grants where they are a manager or more.

    Whoever sees a part of a report as a viewer only could be given one, and never fetch it.
    """
    tenants = role_in(who, Role.MANAGER, "reports")
    if isinstance(tenants, Refusal):
        raise Refused(tenants)
    if tenants == (ALL,):
        return who
    kept = tuple(one for one in who.grants if one.role.includes(Role.MANAGER))
    return Caller(who.user, kept, who.key, who.name)


def _views(names: Sequence[str]) -> Sequence[str]:
    if not 1 <= len(names) <= MOST_VIEWS:
        raise UsageError(f"views: found {len(names)}, expected 1 to {MOST_VIEWS}")
    for place, name in enumerate(names):
        if name in names[:place]:
            raise UsageError(f"views names {name!r} twice")
    return names


def _columns(
    given: Sequence[str] | Mapping[str, Sequence[str]], views: Sequence[View]
) -> dict[str, tuple[str, ...]]:
    """The columns of each view; none: all of them."""
    has = {view.name: [column.name for column in view.columns] for view in views}
    if isinstance(given, Mapping):
        for name in given:
            if name not in has:
                raise UsageError(f"columns: {name!r} is none of the report's views")
        by_view = {name: tuple(given.get(name, ())) for name in has}
        pairs = [(name, column) for name in has for column in by_view[name]]
        wrong = [(name, column) for name, column in pairs if column not in has[name]]
        if wrong:
            name, column = wrong[0]
            raise UsageError(
                f"columns: {name} has no column {column!r}{meant(column, has[name])}; "
                f"it has {', '.join(has[name])}"
            )
        return by_view
    everywhere = {column for columns in has.values() for column in columns}
    for column in given:
        if column not in everywhere:
            raise UsageError(
                f"columns: no view of the report has {column!r}{meant(column, everywhere)}"
            )
    found = {name: tuple(one for one in given if one in columns) for name, columns in has.items()}
    for name, chosen in found.items():
        if given and not chosen:
            raise UsageError(f"columns: {name} has none of them; it has {', '.join(has[name])}")
    return found


def _organizations(given: Sequence[str] | str) -> Sequence[str]:
    """The organizations that were named; empty: all of the caller's."""
    named = [given] if isinstance(given, str) else list(given)
    if given in (ALL, "", [ALL]):
        return ()
    if len(named) > MOST_ORGANIZATIONS:
        raise UsageError(
            f"organizations: found {len(named)}, expected at most {MOST_ORGANIZATIONS}"
        )
    if "" in named:
        raise UsageError("organizations: '' is no organization; leave organizations out for all")
    if ALL in named:
        raise UsageError(f"organizations: {ALL!r} stands for all, and is given alone")
    return sorted(set(named))


def _nothing_unused(wanted: Wanted, views: Sequence[View]) -> None:
    """Refuse what no view of the report takes: it would be without effect."""
    takes = {one.name for view in views for one in view.parameters}
    takes |= {"until"} if "as_of" in takes else set()
    given = [name for name in _SHARED if getattr(wanted, name)]
    for name in given:
        if name not in takes:
            raise UsageError(f"{name}: no view of the report takes it")
    if wanted.organizations and TENANT not in takes and wanted.organizations not in (ALL, [ALL]):
        raise UsageError("organizations: every view of the report is of all organizations")


def _part(
    view: View,
    wanted: Wanted,
    organizations: Sequence[str],
    who: Caller,
    shape: Shape,
    values: Values,
) -> tuple[Part, Sequence[str]]:
    """A view's part, and the organizations that it is about: '' is all, none is nobody's."""
    by_tenant = TENANT in {one.name for one in view.parameters}
    tenants = _tenants(view, organizations, who) if by_tenant else ("",)
    for_whom = audience(view)
    is_open = for_whom is not None and for_whom.role is None
    given = _given(view, wanted)
    calls = []
    for tenant in tenants:
        asked = {**given, TENANT: tenant} if by_tenant and tenant else given
        decided = decide(who, view, asked)
        if isinstance(decided, Refusal):
            raise Refused(decided)
        calls.append(_values(view, decided, values))
    told_apart = len(tenants) < 2 or TENANT in {column.name for column in view.columns}
    sources = [
        _source(view, found, "" if told_apart else tenant)
        for tenant, found in zip(tenants, calls, strict=True)
    ]
    if shape.columns and not told_apart:
        shape = Shape(shape.format, (ORGANIZATION, *shape.columns), None, 0, shape.spreadsheet)
    queries = [projection.select(source, shape) for source in sources]
    if shape.format is PARQUET and len(queries) > MOST_IN_PARQUET:
        raise UsageError(
            f"organizations: found {len(queries)}, expected at most {MOST_IN_PARQUET} in the "
            f"format parquet; choose another format, or fewer organizations for each report"
        )
    if shape.format is PARQUET and len(queries) > 1:  # files of it cannot be put together
        queries = [" UNION ALL ".join(queries)]
    listed = [column._asdict() for column in projection.columns(sources[0], shape)]
    understood = {name: plain(value) for name, value in calls[0].items() if name != TENANT}
    return Part(view.name, queries, listed, understood), () if is_open else tenants


def _tenants(view: View, organizations: Sequence[str], who: Caller) -> Sequence[str]:
    if organizations:
        return organizations
    for_whom = audience(view)
    if for_whom is None or for_whom.role is None:
        return ("",)
    found = role_in(who, for_whom.role, view.name)
    if isinstance(found, Refusal):
        raise Refused(found)
    return ("",) if found == (ALL,) else found


def _given(view: View, wanted: Wanted) -> dict[str, str]:
    """What the report gives of the view's parameters, as typed; its end is a view's `as_of`."""
    takes = {one.name for one in view.parameters}
    given = {name: str(getattr(wanted, name)) for name in _SHARED if name in takes}
    if "as_of" in takes:
        given["as_of"] = wanted.until
    return {name: text for name, text in given.items() if text and text != "None"}


def _values(view: View, given: Mapping[str, str], values: Values) -> dict[str, Value]:
    """The view's values; what is wrong with its `as_of` is wrong with the report's ``until``."""
    try:
        return values(view, given)
    except UsageError as error:
        ours, what = parameters.option("as_of"), error.message
        if what.startswith(ours):
            what = parameters.option("until") + what.removeprefix(ours)
        raise UsageError(what) from None


def _source(view: View, values: Mapping[str, Value], organization: str) -> Source:
    # By its name: a job may have thousands of them, and an upgrade may come before they are asked.
    asked = call(view.name, values)
    if not organization:
        return Source(view.name, asked, view.columns, values)
    sql = f"(SELECT {literal(organization)} AS {ORGANIZATION}, * FROM {asked})"  # noqa: S608 - quoted
    columns = (Column(ORGANIZATION, "String", ""), *view.columns)
    return Source(view.name, sql, columns, values)
