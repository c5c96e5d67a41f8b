"""What a shell offers behind ``usage query``: views, their options, zones. No store is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.facts import zones as known_zones
from pipeline.views.parameters import option
from pipeline.views.sources import shipped

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_OF_ANY_VIEW = ("--format", "--help")


def views(incomplete: str) -> list[str]:
    """The views of this release."""
    return [name for name in sorted(shipped()) if name.startswith(incomplete)]


def zones(incomplete: str) -> list[str]:
    """Time zones, whatever their case."""
    small = incomplete.lower()
    return [zone for zone in sorted(known_zones.names()) if zone.lower().startswith(small)]


def of_view(view: str | None, items: list[CompletionItem]) -> list[CompletionItem]:
    """What can follow, without the options that this view does not have."""
    parameters = shipped().get(view or "")
    if parameters is None:
        return items
    has = {option(parameter.name) for parameter in parameters}.union(_OF_ANY_VIEW)
    return [item for item in items if not item.value.startswith("--") or item.value in has]
