"""A dry run as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.facts.definitions.definition import written
from pipeline.facts.exact.json_values import compact
from pipeline.process import terminal

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.meters.dry_run import DryRun

_COLUMNS = ("tenant", "value", "previous", "change_percent", "state", "was")
_COUNTED = ("events", "missing", "not_numeric", "not_exact")


def show_dry_run(run: DryRun, to: Console) -> None:
    """Print what a definition comes to."""
    version = f", beside version {run.in_force.version}" if run.in_force else ""
    to.print(
        terminal.line(
            (run.definition.metric_id, "bold"), f" as of {run.as_of:%Y-%m-%d %H:%M} UTC{version}"
        )
    )
    for one in run.warnings:
        to.print(terminal.indented(terminal.line((f"{one['field']}: {one['message']}", "yellow"))))
    to.print(_values(run))
    totals = ", ".join(f"{run.totals[name]:,} {name.replace('_', ' ')}" for name in _COUNTED)
    differ = f"; {run.totals['differ']:,} values differ" if run.in_force else ""
    to.print(f"{run.totals['tenants']:,} organizations, {totals}{differ}")
    to.print(_funnel(run))
    for found in run.properties:
        to.print(terminal.line(str(found)))
        for kind, some in found.examples.items():
            if some:
                to.print(terminal.indented(terminal.line((f"{kind}: {', '.join(some)}", "dim"))))
    to.print()


def _values(run: DryRun) -> terminal.Cells:
    names = _COLUMNS if run.in_force else _COLUMNS[:-1]
    table = terminal.Cells()
    for name in names:
        table.add_column(name, justify="left" if name in ("tenant", "state") else "right")
    for row in run.values:
        table.add_row(*(_cell(row[name]) for name in names))
    return table


def _funnel(run: DryRun) -> terminal.Cells:
    table = terminal.Cells()
    table.add_column("what is left", overflow="fold")
    table.add_column("events", justify="right")
    filters = [compact(one) for one in written(run.definition).get("filters", [])]
    names = ["of these names" if run.definition.source == "events" else "of all", *filters]
    for name, events in zip(names, run.funnel, strict=True):
        table.add_row(name, f"{events:,}")
    return table


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:+.1f} %" if isinstance(value, float) else str(value)
