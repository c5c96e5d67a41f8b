"""The list of panels: every number has one, and each is what its view can give."""

from __future__ import annotations

import pytest

from pipeline.panels.catalogue import PANELS
from pipeline.panels.operations import GAUGES
from pipeline.panels.panel import Kind, Panel
from pipeline.views.sources import shipped
from tests.support.contract.views import VIEWS

NUMBERS = {
    *(f"A{n}" for n in range(1, 11)),
    *(f"B{n}" for n in range(1, 8)),
    *(f"C{n}" for n in range(1, 8)),
    *(f"D{n}" for n in range(1, 8)),
    "L1",
    "L2",
    "L3",
}
"""L2 is Prometheus'."""


def test_every_number_has_a_panel() -> None:
    rows = {row for panel in PANELS for row in panel.rows}
    assert rows | {row for gauge in GAUGES for row in gauge.rows} == NUMBERS


def test_ids_are_their_own() -> None:
    ids = [*(panel.id for panel in PANELS), *(gauge.id for gauge in GAUGES)]
    assert sorted(set(ids)) == sorted(ids)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.id)
def test_a_panel_shows_what_its_view_has(panel: Panel) -> None:
    columns = VIEWS[panel.view].columns.keys()
    assert {*panel.columns, *filter(None, (panel.x, panel.by))} <= columns
    assert panel.fixed.keys() <= {one.name for one in shipped()[panel.view]}
    assert bool(panel.x) == (panel.kind in (Kind.LINE, Kind.BAR))
    assert 1 <= panel.width <= 24
