"""What a panel is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """How a panel is drawn."""

    STAT = "stat"  # a number for each column, of the one row or of each series
    LINE = "line"  # columns over a column of time
    BAR = "bar"  # a column by a column of names or months
    TABLE = "table"


class Tab(StrEnum):
    """Where a panel stands; in the order of the tabs."""

    REQUESTS = "requests"
    DASHBOARD = "dashboard"
    ANALYTICS = "analytics"
    USERS = "users"
    BILLING = "billing"
    METRICS = "usage-metrics"
    CUSTOMERS = "customers"
    CUSTOMER = "customer"
    LIVE = "live"
    HEALTH = "health"

    @property
    def heading(self) -> str:
        """The panel's heading, for people."""
        return {Tab.METRICS: "Usage metrics", Tab.CUSTOMER: "Customer"}.get(
            self, self.value.capitalize()
        )


class Board(StrEnum):
    """Where a panel of the pipeline's own metrics stands; in the order of the dashboards."""

    PIPELINE = "pipeline"
    API = "api"
    OBJECTIVES = "objectives"

    @property
    def heading(self) -> str:
        """The board's heading, for people."""
        return "API" if self is Board.API else self.value.capitalize()


@dataclass(frozen=True)
class Panel:
    """One panel: a view, and how its rows are shown."""

    id: str
    title: str
    tab: Tab
    kind: Kind
    view: str
    columns: tuple[str, ...]
    """Of the view, those that are shown, in order; lines and bars draw them."""
    rows: tuple[str, ...]
    """Of the list of numbers, those that it shows."""
    x: str = ""
    """Lines and bars: the column along the axis."""
    by: str = ""
    """One series for each value of this column."""
    fixed: Mapping[str, str] = field(default_factory=dict)
    """Values of parameters that the panel sets itself; the others are those of the filters."""
    width: int = 12
    """Of 24."""
    height: int = 8
    scope: str = ""
    """Where it is shown: ``all`` when all organizations are selected, ``tenant`` when one is,
    ``token`` when one of its tokens is; empty: always."""


@dataclass(frozen=True)
class Series:
    """What Prometheus is asked: an expression, in which ``$job`` is the filter of that name."""

    expr: str
    legend: str = ""
    """Of each series, ``{{topic}}`` for its label; empty: all its labels."""


@dataclass(frozen=True)
class Gauge:
    """One panel of the pipeline itself: expressions over its metrics, as Prometheus has them."""

    id: str
    title: str
    board: Board
    kind: Kind
    """A bar is a histogram's buckets over time; the labels of a table are its columns."""
    series: tuple[Series, ...]
    unit: str
    sentence: str
    """What it shows, and what of it is bad."""
    limits: tuple[float, ...] = ()
    """From where it is to be looked at, and from where somebody is told: as the alerts have it."""
    falling: bool = False
    """Whether it is bad below its limits: told first, then looked at."""
    alerts: tuple[str, ...] = ()
    """Those that look at the same; each has a section in the runbook."""
    rows: tuple[str, ...] = ("L2",)
    width: int = 12
    height: int = 8
