"""What a panel asks ClickHouse through Grafana: ``SELECT … FROM view(…)``, no other SQL. Pure.

The plugin replaces ``$__fromTime`` by ``toDateTime(…)``, which a view's parameter reads again as a
text in the server's zone: hence numbers. Grafana replaces ``${tenant:singlequote}`` by the value in
quotes, before which it puts a backslash; a backslash itself it leaves as it is: hence `escaped`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipeline.clickhouse.quoting import quoted
from pipeline.panels.panel import Panel
from pipeline.views.catalogue import Column, View
from pipeline.views.parameters import DEFAULTS, GRAINS, GRAINS_UP_TO
from pipeline.views.sources import Parameter

FROM = "toUnixTimestamp($__fromTime)"
TO = "toUnixTimestamp($__toTime)"
UNTIL = f"{TO} + 59"
"""Views cut seconds off: so the running minute is in it, and a day that ends at 23:59:59 whole."""
ZONE = "if('${__timezone}' = 'utc', 'UTC', '${__timezone}')"
"""The dashboard's time zone; Grafana calls UTC ``utc``, which is no zone of ClickHouse."""
AUTO = "auto"
"""The grain that follows from the range."""

_LAST = f"toDateTime({TO} - 1, {ZONE})"  # a range that ends at midnight ends the day before
_YEAR_AGO = f"toStartOfMonth(addMonths({_LAST}, -{int(DEFAULTS['months']) - 1}))"
SINCE_MONTH = f"toUnixTimestamp(toDateTime({_YEAR_AGO}, {ZONE}))"
"""The start of the first of the twelve months that end with the range: months are shown whole."""

_BY_RANGE = "".join(
    f"{TO} - {FROM} <= {int(longest.total_seconds())}, '{grain}', "
    for longest, grain in GRAINS_UP_TO
)
GRAIN = f"if('${{grain}}' = '{AUTO}', multiIf({_BY_RANGE}'day'), '${{grain}}')"

_OF_FILTERS = {
    "since": FROM,
    "until": UNTIL,
    "as_of": TO,
    "tz": ZONE,
    "grain": GRAIN,
    "tenant": "${tenant:singlequote}",
    "token": "${token:singlequote}",
    "metric": "${metric:singlequote}",
    "property": "${property:singlequote}",
}


def escaped(column: str) -> str:
    """A column as the value of a variable: what stands between quotes once Grafana quoted it."""
    backslashes = rf"replaceAll({column}, '\\', '\\\\')"
    return rf"replaceAll({backslashes}, char(36), '\\x24')"


def query(view: View, panel: Panel, shown: Iterable[str], of_links: Sequence[str] = ()) -> str:
    """A panel's question.

    ``shown``: columns; ``of_links``: those that stand in addresses, escaped as a filter's values,
    under names of their own (`in_link`).
    """
    known = {column.name: column for column in view.columns}
    columns = [projected(known[name]) for name in shown]
    columns += [f"{escaped(name)} AS {in_link(name)}" for name in of_links]
    return f"SELECT {', '.join(columns)} FROM {call(view, panel)}"  # noqa: S608 - names of views


def in_link(column: str) -> str:
    """The name of a column as a link has its values."""
    return f"link_{column}"


def call(view: View, panel: Panel) -> str:
    """What stands behind FROM; a view without parameters has no parentheses."""
    by_month = any(column.name == "month" for column in view.columns)
    filters = {**_OF_FILTERS, **({"since": SINCE_MONTH} if by_month else {})}
    arguments = ", ".join(f"{one.name} = {_value(one, panel, filters)}" for one in view.parameters)
    return f"{view.name}({arguments})" if arguments else view.name


def _value(of: Parameter, panel: Panel, filters: Mapping[str, str]) -> str:
    """What a parameter is: the panel's own, else the filter's, else the default."""
    if of.name in filters and of.name not in panel.fixed:
        return filters[of.name]
    value = panel.fixed.get(of.name, DEFAULTS.get(of.name, ""))
    return quoted(value) if of.type == "String" else value


def projected(column: Column) -> str:
    """A column as it is asked for.

    A Date goes out as a text: as an instant it would be the day before in America.
    """
    if column.type == "Date":
        form = "%Y-%m" if column.name == "month" else "%F"
        return f"formatDateTime({column.name}, '{form}') AS {column.name}"
    return column.name


ORGANIZATIONS = (
    f"SELECT {escaped('tenant')} AS value, if(name = tenant, name, concat(name, ' (', tenant, ')'))"  # noqa: S608
    f" AS text FROM organizations(as_of = {TO}, tenant = '') ORDER BY text"
)
"""The values of the filter of organizations."""
TOKENS = (
    f"SELECT {escaped('token_id')} AS value, if(count() = 1, any(name), token_id) AS text "  # noqa: S608
    f"FROM top_tokens(since = {FROM}, until = {UNTIL}, k = 1000, tenant = ${{tenant:singlequote}}) "
    "WHERE token_id != '' GROUP BY token_id ORDER BY text, value"
)
"""The values of the filter of tokens: those with requests in the range."""
METRICS = (
    f"SELECT DISTINCT {escaped('metric_id')} AS value, name AS text "  # noqa: S608
    f"FROM metric_values(as_of = {TO}, tenant = ${{tenant:singlequote}}) ORDER BY text, value"
)
"""The values of the filter of metrics: those in force."""
COUNTED_UP_TO = (
    "SELECT newest_arrival AS time, concat('Counted up to here: ', type) AS text FROM as_of"
)
"""An annotation for each type of events: beyond it nothing is counted yet."""

GRAIN_CHOICES = (AUTO, *GRAINS)
