"""Where the files are that are not Python: found in a checkout and in an installed wheel alike."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[2]
_MIGRATIONS = (
    _PACKAGE / "_files" / "clickhouse" / "migrations",  # a wheel: put there by pyproject.toml
    _PACKAGE.parent / "deploy" / "clickhouse" / "migrations",  # a checkout
)


def migrations() -> Path:
    """The folder of the numbered SQL migrations.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    for folder in _MIGRATIONS:
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"no migrations in {' or '.join(map(str, _MIGRATIONS))}")
