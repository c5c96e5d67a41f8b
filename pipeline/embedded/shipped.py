"""A store for a moment, migrated: what this release's views are, without any store of one's own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.embedded.processes import (
    START_SECONDS,
    Child,
    Interrupted,
    end,
    free_port,
    wait_until_ready,
)
from pipeline.process.interrupts import Interrupts
from pipeline.settings import Settings, load

END_SECONDS = 3.0


@contextmanager
def shipped() -> Iterator[Settings]:
    """Settings of an embedded store in a temporary folder, with this release's tables and views.

    Raises:
        UsageError: the store did not come up.
        KeyboardInterrupt: SIGINT or SIGTERM came while it was awaited.
    """
    interrupts = Interrupts()
    with tempfile.TemporaryDirectory(prefix="usage-") as name:
        folder, port = Path(name), free_port(0)
        address = f"http://127.0.0.1:{port}"
        arguments = ("store", "--path", str(folder / "store"), "--port", str(port))
        env = {key: value for key, value in os.environ.items() if not key.startswith("USAGE_")}
        child = Child("store", arguments, folder, env)
        try:
            ready = f"store ready: {address}"
            wait_until_ready(child, lambda: child.said(ready), START_SECONDS, interrupts)
            settings = load({"USAGE_CLICKHOUSE": f"http://default:@127.0.0.1:{port}/usage"})
            _migrate(settings)
            yield settings
        except Interrupted:
            raise KeyboardInterrupt from None
        finally:
            end([child], END_SECONDS, interrupts)


def _migrate(settings: Settings) -> None:
    store = Store.connect(settings)
    try:
        migrate(store, settings)
    finally:
        store.close()
