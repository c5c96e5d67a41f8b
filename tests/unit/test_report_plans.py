"""Reports as they are asked for: what is refused, and what the queries come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.access.decision import Reason
from pipeline.access.roles import ALL, Caller, Grant, Role, grants
from pipeline.errors import UsageError
from pipeline.reports.plan import MOST_IN_PARQUET, Refused, Report, Wanted, resolve
from pipeline.views import parameters
from pipeline.views.call import Value
from pipeline.views.catalogue import Column, View
from pipeline.views.sources import Parameter

NOW = datetime(2026, 5, 17, 12, 30, tzinfo=UTC)
MANAGER = Caller("m", grants(Role.MANAGER, ["acme", "beta"]))
EVERYBODYS = Caller("a", grants(Role.ADMIN, ["*"]))


def view(name: str, row: str, takes: str, has: str) -> View:
    kinds = {"since": "DateTime('UTC')", "until": "DateTime('UTC')", "as_of": "DateTime('UTC')"}
    return View(
        name,
        (row,),
        "A sentence.",
        tuple(Parameter(one, kinds.get(one, "String")) for one in takes.split()),
        {},
        tuple(Column(one, "String", "") for one in has.split()),
    )


KNOWN = {
    one.name: one
    for one in (
        view("usage_by_team", "C3", "since until tenant", "tenant team_id interactions"),
        view("telemetry_summary", "C1", "since until tenant", "interactions active_users"),
        view("top_tenants", "D6", "since until k", "rank tenant requests"),
        view("tasks", "D1", "since until tenant", "tenant tasks"),
        view("customers", "A7", "as_of tz", "tenant name"),
        view("ledger", "L3", "since until", "topic received"),
        view("as_of", "all", "", "type newest_event"),
    )
}


def values(view: View, given: Mapping[str, str]) -> dict[str, Value]:
    return parameters.values(view, given, NOW)


def resolved(who: Caller = MANAGER, **wanted: Any) -> Report:
    return resolve(Wanted(**{"views": ["usage_by_team"], **wanted}), who, KNOWN, values)


def test_ranges_are_resolved_once() -> None:
    (part,) = resolved(since="2d", until="2026-05-17T00:00Z").parts
    assert part.parameters == {
        "since": "2026-05-15T00:00:00+00:00",
        "until": "2026-05-17T00:00:00+00:00",
    }
    assert "since = '2026-05-15 00:00:00'" in part.queries[0]


def test_each_of_the_callers_organizations_is_asked() -> None:
    report = resolved()
    assert report.organizations == ["acme", "beta"]
    assert [
        f"tenant = '{one}'" in sql
        for one, sql in zip(("acme", "beta"), report.parts[0].queries, strict=True)
    ]


def test_rows_that_do_not_tell_organizations_apart_get_a_column() -> None:
    (part,) = resolved(views=["telemetry_summary"]).parts
    assert [one["name"] for one in part.columns] == ["organization", "interactions", "active_users"]
    assert "'beta' AS organization" in part.queries[1]
    (alone,) = resolved(views=["telemetry_summary"], organizations=["acme"]).parts
    assert [one["name"] for one in alone.columns] == ["interactions", "active_users"]


def test_parquet_is_one_query() -> None:
    (part,) = resolved(format="parquet").parts
    assert len(part.queries) == 1
    assert part.queries[0].count("UNION ALL") == 1


@pytest.mark.parametrize("name", ["usage_by_team", "telemetry_summary"])
def test_views_are_asked_by_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Fifty texts of views in one query are longer than ClickHouse reads."""
    monkeypatch.setitem(KNOWN, name, replace(KNOWN[name], select="SELECT * FROM a_long_text"))
    for wanted in ({"format": "parquet"}, {"organizations": ["acme"]}):
        (part,) = resolved(views=[name], **wanted).parts
        for query in part.queries:
            assert f"`{name}`(" in query
            assert "a_long_text" not in query


def test_of_many_organizations_only_parquet_is_refused() -> None:
    most = Caller("m", grants(Role.MANAGER, [f"o{n}" for n in range(MOST_IN_PARQUET)]))
    more = Caller("m", (*most.grants, Grant("acme", Role.MANAGER)))
    assert len(resolved(most, format="parquet").parts[0].queries) == 1
    assert len(resolved(more).parts[0].queries) == MOST_IN_PARQUET + 1
    with pytest.raises(UsageError, match="expected at most 50"):
        resolved(more, format="parquet")


def test_all_organizations_are_for_whoever_sees_all() -> None:
    report = resolved(EVERYBODYS, views=["usage_by_team", "top_tenants", "customers"], until="1d")
    assert report.organizations == ["*"]
    assert "tenant = ''" in report.parts[0].queries[0]
    assert report.parts[2].parameters["as_of"] == "2026-05-16T12:30:00+00:00"


def test_what_everybody_sees_makes_a_report_of_nobody_else() -> None:
    assert resolved(views=["usage_by_team", "as_of"]).organizations == ["acme", "beta"]
    assert resolved(views=["as_of"]).organizations == ["acme", "beta"]


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"organizations": ["acme", "other"]}, Reason.ORGANIZATION),
        ({"organizations": "other"}, Reason.ORGANIZATION),
        ({"views": ["usage_by_team", "top_tenants"]}, Reason.COMPARES),
        ({"views": ["ledger"]}, Reason.ROLE),
    ],
)
def test_what_is_not_theirs_is_refused(wanted: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        resolved(**wanted)
    assert refused.value.refusal.status == 403
    assert refused.value.refusal.reason is reason


MIXED = Caller("x", (Grant("acme", Role.MANAGER), Grant("globex", Role.VIEWER)))


def test_where_somebody_is_a_viewer_only_no_report_is_theirs() -> None:
    assert resolved(MIXED, views=["tasks"]).organizations == ["acme"]
    for wanted in (["globex"], ["acme", "globex"]):
        with pytest.raises(Refused) as refused:
            resolved(MIXED, views=["tasks"], organizations=wanted)
        assert refused.value.refusal.status == 403
        assert refused.value.refusal.reason is Reason.ORGANIZATION
    everywhere = Caller("x", (Grant("acme", Role.MANAGER), Grant(ALL, Role.VIEWER)))
    assert resolved(everywhere, views=["tasks"]).organizations == ["acme"]
    with pytest.raises(Refused):
        resolved(everywhere, views=["top_tenants"])
    with pytest.raises(Refused):
        resolved(Caller("v", grants(Role.VIEWER, ["acme"])), views=["tasks"])


def test_the_ledger_is_in_reports_of_whoever_is_a_manager_of_all_too() -> None:
    both = Caller("o", (Grant(ALL, Role.ADMIN), Grant(ALL, Role.OPERATOR)))
    assert resolved(both, views=["ledger"]).organizations == [ALL]
    some = Caller("o", (Grant("acme", Role.ADMIN), Grant(ALL, Role.OPERATOR)))
    with pytest.raises(Refused):
        resolved(some, views=["ledger"])


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"views": []}, "views: found 0, expected 1 to 20"),
        ({"views": ["usage_by_team"] * 2}, "views names 'usage_by_team' twice"),
        ({"views": ["usage_by_taem"]}, "did you mean 'usage_by_team'?"),
        ({"format": "xls"}, "did you mean 'xlsx'?"),
        ({"format": "arrow"}, "none of csv, json, parquet, xlsx"),
        ({"format": "json", "spreadsheet": True}, "for the format csv only"),
        ({"columns": ["teem_id"]}, "did you mean 'team_id'?"),
        ({"columns": {"telemetry_summary": []}}, "none of the report's views"),
        ({"columns": {"usage_by_team": ["nope"]}}, "usage_by_team has no column 'nope'"),
        ({"views": ["usage_by_team", "as_of"], "columns": ["team_id"]}, "as_of has none of them"),
        ({"grain": "day"}, "grain: no view of the report takes it"),
        ({"organizations": ["acme", "*"]}, "'*' stands for all, and is given alone"),
        ({"organizations": [""]}, "'' is no organization"),
        ({"organizations": ["acme", ""]}, "'' is no organization"),
        ({"since": "soon"}, "--since"),
    ],
)
def test_what_is_wrong_is_named(wanted: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        resolved(**wanted)
    assert sentence in refused.value.message


def test_a_wrong_end_is_named_so_where_a_view_calls_it_otherwise() -> None:
    with pytest.raises(UsageError, match=r"^--until 'soon'"):
        resolved(EVERYBODYS, views=["customers"], until="soon")


def test_columns_are_chosen_for_all_views_or_for_each() -> None:
    both = ["usage_by_team", "telemetry_summary"]
    shared = resolved(views=both, columns=["interactions"], organizations=["acme"])
    assert [[one["name"] for one in part.columns] for part in shared.parts] == [
        ["interactions"]
    ] * 2
    each = resolved(views=both, columns={"usage_by_team": ["team_id", "tenant"]})
    assert [one["name"] for one in each.parts[0].columns] == ["team_id", "tenant"]
    assert len(each.parts[1].columns) == 3
