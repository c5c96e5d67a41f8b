"""What `usage run` gives to whoever reads its terminal: a link that works once, and a key."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from pipeline.access.identity import Keys
from pipeline.access.roles import ALL, Caller, Grant, Role
from pipeline.errors import SettingsError

NAME = "usage run"
OWNER = Caller("owner", (Grant(ALL, Role.ADMIN), Grant(ALL, Role.OPERATOR)), name="this machine")
"""Whoever opens the link."""


def keep_key(keys: Keys, path: Path) -> None:
    """See to it that the file holds an admin's key, readable by its owner alone.

    What is there stays while the store knows it. Waits for the store.

    Raises:
        SettingsError: the file cannot be written.
    """
    held = ""
    with contextlib.suppress(OSError, ValueError):
        held = path.read_text(encoding="utf-8").strip()
    if any(held.startswith(f"usage_{key.id}_") and key.expires is None for key in keys.all()):
        return
    _, text = keys.create(Role.ADMIN, (ALL,), name=NAME, by=OWNER.user)
    try:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - of a descriptor
            file.write(text + "\n")
    except OSError as error:
        raise SettingsError(f"the key file {path} cannot be written: {error.strerror}") from error
