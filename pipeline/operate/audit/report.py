"""What an audit finds, and what the process says of it by its exit status."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

DAMAGED = 1
LOST = 3
"""Exit statuses besides 0; could-not-check has that of its error (`pipeline.errors`)."""


class Finding(NamedTuple):
    """One thing that is not as it should be."""

    kind: str
    """A word for programs: ``gap``, ``overlap``, ``lost``, ``ahead`` …"""
    where: str
    """The partition, table or tenant."""
    message: str
    """What was found, and what to do: sentences for a person."""
    details: dict[str, Any] = {}  # noqa: RUF012 - never changed
    """The numbers of it."""

    @property
    def is_lost(self) -> bool:
        """Whether it is events that Kafka deleted before they were counted: no damage."""
        return self.kind in ("lost", "expired")


@dataclass
class Check:
    """One comparison: what was compared, over how much, and what differed."""

    name: str
    compared: str
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """The state of this check: ``ok``, ``lost`` or ``damaged``."""
        if any(not finding.is_lost for finding in self.findings):
            return "damaged"
        return "lost" if self.findings else "ok"


@dataclass
class Report:
    """All checks of one audit, in their order."""

    checks: list[Check] = field(default_factory=list)

    @property
    def findings(self) -> list[Finding]:
        """The findings of all checks, in their order."""
        return [finding for check in self.checks for finding in check.findings]

    @property
    def exit_code(self) -> int:
        """0: all is well; 1: damage; 3: no damage, but events were lost."""
        if any(not finding.is_lost for finding in self.findings):
            return DAMAGED
        return LOST if self.findings else 0

    def as_json(self) -> dict[str, Any]:
        """The report as a JSON document, for programs."""
        words = {0: "ok", DAMAGED: "damaged", LOST: "lost"}
        return {
            "state": words[self.exit_code],
            "checks": [
                {
                    "name": check.name,
                    "state": check.state,
                    "compared": check.compared,
                    "findings": [_finding(finding) for finding in check.findings],
                    "notes": check.notes,
                }
                for check in self.checks
            ],
        }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "where": finding.where,
        "message": finding.message,
        **finding.details,
    }
