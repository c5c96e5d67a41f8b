"""Where a backup lies, as the store is told: of the same form for a server and the embedded one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.clickhouse.quoting import quoted
from pipeline.errors import UsageError

_NAME = re.compile(r"(?!.*(^|/)\.\.?(/|$))/?[\w.+-]+(/[\w.+-]+)*/?")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of the store's: below its ``backups.allowed_path``, or on one of its disks."""

    name: str
    disk: str = ""
    shown: str = ""
    """What it is called to people, where that is not its name."""

    @classmethod
    def of(cls, name: str, disk: str = "", below: Path | None = None) -> Place:
        """Read a name; it may have folders.

        Args:
            name: as it was given.
            disk: of the store's; without one, the name is a file's.
            below: the folder where the store keeps it, where that is known.

        Raises:
            UsageError: it is none.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot be a backup's name: letters, digits, '.', '_', '+' and '-' can, "
                "and '/' between folders"
            )
        return cls(name.rstrip("/"), disk, str(below / name) if below and not disk else "")

    def part(self, name: str) -> str:
        """One part of the backup, as ``BACKUP … TO`` and ``RESTORE … FROM`` have it."""
        path = quoted(f"{self.name}/{name}")
        return f"Disk({quoted(self.disk)}, {path})" if self.disk else f"File({path})"

    def __str__(self) -> str:
        if self.shown:
            return self.shown
        return f"{self.name} on the disk {self.disk}" if self.disk else self.name
