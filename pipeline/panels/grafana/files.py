"""The dashboards' files: which there are, what is in them, and which are stale."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pipeline.access.decision import audience
from pipeline.access.roles import Role
from pipeline.panels.grafana import boards
from pipeline.panels.grafana.fields import Json
from pipeline.panels.grafana.runbook import Runbook
from pipeline.views.catalogue import View

FOLDER = Path("deploy/grafana")
RUNBOOK = Path("docs/runbook.md")
OF_ALL, OF_A_TENANT = "dashboards", "tenant/dashboards"
"""Folders: for who sees every organization, and for one organization's own Grafana organization."""


def texts(views: Mapping[str, View], runbook: str) -> dict[str, str]:
    """The files by path below `FOLDER`.

    ``views``: with their columns; ``runbook``: the text of `RUNBOOK`.
    """
    every = (*boards.of_views(views), *boards.of_operations(Runbook.read(runbook)))
    found = dict(_written(OF_ALL, every))
    return found | dict(_written(OF_A_TENANT, boards.of_views(views, _for_a_tenant)))


def write(folder: Path, wanted: Mapping[str, str]) -> Iterator[Path]:
    """Write the files, and remove dashboards that are no more."""
    for old in _there(folder) - wanted.keys():
        (folder / old).unlink()
    for name, text in wanted.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        yield path


def stale(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """The files that are missing, are other than they should be, or should not be there."""
    there = _there(folder)
    changed = [
        name
        for name in there & wanted.keys()
        if (folder / name).read_text(encoding="utf-8") != wanted[name]
    ]
    return sorted([*changed, *(there ^ wanted.keys())])


def _there(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for name in (OF_ALL, OF_A_TENANT)
        for path in (folder / name).glob("*.json")
    }


def _written(folder: str, dashboards: Iterable[Json]) -> Iterator[tuple[str, str]]:
    for one in dashboards:
        name = one["uid"].removeprefix("usage-")
        yield f"{folder}/{name}.json", json.dumps(one, indent=2, ensure_ascii=False) + "\n"


def _for_a_tenant(view: View) -> bool:
    """Whether the second database has it: what is of one organization."""
    whom = audience(view)
    return whom is not None and whom.role is not Role.OPERATOR and not whom.all_only
