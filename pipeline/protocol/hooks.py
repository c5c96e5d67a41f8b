"""The function that fault tests have called at every step (`USAGE_HOOK`)."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pipeline.settings import Settings


Hook = Callable[[str, str], None]
"""Called with ``before`` or ``after`` and a step's name; fault tests kill the process in it."""


def no_hook(when: str, step: str) -> None:
    """Do nothing."""


def hook_of(settings: Settings) -> Hook:
    """Import and return it; without one, a function that does nothing."""
    if not settings.hook:
        return no_hook
    module, _, name = settings.hook.partition(":")
    return cast("Hook", getattr(importlib.import_module(module), name))
