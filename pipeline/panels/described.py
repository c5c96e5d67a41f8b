"""Panels as programs read them: joined with the catalogue of views, for those who may see them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pipeline.panels.catalogue import PANELS
from pipeline.panels.panel import Panel
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
