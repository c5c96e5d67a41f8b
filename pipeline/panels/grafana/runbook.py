"""The runbook as a dashboard: a text for each alert, to which panels link. Pure.

Grafana has no pages of ours, and a link to where they stand would have to be everybody's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.panels.grafana.fields import Json

UID = "usage-runbook"
_SECTION = re.compile(r"^## (\w+)\n+(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Runbook:
    """Sections of ``docs/runbook.md`` by the alerts' names, in its order."""

    sections: dict[str, str]

    @classmethod
    def read(cls, text: str) -> Runbook:
        """The sections of the page."""
        return cls({name: body.strip() for name, body in _SECTION.findall(text)})

    def number(self, alert: str) -> int:
        """The panel of an alert's section."""
        return list(self.sections).index(alert) + 1

    def address(self, alert: str) -> str:
        """Where the section is shown alone."""
        return f"/d/{UID}?viewPanel={self.number(alert)}"

    def link(self, alert: str) -> Json:
        """A panel's link to it."""
        return {
            "type": "link",
            "title": f"Runbook: {alert}",
            "url": self.address(alert),
            "icon": "doc",
            "tooltip": "",
            "tags": [],
            "asDropdown": False,
            "targetBlank": True,
            "includeVars": False,
            "keepTime": False,
        }

    def panels(self) -> list[Json]:
        """A text for each section."""
        return [
            {
                "id": self.number(alert),
                "type": "text",
                "title": alert,
                "options": {"mode": "markdown", "content": self._text(body)},
            }
            for alert, body in self.sections.items()
        ]

    def _text(self, body: str) -> str:
        """A section whose links lead to panels, or say which page they mean."""

        def told(link: re.Match[str]) -> str:
            words, target = link[1], link[2]
            named = {name.lower(): name for name in self.sections}
            if target.startswith("#") and target[1:] in named:
                return f"[{words}]({self.address(named[target[1:]])})"
            return link[0] if "://" in target else f"{words} (docs/{target})"

        return _LINK.sub(told, body)
