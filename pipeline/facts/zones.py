"""The time zones: those of the ``tzdata`` package, so that no answer depends on the machine.

Another version of the package may know other zones, which changes what some log comes to: its
version is among the rules (:class:`pipeline.facts.Rules`).
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import tzdata

VERSION: str = tzdata.IANA_VERSION
"""Of the time zone database: ``2026f``."""


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """The names of all zones; case matters."""
    return frozenset(resources.files(tzdata).joinpath("zones").read_text("utf-8").split())
