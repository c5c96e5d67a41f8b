"""The version of this program."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

DISTRIBUTION = "usage-pipeline"


def program_version() -> str:
    """Return the distribution's version; of a checkout that is not installed, ``0+checkout``."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "0+checkout"
