"""A report for people: one line for each check, then what is wrong and what to do."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.operate.audit.report import Report

STYLES = {"ok": "green", "lost": "yellow", "damaged": "bold red"}


def show(report: Report, console: Console) -> None:
    """Print the report."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("check")
    table.add_column("state")
    table.add_column("compared", overflow="fold")
    for check in report.checks:
        table.add_row(check.name, Text(check.state, STYLES[check.state]), check.compared)
    console.print(table)
    for check in report.checks:
        for finding in check.findings:
            style = STYLES["lost" if finding.is_lost else "damaged"]
            console.print(Text.assemble("\n", (finding.kind, style), f": {finding.message}"))
    notes = [note for check in report.checks for note in check.notes]
    if notes:
        console.print()
    for note in notes:
        console.print(Text(f"note: {note}", "dim"))
    console.print(Text(f"\n{_verdict(report)}", "bold"))


def _verdict(report: Report) -> str:
    damage = sum(not finding.is_lost for finding in report.findings)
    lost = len(report.findings) - damage
    if damage:
        return f"{damage} thing{'s' * (damage != 1)} found; docs/audit.md says how to read them"
    if lost:
        return f"the store is exact; {lost} range{'s' * (lost != 1)} lost to retention"
    return "all is well"
