"""What can be read of a view without asking it: names and parameters from its SQL. Pure."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.clickhouse.schema import views
from pipeline.views.call import PARAMETER

ORDER = (
    "since",
    "until",
    "as_of",
    "months",
    "periods",
    "tz",
    "grain",
    "k",
    "tenant",
    "token",
    "metric",
    "property",
)
"""In which order parameters are listed, in every view."""


class Parameter(NamedTuple):
    """A view's parameter, and its ClickHouse type."""

    name: str
    type: str


def parameters(query: str) -> tuple[Parameter, ...]:
    """The parameters that a view's SELECT names, each once, in the order of `ORDER`."""
    found = {name: Parameter(name, kind) for name, kind in PARAMETER.findall(query)}
    known = [found.pop(name) for name in ORDER if name in found]
    return (*known, *sorted(found.values()))


def shipped() -> dict[str, tuple[Parameter, ...]]:
    """The catalogue's views of this release, by name; others begin with an underscore."""
    return {
        view.name: parameters(view.select)
        for view in views.shipped()
        if not view.name.startswith("_")
    }
