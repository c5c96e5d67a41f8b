"""A panel as Grafana draws it: one over a view, or one over Prometheus. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.panels.grafana import fields, sql
from pipeline.panels.grafana.fields import Json
from pipeline.panels.panel import Gauge, Kind, Panel, Tab
from pipeline.views.catalogue import View

CLICKHOUSE: Json = {"type": "grafana-clickhouse-datasource", "uid": "usage-clickhouse"}
PROMETHEUS: Json = {"type": "prometheus", "uid": "usage-prometheus"}
PLUGIN_VERSION = "4.20.0"
_TIME_SERIES, _TABLE = 0, 1
"""The plugin's formats."""

_LEGEND: Json = {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []}
_TOOLTIP: Json = {"mode": "multi", "sort": "desc"}
_BY_NAME = {"name", "app"}

_LINKS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "customers": ("name", "/d/usage-customer?var-tenant={tenant}", ("tenant",)),
    "top-customers": ("name", "/d/usage-customer?var-tenant={tenant}", ("tenant",)),
    "top-organizations": ("name", "/d/usage-requests?var-tenant={tenant}", ("tenant",)),
    "top-tokens": (
        "name",
        "/d/usage-requests?var-tenant={tenant}&var-token={token_id}",
        ("tenant", "token_id"),
    ),
}
"""Where a name leads: the column, the address, and the columns that stand in it."""


def of_view(panel: Panel, view: View, number: int) -> Json:
    """A panel over a view."""
    known = {column.name: column for column in view.columns}
    link, more = _link(panel)
    shown = dict.fromkeys((*filter(None, (panel.x, panel.by)), *panel.columns))
    if panel.kind is Kind.TABLE and "tenant" in known and panel.tab is not Tab.CUSTOMER:
        # All organizations at once is a choice of the filter: then whose row is it?
        shown["tenant"] = None
    series = panel.kind is Kind.LINE
    defaults = fields.defaults(_nothing(panel), **_drawing(panel.kind))
    if series and panel.by:
        defaults["displayName"] = f"${{__field.labels.{panel.by}}}"
    columns = [known[name] for name in shown]
    if defaults.get("displayName"):  # names would stand before what tells the series apart
        defaults |= fields.unit(known[panel.columns[0]].unit, panel.kind)
        columns = []
    return {
        **_head(number, panel.title, f"{view.sentence} ({' '.join(panel.rows)})", CLICKHOUSE),
        "type": _type(panel),
        "options": _options(panel),
        "fieldConfig": {
            "defaults": defaults,
            "overrides": [
                *fields.overrides(panel, columns, link),
                *fields.hidden(map(sql.in_link, more)),
            ],
        },
        "targets": [
            {
                "refId": "A",
                "datasource": CLICKHOUSE,
                "editorType": "sql",
                "rawSql": sql.query(view, panel, tuple(shown), more),
                "queryType": "timeseries" if series else "table",
                "format": _TIME_SERIES if series else _TABLE,
                "pluginVersion": PLUGIN_VERSION,
            }
        ],
    }


def of_prometheus(gauge: Gauge, number: int, links: list[Json]) -> Json:
    """A panel over Prometheus; ``links`` lead to the runbook."""
    kind = {Kind.LINE: "timeseries", Kind.STAT: "stat", Kind.TABLE: "table", Kind.BAR: "heatmap"}
    more: Json = {}
    if gauge.kind is Kind.TABLE:
        more["transformations"] = [
            {
                "id": "organize",
                "options": {
                    "excludeByName": {"Time": True},
                    "indexByName": {},
                    "renameByName": {"Value": gauge.series[0].legend},
                },
            }
        ]
    defaults = fields.defaults(
        _silence(gauge),
        **fields.unit(gauge.unit, gauge.kind),
        **({} if gauge.kind is Kind.BAR else _drawing(gauge.kind)),
    )
    if gauge.limits:
        defaults |= _limits(gauge)
    return {
        **_head(number, gauge.title, gauge.sentence, PROMETHEUS),
        "type": kind[gauge.kind],
        "links": links,
        "options": _gauge_options(gauge),
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + at),
                "datasource": PROMETHEUS,
                "editorMode": "code",
                "expr": one.expr,
                "legendFormat": one.legend or "__auto",
                "range": gauge.kind in (Kind.LINE, Kind.BAR),
                "instant": gauge.kind in (Kind.STAT, Kind.TABLE),
                "format": {Kind.BAR: "heatmap", Kind.TABLE: "table"}.get(gauge.kind, "time_series"),
            }
            for at, one in enumerate(gauge.series)
        ],
        **more,
    }


def _head(number: int, title: str, description: str, source: Json) -> Json:
    return {"id": number, "title": title, "description": description, "datasource": source}


def _link(panel: Panel) -> tuple[dict[str, Json], tuple[str, ...]]:
    if panel.id not in _LINKS:
        return {}, ()
    column, address, more = _LINKS[panel.id]
    values = {name: f"${{__data.fields.{sql.in_link(name)}:percentencode}}" for name in more}
    url = f"{address.format(**values)}&${{__url_time_range}}"
    return {column: {"title": "Show", "url": url, "targetBlank": False}}, more


def _type(panel: Panel) -> str:
    return {Kind.LINE: "timeseries", Kind.BAR: "barchart"}.get(panel.kind, str(panel.kind))


def _nothing(panel: Panel) -> str:
    return {
        "ledger-gaps": "No gaps, no overlaps: every offset is accounted for",
        "rejections": "Nothing was rejected",
        "as-of": "Nothing was counted yet",
    }.get(panel.id, fields.NOTHING)


def _silence(gauge: Gauge) -> str:
    if any(one.expr.endswith("> 0") for one in gauge.series):
        return "None"
    return "Nothing to show: no process is scraped, or nothing came"


def _drawing(kind: Kind) -> Json:
    """Settings of all fields, by kind."""
    if kind is Kind.LINE:
        return {
            "custom": {
                "drawStyle": "line",
                "lineWidth": 2,
                "fillOpacity": 8,
                "showPoints": "auto",
                "spanNulls": False,
                "axisSoftMin": 0,
            }
        }
    if kind is Kind.BAR:
        return {"custom": {"fillOpacity": 80, "axisSoftMin": 0}}
    if kind is Kind.TABLE:
        return {"custom": {"align": "auto", "filterable": True}}
    return {}


def _options(panel: Panel) -> Json:
    if panel.kind is Kind.STAT:
        return _stat("/.*/" if not panel.by else "", each_row=bool(panel.by))
    if panel.kind is Kind.LINE:
        return {"legend": {**_LEGEND, "calcs": ["sum"]}, "tooltip": _TOOLTIP}
    if panel.kind is Kind.BAR:
        return {
            "orientation": "horizontal" if panel.x in _BY_NAME else "vertical",
            "xField": panel.x,
            "showValue": "auto",
            "stacking": "none",
            "legend": {**_LEGEND, "showLegend": len(panel.columns) > 1},
            "tooltip": {"mode": "single", "sort": "none"},
        }
    return {"showHeader": True, "cellHeight": "sm"}


def _gauge_options(gauge: Gauge) -> Json:
    if gauge.kind is Kind.STAT:
        return _stat("", each_row=False) | {"textMode": "auto"}
    if gauge.kind is Kind.LINE:
        legend = {**_LEGEND, "displayMode": "table", "calcs": ["lastNotNull", "max"]}
        return {"legend": legend, "tooltip": _TOOLTIP}
    if gauge.kind is Kind.BAR:
        return {
            "calculate": False,
            "cellGap": 1,
            "color": {"mode": "scheme", "scheme": "Oranges", "exponent": 0.5, "steps": 64},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "tooltip": {"mode": "single", "yHistogram": True},
            "yAxis": {"axisPlacement": "left", "unit": "s"},
        }
    return {"showHeader": True, "cellHeight": "sm"}


def _stat(of: str, *, each_row: bool) -> Json:
    return {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": of, "values": each_row},
        "textMode": "value_and_name",
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "wideLayout": True,
    }


def _limits(gauge: Gauge) -> Json:
    """Colors from where something is to be looked at; lines have them dashed."""
    low, high = gauge.limits
    if gauge.falling:
        steps = fields.thresholds((low, high), ("yellow", "green"), base="red")
    elif low == high:
        steps = fields.thresholds((low,), ("red",))
    else:
        steps = fields.thresholds((low, high), ("yellow", "red"))
    found: dict[str, Any] = {"thresholds": steps}
    if gauge.kind is Kind.LINE:
        found["custom"] = {
            **_drawing(Kind.LINE)["custom"],
            "thresholdsStyle": {"mode": "dashed"},
        }
    else:
        found["color"] = {"mode": "thresholds"}
    return found
