"""The function that fault tests have called at every step (`USAGE_HOOK`)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from pipeline.flusher import Hook, no_hook

if TYPE_CHECKING:
    from pipeline.settings import Settings


def hook_of(settings: Settings) -> Hook:
    """Import and return it; without one, a function that does nothing."""
    if not settings.hook:
        return no_hook
    module, _, name = settings.hook.partition(":")
    return cast("Hook", getattr(importlib.import_module(module), name))
