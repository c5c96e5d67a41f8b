"""The catalogue as a page of the documentation."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.views.catalogue import View

_HEAD = """\
# The views

Every number is one view; dashboards, programs and reports select from these and hold no other SQL.
`usage views` lists them as they are deployed, `--json` for programs; `usage docs views` wrote this.

`since` is included, `until` and `as_of` are not; they are UTC, and lose their seconds. `tenant` and
`token` `''` are all. `grain` is `minute`, `hour`, `day`, `week` (ISO) or `month`. Buckets, days and
months are those of the time zone `tz`; `DateTime(tz)` is in it.

## From a terminal

```sh
usage query usage_trend --since 30d --tz Asia/Kolkata --tenant acme
usage query billing_by_team --since 2026-05-01 --until 2026-06-01 --format csv
eval "$(_USAGE_COMPLETE=bash_source usage)"   # completes views, options, zones; zsh_ and fish_ too
```

Without options it is the last 30 days up to now, or 12 months from the first day of one where the
rows are months; all tenants, UTC, 12 months, 3 periods, 10 ranks; by the minute up to three hours,
by the hour up to three days, else by the day. A time is `2026-05-01` or `2026-05-01T10:30` (both in
`--tz`), one with an offset, seconds since 1970, `now`, or how long ago (before `--until`): `90m`,
`12h`, `30d`, `2w`. `--until now` is the end of the minute that runs, so that it is counted too;
`--as-of now` is its beginning.

CSV and JSON are exact. JSON has money as strings, with nine decimals, and counts as numbers, in
full (a parser that makes floats of them is exact up to 2^53); CSV has the rows alone, JSON also
`view`, `parameters` and `as_of`, which says how fresh the answer is.

## All of them

| view | numbers | |
| --- | --- | --- |
"""


def markdown(views: Sequence[View]) -> str:
    """Write the page ``docs/views.md``."""
    rows = [
        f"| [`{view.name}`](#{view.name}) | {' '.join(view.rows)} | {view.sentence} |"
        for view in views
    ]
    return _HEAD + "\n".join(rows) + "\n" + "".join(map(_section, views))


def _section(view: View) -> str:
    parameters = ", ".join(f"{one.name} {one.type}" for one in view.parameters)
    call = f"{view.name}({parameters})" if parameters else view.name
    rows = [f"| `{one.name}` | {one.type} | {one.unit} |" for one in view.columns]
    table = "\n".join(["| column | type | unit |", "| --- | --- | --- |", *rows])
    return f"\n### {view.name}\n\n`{call}`\n\n{view.sentence}\n\n{table}\n"
