"""Where the files are that are not Python: found in a checkout and in an installed wheel alike."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[2]
_CLICKHOUSE = (
    _PACKAGE / "_files" / "clickhouse",  # a wheel: put there by pyproject.toml
    _PACKAGE.parent / "deploy" / "clickhouse",  # a checkout
)


def migrations() -> Path:
    """The folder of the numbered SQL migrations.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    return _folder("migrations")


def views() -> Path:
    """The folder of the views' SQL, a file each.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    return _folder("views")


def _folder(name: str) -> Path:
    for clickhouse in _CLICKHOUSE:
        if (clickhouse / name).is_dir():
            return clickhouse / name
    raise FileNotFoundError(f"no folder {name} in {' or '.join(map(str, _CLICKHOUSE))}")
