"""The rules that the settings ask for, for all who decide what a record comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.facts import Rules

if TYPE_CHECKING:
    from pipeline.settings import Settings


def rules_of(settings: Settings) -> Rules:
    """Return the rules that decide what a log comes to."""
    return Rules(
        too_early_seconds=settings.too_early_seconds,
        too_late_seconds=settings.too_late_seconds,
        duplicate_window=settings.duplicate_window,
    )
