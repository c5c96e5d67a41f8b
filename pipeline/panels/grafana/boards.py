"""Dashboards of panels: their filters, annotations and links, and where panels stand. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pipeline.panels.catalogue import PANELS
from pipeline.panels.grafana import drawn, sql
from pipeline.panels.grafana.fields import Json
from pipeline.panels.grafana.runbook import Runbook
from pipeline.panels.operations import GAUGES
from pipeline.panels.panel import Board, Panel, Tab
from pipeline.views.catalogue import View

SCHEMA_VERSION = 41
"""Of Classic JSON, as Grafana 11.6 and later read it; the next format cannot come from files."""
TAG, OPERATIONS = "usage", "usage-operations"
"""By which dashboards link to each other: those of numbers, and those of the pipeline."""
COLUMNS = 24
AS_OF = "as-of"
"""The panel that says how far the numbers go; it closes each dashboard of views."""

_RANGES = {Tab.REQUESTS: "now-24h", Tab.LIVE: "now-1h", Tab.HEALTH: "now-24h"}
_REFRESHED = {Tab.LIVE: "30s", Tab.REQUESTS: "1m", Tab.HEALTH: "1m"}


def of_views(
    views: Mapping[str, View], there: Callable[[View], bool] = lambda _: True
) -> Iterable[Json]:
    """A dashboard for each tab, of the panels whose views are there."""
    closing = next(panel for panel in PANELS if panel.id == AS_OF)
    for tab in Tab:
        panels = [
            panel
            for panel in PANELS
            if panel.tab is tab and panel.view in views and there(views[panel.view])
        ]
        if panels:
            if closing not in panels and tab is not Tab.HEALTH:
                panels.append(closing)
            yield _of_tab(tab, panels, views)


def _of_tab(tab: Tab, panels: list[Panel], views: Mapping[str, View]) -> Json:
    taken = {one.name for panel in panels for one in views[panel.view].parameters}
    drawings = [
        drawn.of_view(panel, views[panel.view], number) for number, panel in enumerate(panels, 1)
    ]
    kind = OPERATIONS if tab is Tab.HEALTH else TAG
    return _dashboard(
        f"usage-{tab}",
        f"Usage / {tab.heading}",
        kind,
        placed(drawings, [(panel.width, panel.height) for panel in panels]),
        variables=_filters(taken, tab),
        annotations=[] if tab is Tab.HEALTH else [_counted_up_to()],
        links=[_by_tag(kind)],
        since=_RANGES.get(tab, "now-30d"),
        refresh=_REFRESHED.get(tab, "5m"),
    )


def of_operations(runbook: Runbook) -> Iterable[Json]:
    """A dashboard for each board of gauges, and the runbook, to whose sections they link."""
    for board in Board:
        gauges = [gauge for gauge in GAUGES if gauge.board is board]
        drawings = [
            drawn.of_prometheus(gauge, number, [runbook.link(alert) for alert in gauge.alerts])
            for number, gauge in enumerate(gauges, 1)
        ]
        yield _dashboard(
            f"usage-{board}",
            f"Usage / {board.heading}",
            OPERATIONS,
            placed(drawings, [(gauge.width, gauge.height) for gauge in gauges]),
            variables=[_job(board)],
            annotations=[_firing(), _started()],
            links=[_by_tag(OPERATIONS)],
            since="now-3d" if board is Board.OBJECTIVES else "now-6h",
            refresh="1m" if board is Board.OBJECTIVES else "30s",
        )
    panels = runbook.panels()
    yield _dashboard(
        "usage-runbook",
        "Usage / Runbook",
        OPERATIONS,
        placed(panels, [(COLUMNS, 9)] * len(panels)),
        variables=[],
        annotations=[],
        links=[_by_tag(OPERATIONS)],
        since="now-6h",
        refresh="",
    )


def placed(panels: list[Json], sizes: list[tuple[int, int]]) -> list[Json]:
    """The panels in rows from the left, each row as high as its highest."""
    found: list[Json] = []
    x = y = tallest = 0
    for panel, (width, height) in zip(panels, sizes, strict=True):
        if x + width > COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        found.append({**panel, "gridPos": {"x": x, "y": y, "w": width, "h": height}})
        x, tallest = x + width, max(tallest, height)
    return found


def _dashboard(
    uid: str,
    title: str,
    tag: str,
    panels: list[Json],
    *,
    variables: list[Json],
    annotations: list[Json],
    links: list[Json],
    since: str,
    refresh: str,
) -> Json:
    return {
        "uid": uid,
        "title": title,
        "tags": [tag],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "timezone": "browser",
        "weekStart": "monday",
        "graphTooltip": 1,
        "time": {"from": since, "to": "now"},
        "refresh": refresh,
        "templating": {"list": variables},
        "annotations": {"list": annotations},
        "links": links,
        "panels": panels,
    }


def _filters(taken: set[str], tab: Tab) -> list[Json]:
    """The filters of a dashboard of views: of the parameters that its panels have."""
    found = []
    if "tenant" in taken:
        # One customer's page has one; elsewhere All goes into the query as it stands: ''.
        every = {"includeAll": True, "allValue": "''"} if tab is not Tab.CUSTOMER else {}
        title = "Customer" if tab is Tab.CUSTOMER else "Organization"
        found.append(_asked("tenant", title, sql.ORGANIZATIONS, **every))
    if "token" in taken:
        found.append(_asked("token", "Token", sql.TOKENS, includeAll=True, allValue="''"))
    if "metric" in taken:
        found.append(_asked("metric", "Metric", sql.METRICS))
    if "property" in taken:
        found.append({"type": "textbox", "name": "property", "label": "Property", "query": ""})
    if "grain" in taken:
        found.append(
            {
                "type": "custom",
                "name": "grain",
                "label": "Grain",
                "query": ",".join(sql.GRAIN_CHOICES),
                "current": {"text": sql.AUTO, "value": sql.AUTO, "selected": True},
                "options": [
                    {"text": one, "value": one, "selected": one == sql.AUTO}
                    for one in sql.GRAIN_CHOICES
                ],
                "multi": False,
                "includeAll": False,
            }
        )
    return found


def _asked(name: str, label: str, query: str, **more: object) -> Json:
    every = {"current": {"text": "All", "value": "$__all", "selected": True}} if more else {}
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": drawn.CLICKHOUSE,
        "query": query,
        "refresh": 2,  # when the range changes
        "sort": 0,
        "multi": False,
        **more,
        **every,
    }


def _job(board: Board) -> Json:
    """The filter of jobs: those that have what the board shows."""
    metric = {Board.API: "usage_api_requests_total", Board.PIPELINE: "usage_buffer_limit_events"}
    of = metric.get(board, '{__name__=~"usage_api_requests_total|usage_buffer_limit_events"}')
    return {
        "type": "query",
        "name": "job",
        "label": "Job",
        "datasource": drawn.PROMETHEUS,
        "query": f"label_values({of}, job)",
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"text": ["All"], "value": ["$__all"], "selected": True},
    }


def _by_tag(tag: str) -> Json:
    return {
        "type": "dashboards",
        "title": "Usage",
        "icon": "external link",
        "tooltip": "",
        "url": "",
        "tags": [tag],
        "asDropdown": True,
        "targetBlank": False,
        "includeVars": True,
        "keepTime": True,
    }


def _counted_up_to() -> Json:
    return {
        "name": "Counted up to",
        "datasource": drawn.CLICKHOUSE,
        "enable": True,
        "hide": False,
        "iconColor": "blue",
        "target": {
            "refId": "annotation",
            "datasource": drawn.CLICKHOUSE,
            "editorType": "sql",
            "rawSql": sql.COUNTED_UP_TO,
            "queryType": "table",
            "format": 1,
            "pluginVersion": drawn.PLUGIN_VERSION,
        },
    }


def _firing() -> Json:
    return _over_prometheus(
        "Alerts",
        'ALERTS{alertname=~"Usage.*", alertstate="firing"}',
        "{{alertname}}",
        "{{job}} {{topic}} {{instance}}",
        "red",
    )


def _started() -> Json:
    return _over_prometheus(
        "Starts",
        'changes(process_start_time_seconds{job=~"$job"}[1m]) > 0',
        "{{instance}} started",
        "{{job}}",
        "green",
    )


def _over_prometheus(name: str, expr: str, title: str, text: str, color: str) -> Json:
    return {
        "name": name,
        "datasource": drawn.PROMETHEUS,
        "enable": True,
        "hide": False,
        "iconColor": color,
        "expr": expr,
        "step": "60s",
        "titleFormat": title,
        "textFormat": text,
        "tagKeys": "severity,topic",
        "useValueForTime": False,
    }
