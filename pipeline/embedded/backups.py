"""Backups of the embedded store in a folder of anybody's choice.

The store itself writes and reads them below its own folder only, whoever asks for it. So they are
moved out when they are whole, and linked or copied in to be restored.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.embedded.store.folder import BACKUPS, ENGINE, MARKER, UNFINISHED
from pipeline.errors import Halted
from pipeline.settings.kinds import is_loopback

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.settings import Settings


def folder_of(settings: Settings, store: Store) -> Path | None:
    """Where the embedded store keeps backups; None where the store is a server."""
    if not is_loopback(settings.clickhouse.host):
        return None
    rows = store.query("SELECT path FROM system.disks WHERE name = 'default'")
    engine = Path(rows[0][0]) if rows else Path()
    is_embedded = engine.name == ENGINE and (engine.parent / MARKER).exists()
    return engine.parent / BACKUPS if is_embedded else None


@contextlib.contextmanager
def going_out(backups: Path, to: Path) -> Iterator[str]:
    """The name for a backup that is moved to a folder after the block, if it ends well.

    Raises:
        Halted: something is there already, or it cannot be written.
    """
    if to.exists():
        raise Halted(f"{to} is there already; name a folder that is not")
    name = f"{UNFINISHED}{uuid.uuid4().hex}"
    try:
        with _understood(to):
            to.parent.mkdir(parents=True, exist_ok=True)
        yield name
        with _understood(to):
            _move(backups / name, to)
    finally:
        shutil.rmtree(backups / name, ignore_errors=True)


@contextlib.contextmanager
def coming_in(backups: Path, source: Path) -> Iterator[str]:
    """The name by which the store can restore a backup out of a folder, for the block.

    Raises:
        Halted: it is no folder, or cannot be read.
    """
    if not source.is_dir():
        raise Halted(f"{source} is no folder with a backup")
    name = f"{UNFINISHED}{uuid.uuid4().hex}"
    try:
        with _understood(source):
            shutil.copytree(source, backups / name, copy_function=_link_or_copy)
        yield name
    finally:
        shutil.rmtree(backups / name, ignore_errors=True)


def _move(source: Path, to: Path) -> None:
    """All of it or nothing: on another file system it is copied beside first."""
    try:
        source.rename(to)
    except OSError:
        beside = to.with_name(f"{UNFINISHED}{uuid.uuid4().hex}")
        try:
            shutil.copytree(source, beside)
            beside.rename(to)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def _link_or_copy(source: str, to: str) -> None:
    try:
        os.link(source, to)
    except OSError:
        shutil.copy2(source, to)


@contextlib.contextmanager
def _understood(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # shutil's own is one, and has no `strerror`
        raise Halted(f"{folder} cannot be used: {error.strerror or error}") from error
