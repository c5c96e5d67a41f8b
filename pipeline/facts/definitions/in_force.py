"""Which metrics are in force, and how often each was defined: what the log says up to a place."""

from collections import Counter

from pipeline.facts.exact.reasons import INVALID_DATA, Refused
from pipeline.facts.heads import MetricDefinition
from schemas.metric_definition import MAX_IN_FORCE

TOO_MANY = f"{MAX_IN_FORCE + 1}st metric: at most {MAX_IN_FORCE} are in force; retire one"


class InForce:
    """The metrics of one log. Two of one log are equal wherever they have read the same."""

    def __init__(self) -> None:
        self._versions: Counter[str] = Counter()
        self._in_force: set[str] = set()

    def admit(self, row: MetricDefinition) -> None:
        """Refuse the one that would be too many. Raises Refused."""
        if row.retired or row.metric_id in self._in_force:
            return
        if len(self._in_force) >= MAX_IN_FORCE:
            raise Refused(INVALID_DATA, f"{TOO_MANY}.")

    def accepted(self, row: MetricDefinition) -> MetricDefinition:
        """Take note of a definition; return it with its version."""
        self._versions[row.metric_id] += 1
        (self._in_force.discard if row.retired else self._in_force.add)(row.metric_id)
        return row._replace(version=self._versions[row.metric_id])
