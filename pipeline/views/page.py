"""The catalogue as a page of the documentation."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.views.catalogue import View

_HEAD = """\
# The views

Every number is one view; dashboards, programs and reports select from these and hold no other SQL.
`usage query VIEW` asks one from a terminal; `usage views --markdown` wrote this page.

`since` is included, `until` and `as_of` are not; they are UTC, and lose their seconds. `tenant` and
`token` `''` are all. `grain` is `minute`, `hour`, `day`, `week` (ISO) or `month`. Buckets, days and
months are those of the time zone `tz`; `DateTime(tz)` is in it.

| view | numbers | |
| --- | --- | --- |
"""


def markdown(views: Sequence[View]) -> str:
    """The whole page."""
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
    return f"\n## {view.name}\n\n`{call}`\n\n{view.sentence}\n\n{table}\n"
