"""What a person types behind `usage query`, and what is printed."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from click.shell_completion import ShellComplete

from pipeline.cli.main import cli
from pipeline.errors import UsageError
from pipeline.views import rows
from pipeline.views.call import call, opened
from pipeline.views.catalogue import Column, View, find
from pipeline.views.parameters import DEFAULTS, values
from pipeline.views.sources import ORDER, Parameter, parameters, shipped

NOW = datetime(2026, 5, 20, 10, 30, tzinfo=UTC)


def view(*names: str) -> View:
    kinds = [Parameter(name, "String") for name in names]
    return View("some_view", ("A1",), "", tuple(kinds), {})


def asked(*names: str, **given: str) -> dict[str, Any]:
    return values(view(*names), given, NOW + timedelta(seconds=15))


def test_defaults_are_the_last_thirty_days_with_the_minute_that_runs() -> None:
    end = NOW + timedelta(minutes=1)
    assert asked("since", "until", "tz", "grain", "tenant") == {
        "since": end - timedelta(days=30),
        "until": end,
        "tz": "UTC",
        "grain": "day",
        "tenant": "",
    }
    assert asked("as_of", "months", "periods", "k") == {
        "as_of": NOW,
        "months": 12,
        "periods": 3,
        "k": 10,
    }


@pytest.mark.parametrize(
    ("given", "since"),
    [
        ({}, datetime(2025, 6, 1, tzinfo=UTC)),
        ({"tz": "Asia/Kolkata"}, datetime(2025, 5, 31, 18, 30, tzinfo=UTC)),
        ({"until": "2026-01-01"}, datetime(2025, 1, 1, tzinfo=UTC)),
        ({"until": "2026-12-15"}, datetime(2026, 1, 1, tzinfo=UTC)),
        ({"since": "30d"}, NOW + timedelta(minutes=1) - timedelta(days=30)),
    ],
)
def test_what_is_by_month_begins_with_one(given: dict[str, str], since: datetime) -> None:
    by_month = replace(view("since", "until", "tz"), columns=(Column("month", "Date", ""),))
    assert values(by_month, given, NOW + timedelta(seconds=15))["since"] == since


@pytest.mark.parametrize("name", ["since", "until", "as_of"])
def test_an_empty_time_is_not_left_out(name: str) -> None:
    with pytest.raises(UsageError, match="'' is no time"):
        asked("since", "until", "as_of", **{name: ""})


@pytest.mark.parametrize(
    ("since", "grain"),
    [("1h", "minute"), ("3h", "minute"), ("4h", "hour"), ("1d", "hour"), ("1w", "day")],
)
def test_buckets_follow_the_range(since: str, grain: str) -> None:
    assert asked("since", "until", "grain", since=since)["grain"] == grain


def test_every_parameter_but_a_property_has_a_default() -> None:
    assert set(ORDER) - set(DEFAULTS) == {"property"}
    with pytest.raises(UsageError, match="some_view wants --property"):
        asked("property")


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-05-01", datetime(2026, 4, 30, 18, 30, tzinfo=UTC)),
        ("2026-05-01T10:30", datetime(2026, 5, 1, 5, 0, tzinfo=UTC)),
        ("2026-05-01 10:30:00Z", datetime(2026, 5, 1, 10, 30, tzinfo=UTC)),
        ("2026-05-01T10:30:00+02:00", datetime(2026, 5, 1, 8, 30, tzinfo=UTC)),
        ("1777593600", datetime(2026, 5, 1, 0, 0, tzinfo=UTC)),
        ("90m", NOW - timedelta(minutes=90)),
        ("12h", NOW - timedelta(hours=12)),
        ("2w", NOW - timedelta(weeks=2)),
        ("now", NOW),
    ],
)
def test_times(text: str, instant: datetime) -> None:
    assert asked("as_of", "tz", as_of=text, tz="Asia/Kolkata")["as_of"] == instant


def test_since_is_counted_back_from_until() -> None:
    found = asked("since", "until", since="7d", until="2026-05-08")
    assert found["since"] == datetime(2026, 5, 1, tzinfo=UTC)
    assert asked("since", "until", since="1h", until="now") == {
        "since": NOW - timedelta(minutes=59),
        "until": NOW + timedelta(minutes=1),
    }
    assert asked("since", "until", until="1h")["until"] == NOW - timedelta(hours=1)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"k": "3"}, "some_view takes no --k; it takes --since, --until, --as-of, --tz, --grain"),
        ({"since": "yesterday"}, "--since 'yesterday' is no time: wanted is one like 2026-05-01"),
        ({"as_of": "2026-02-30"}, "--as-of '2026-02-30' is no time"),
        ({"since": "1969-12-31"}, "--since '1969-12-31' is not between 1970 and 2105"),
        ({"since": "9999999d"}, "is no time"),
        ({"since": "2026-05-02", "until": "2026-05-01"}, "2026-05-02 00:00 is not before --until"),
        ({"since": "now"}, "is not before --until"),
        (
            {"tz": "asia/kolkata"},
            "'asia/kolkata' is no IANA time zone, did you mean 'Asia/Kolkata'",
        ),
        ({"tz": "Kolkata"}, "did you mean 'Asia/Kolkata'?"),
        ({"tz": "Europe/Vienne"}, "did you mean 'Europe/Vienna'?"),
        ({"tz": "localtime"}, "--tz 'localtime' is no IANA time zone$"),  # some machines have it
        ({"tz": "qqqqq"}, "--tz 'qqqqq' is no IANA time zone$"),
        ({"grain": "year"}, "--grain 'year' is none of minute, hour, day, week, month"),
        ({"months": "0"}, "--months '0' is no whole number from 1 to 65,535"),
        ({"months": "-3"}, "--months '-3' is no whole number"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, str], sentence: str) -> None:
    names = ["since", "until", "as_of", "tz", "grain"]
    if "months" in given:
        names.append("months")
    with pytest.raises(UsageError, match=sentence.replace("?", r"\?")):
        asked(*names, **given)


def test_a_view_that_does_not_exist() -> None:
    known = {"top_users": view(), "top_tokens": view()}
    with pytest.raises(UsageError, match="no view 'top_user', did you mean 'top_users'"):
        find(known, "top_user")
    with pytest.raises(UsageError, match="no view 'xyz'; `usage views` lists all"):
        find(known, "xyz")


def test_a_call_is_quoted() -> None:
    values: dict[str, Any] = {
        "since": datetime(2026, 5, 1, 2, tzinfo=timezone(timedelta(hours=2))),
        "tenant": "o'brien\\",
        "k": 3,
    }
    expected = r"`v`(since = '2026-05-01 00:00:00', tenant = 'o\'brien\\', k = 3)"
    assert call("v", values) == expected
    assert call("v", {}) == "`v`"


def test_a_view_is_opened_with_values_in_the_places_of_its_parameters_alone() -> None:
    select = (
        "SELECT {tenant:String} AS a, '{k:UInt32} it''s \\' {k:UInt32}', `{k:UInt32}`, "
        "[{ k : UInt32 }, {since:DateTime('UTC')}]"
    )
    values: dict[str, Any] = {"tenant": "o'brien {k:UInt32}", "k": 3, "since": NOW}
    assert opened(select, values) == (
        "(SELECT 'o\\'brien {k:UInt32}' AS a, '{k:UInt32} it''s \\' {k:UInt32}', `{k:UInt32}`, "
        "[CAST(3, 'UInt32'), CAST('2026-05-20 10:30:00', 'DateTime(\\'UTC\\')')])"
    )
    with pytest.raises(KeyError, match="since"):
        opened(select, {"tenant": "", "k": 1})


def test_parameters_are_read_from_sql_in_one_order() -> None:
    query = "SELECT {k:UInt32}, {tenant:String} WHERE a >= {since:DateTime('UTC')} + {k:UInt32}"
    assert parameters(query) == (
        Parameter("since", "DateTime('UTC')"),
        Parameter("k", "UInt32"),
        Parameter("tenant", "String"),
    )


def test_money_and_large_counts_are_exact() -> None:
    columns = ["n", "cost", "day", "at", "no", "yes"]
    row = (
        2**64 - 1,
        Decimal("12345678901234567890.000000001"),
        date(2026, 5, 1),
        datetime(2026, 5, 1, 2, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        None,
        True,
    )
    out = io.StringIO()
    rows.as_csv(columns, [row], out)
    assert out.getvalue() == (
        "n,cost,day,at,no,yes\n18446744073709551615,12345678901234567890.000000001,"
        "2026-05-01,2026-05-01T02:00:00+05:30,,true\n"
    )
    out = io.StringIO()
    rows.show_json(rows.as_json(columns, [row]), out)
    assert json.loads(out.getvalue()) == [
        {
            "n": 18446744073709551615,
            "cost": "12345678901234567890.000000001",
            "day": "2026-05-01",
            "at": "2026-05-01T02:00:00+05:30",
            "no": None,
            "yes": True,
        }
    ]


def completions(*arguments: str) -> set[str]:
    shell = ShellComplete(cli, {}, "usage", "_USAGE_COMPLETE")
    *before, last = arguments
    return {item.value for item in shell.get_completions(before, last)}


def test_a_shell_is_offered_views_and_their_options() -> None:
    assert "ledger_gaps" in completions("query", "led")
    assert completions("query", "led") <= set(shipped())
    assert completions("query", "ledger", "--") == {"--since", "--until", "--format", "--help"}
    assert completions("query", "live_windows", "--a") == {"--as-of"}
    assert completions("query", "usage_trend", "--tz", "asia/kat") == {
        "Asia/Kathmandu",
        "Asia/Katmandu",
    }
    assert "week" in completions("query", "usage_trend", "--grain", "")
