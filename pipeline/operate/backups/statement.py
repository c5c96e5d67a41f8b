"""One BACKUP or RESTORE: started, and waited for, however long it takes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.errors import StoreRefused

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

POLL_SECONDS = 0.1

NOT_FOUND, ALREADY_THERE, NOT_IN_IT = 599, 598, 605
"""ClickHouse's codes: no such backup; there is one already; it does not hold what is asked for."""

_UNDER_WAY = {"CREATING_BACKUP", "RESTORING"}
_DONE = {"BACKUP_CREATED", "RESTORED"}


def run(store: Store, sql: str, meanwhile: Callable[[], None], settings: str = "") -> None:
    """Run a BACKUP or RESTORE to its end.

    It runs in the store, so that no connection has to last as long as it does.

    Args:
        store: which runs it.
        sql: the statement, without SETTINGS.
        meanwhile: called again and again until it has ended.
        settings: of the statement, each with a comma behind it.

    Raises:
        StoreUnavailable, StoreRefused: it was not done; of the latter the code may be one of those
            above.
    """
    number = str(uuid.uuid4())
    # A name that is wrong or taken shows at once, and with its code; the rest in `system.backups`.
    store.command(f"{sql} SETTINGS {settings}id = '{number}' ASYNC")
    while True:
        rows = store.query(
            "SELECT toString(status), error FROM system.backups WHERE id = {id:String}",
            {"id": number},
        )
        if not rows:
            raise StoreRefused(f"ClickHouse at {store.where} was restarted meanwhile")
        [(status, error)] = rows
        if status in _DONE:
            return
        if status not in _UNDER_WAY:
            raise _failed(store, error)
        meanwhile()
        time.sleep(POLL_SECONDS)


def restores(store: Store) -> bool:
    """Say whether some RESTORE goes on in the store, whoever has begun it."""
    return bool(store.query("SELECT 1 FROM system.backups WHERE status = 'RESTORING' LIMIT 1"))


def _failed(store: Store, error: str) -> StoreRefused:
    said = error.partition(", Stack trace")[0].partition("DB::Exception: ")
    number = said[0].removeprefix("Code: ").rstrip(". ")
    words = said[2] or error.partition("\n")[0] or "it was cancelled"
    code = int(number) if number.isdecimal() else 0
    return StoreRefused(f"ClickHouse at {store.where}: {words} (code {code})", code, words)
