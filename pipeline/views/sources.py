"""What can be read of a view without asking it: names and parameters from its SQL. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from pipeline.clickhouse.schema import files, resources

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
)
"""In which order parameters are listed, in every view."""

_PARAMETER = re.compile(r"\{\s*([A-Za-z_]\w*)\s*:\s*([^{}]+?)\s*\}")
_VIEW = re.compile(
    r"CREATE\s+(?:OR\s+REPLACE\s+)?VIEW\s+(?:IF\s+NOT\s+EXISTS\s+)?`?(?!IF\s)([A-Za-z]\w*)",
    re.IGNORECASE,
)
"""Names that begin with ``_`` are parts of other views, and not for people."""


class Parameter(NamedTuple):
    """A view's parameter, and its ClickHouse type."""

    name: str
    type: str


def parameters(query: str) -> tuple[Parameter, ...]:
    """The parameters that a view's SELECT names, each once, in the order of `ORDER`."""
    found = {name: Parameter(name, kind) for name, kind in _PARAMETER.findall(query)}
    known = [found.pop(name) for name in ORDER if name in found]
    return (*known, *sorted(found.values()))


def shipped() -> dict[str, tuple[Parameter, ...]]:
    """The views of this release's migrations; where one is made twice, as it is made last."""
    views = {}
    for migration in files.read(resources.migrations()):
        for statement in files.split(migration.text):
            match = _VIEW.match(statement)
            if match:
                views[match[1]] = parameters(statement)
    return views
