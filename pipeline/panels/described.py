"""Panels as programs read them: joined with the catalogue of views, for those who may see them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pipeline.panels.catalogue import PANELS
from pipeline.panels.operations import GAUGES
from pipeline.panels.panel import Gauge, Panel
from pipeline.views.catalogue import View


def described(
    views: Mapping[str, View],
    may_see: Callable[[View], bool] = lambda _: True,
    panels: Iterable[Panel] = PANELS,
) -> list[dict[str, Any]]:
    """The panels whose views are there and may be seen, in the order of the screen."""
    return [
        document(panel, views[panel.view])
        for panel in panels
        if panel.view in views and may_see(views[panel.view])
    ]


def document(panel: Panel, view: View) -> dict[str, Any]:
    """One panel; types and units are the view's."""
    known = {column.name: column for column in view.columns}
    shown = dict.fromkeys(
        (*((panel.x,) if panel.x else ()), *((panel.by,) if panel.by else ()), *panel.columns)
    )
    return {
        "id": panel.id,
        "title": panel.title,
        "tab": str(panel.tab),
        "tab_title": panel.tab.heading,
        "kind": str(panel.kind),
        "source": "clickhouse",
        "view": panel.view,
        "parameters": {
            one.name: panel.fixed.get(one.name, f"${one.name}") for one in view.parameters
        },
        "columns": [known[name]._asdict() for name in shown if name in known],
        "drawn": list(panel.columns),
        "x": panel.x or None,
        "by": panel.by or None,
        "rows": list(panel.rows),
        "width": panel.width,
        "height": panel.height,
        "scope": panel.scope or None,
        "sentence": view.sentence,
    }


def all_described(views: Mapping[str, View]) -> list[dict[str, Any]]:
    """Every panel, those of the pipeline itself behind those of views."""
    return [*described(views), *(gauge_document(gauge) for gauge in GAUGES)]


def gauge_document(gauge: Gauge) -> dict[str, Any]:
    """One panel over Prometheus; it has expressions where others have a view."""
    legends = [one.legend for one in gauge.series]
    return {
        "id": gauge.id,
        "title": gauge.title,
        "tab": str(gauge.board),
        "tab_title": gauge.board.heading,
        "kind": str(gauge.kind),
        "source": "prometheus",
        "view": None,
        "expressions": [{"expr": one.expr, "legend": one.legend} for one in gauge.series],
        "parameters": {"job": "$job"},
        "columns": [{"name": legend, "type": "Float64", "unit": gauge.unit} for legend in legends],
        "drawn": legends,
        "x": None,
        "by": None,
        "rows": list(gauge.rows),
        "width": gauge.width,
        "height": gauge.height,
        "scope": None,
        "sentence": gauge.sentence,
    }
