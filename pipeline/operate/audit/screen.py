"""A report for people: one line for each check, then what is wrong and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.operate.audit.report import Report
from pipeline.process import terminal

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {"ok": "green", "lost": "yellow", "damaged": "bold red"}


def show(report: Report, to: Console) -> None:
    """Print an audit report as a table of checks, then findings and notes."""
    table = terminal.Cells()
    table.add_column("check")
    table.add_column("state")
    table.add_column("compared", overflow="fold")
    for check in report.checks:
        state = terminal.line((check.state, STYLES[check.state]))
        table.add_row(check.name, state, check.compared)
    to.print(table)
    for check in report.checks:
        for finding in check.findings:
            style = STYLES["lost" if finding.is_lost else "damaged"]
            to.print()
            to.print(terminal.line((finding.kind, style), f": {finding.message}"))
    notes = [note for check in report.checks for note in check.notes]
    if notes:
        to.print()
    for note in notes:
        to.print(terminal.line(f"note: {note}", style="dim"))
    to.print()
    to.print(terminal.line(_verdict(report), style="bold"))


def _verdict(report: Report) -> str:
    damage = sum(not finding.is_lost for finding in report.findings)
    lost = len(report.findings) - damage
    if damage:
        return f"{damage} thing{'s' * (damage != 1)} found; docs/audit.md says how to read them"
    if lost:
        return f"the store is exact; {lost} range{'s' * (lost != 1)} lost to retention"
    return "all is well"
