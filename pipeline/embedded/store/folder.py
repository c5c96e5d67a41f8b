"""The store's folder: whose it is, who holds it, and what a crash left behind in it.

``store.json`` marks it, ``store.lock`` is held for as long as a process uses it, ``engine/`` is
chDB's, configured by ``engine.xml``, ``backups/`` the only place where it writes and reads
backups, ``tmp/`` holds what must not outlive a process.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape

from pipeline.embedded.store import claims
from pipeline.errors import StoreRefused

FORMAT = 1
MARKER = "store.json"
ENGINE, BACKUPS = "engine", "backups"
UNFINISHED = ".unfinished-"
"""Begins the names of backups that are on their way in or out, and nobody's once that is over."""
QUIET = {
    "background_processing_pool_thread_sleep_seconds_if_nothing_to_do": "5",
    "memory_worker_period_ms": "1000",
}
"""How long a table's merges rest when there is nothing to merge, and the watch over memory: by
default a tenth and a twentieth of a second, so that each table is looked at some times more for
each insert, which alone can bring it anything to merge, and asks for a look itself."""
SMALL_PARTS = {
    "max_compress_block_size": "65536",
    "serialization_info_version": "basic",
    "write_marks_for_substreams_in_compact_parts": "0",
}
"""Of tables, where they say nothing else: a part of few rows costs what it sets up for each stream
of each column. Buffers of 64 KiB instead of 1 MiB, no stream apart for texts' lengths, and one mark
for a column."""


class Folder:
    """An opened store folder; nobody else can open it before ``close`` or this process's end.

    Raises:
        StoreRefused: it is another program's, of a newer release, in use, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.engine = self.path / ENGINE
        self.tmp = self.path / "tmp"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = self._hold()
            self._check()
            self._clean()
        except OSError as error:
            raise StoreRefused(
                f"the store's folder {self.path} cannot be used: {error.strerror or error}"
            ) from error

    @property
    def config(self) -> Path:
        """The engine's configuration: where it may write and read backups, and when it rests."""
        return self.path / "engine.xml"

    def close(self) -> None:
        """Let go of the lock."""
        self._lock.close()

    def _hold(self) -> IO[str]:
        if not (self.path / MARKER).exists():
            strangers = sorted(
                item.name for item in self.path.iterdir() if item.name != "store.lock"
            )
            if strangers:
                raise StoreRefused(
                    f"{self.path} is not a store's folder: it has {strangers[0]} but no {MARKER}; "
                    "name an empty folder, or one that `usage store` made"
                )
        lock = (self.path / "store.lock").open("a+", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise StoreRefused(
                f"the store in {self.path} is in use by process {holder}: "
                "use that one over HTTP, or end it first"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return lock

    def _check(self) -> None:
        marker = self.path / MARKER
        if not marker.exists():
            # Written whole or not at all: a half-written marker would make the folder foreign.
            draft = self.path / "store.lock.new"
            draft.write_text(json.dumps({"format": FORMAT}) + "\n")
            draft.rename(marker)
        try:
            written = int(json.loads(marker.read_text())["format"])
        except (ValueError, KeyError, TypeError) as error:
            raise StoreRefused(
                f'{marker} is damaged: it should say {{"format": {FORMAT}}}'
            ) from error
        if written > FORMAT:
            raise StoreRefused(
                f"the store in {self.path} has format {written}, written by a newer release; "
                f"this one reads up to {FORMAT}"
            )

    def _clean(self) -> None:
        backups = self.path / BACKUPS
        unfinished = backups.glob(f"{UNFINISHED}*")
        for leftovers in (self.tmp, self.engine / "tmp", *unfinished):
            shutil.rmtree(leftovers, ignore_errors=True)
        self.tmp.mkdir()
        allowed = f"<backups><allowed_path>{escape(str(backups))}</allowed_path></backups>"
        tables = f"<merge_tree>{_elements(SMALL_PARTS)}</merge_tree>"
        self.config.write_text(
            f"<clickhouse>{allowed}{_elements(QUIET)}{tables}</clickhouse>\n", encoding="utf-8"
        )
        claims.release(self.engine)


def _elements(values: Mapping[str, str]) -> str:
    return "".join(f"<{name}>{value}</{name}>" for name, value in values.items())
