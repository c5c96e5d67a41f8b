"""What a metric is: its name, type, meaning and labels, declared once by the room it is of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Type = Literal["counter", "gauge", "histogram", "info"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. A counter's name is without its ``_total``, as the client library wants it."""

    name: str
    type: Type
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def exposed(self) -> str:
        """The name as Prometheus sees it."""
        return {"counter": f"{self.name}_total", "info": f"{self.name}_info"}.get(
            self.type, self.name
        )


def table(metrics: Iterable[Metric]) -> str:
    """A table of the documentation."""
    lines = ["| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{m.exposed}` | {m.type} | {', '.join(f'`{label}`' for label in m.labels)} "
        f"| {m.meaning} |"
        for m in metrics
    ]
    return "\n".join(lines) + "\n"
