"""What ``usage audit`` and ``usage status`` print."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.console import Console

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema.migrate import check as check_schema
from pipeline.operate import status
from pipeline.operate.audit import screen
from pipeline.operate.audit.run import audit

if TYPE_CHECKING:
    from pipeline.operate.audit.selection import Selection
    from pipeline.settings import Settings

PIPE_WIDTH = 120


def audit_command(
    settings: Settings, selection: Selection | None, within_seconds: float, as_json: bool
) -> int:
    """Audit, print, and return the exit status."""
    store = Store.connect(settings)
    try:
        check_schema(store)
        report = audit(settings, store, selection, within_seconds)
    finally:
        store.close()
    if as_json:
        print(json.dumps(report.as_json(), indent=2))
    else:
        screen.show(report, _console())
    return report.exit_code


def status_command(settings: Settings, as_json: bool) -> None:
    """Print how the group stands."""
    store = Store.connect(settings)
    try:
        check_schema(store)
        found = status.read(settings, store)
    finally:
        store.close()
    if as_json:
        print(json.dumps(status.as_json(found), indent=2))
    else:
        status.show(found, _console())


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console
