"""Changes of metrics, planned against what is in force, and brought into force."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import UsageError
from pipeline.facts.definitions.definition import Definition
from pipeline.kafka.definitions import WAIT_SECONDS, Outcome, Wanted, send, wait
from pipeline.kafka.sending import Sending
from pipeline.meters import stored
from pipeline.meters.changes import Change, Kind, change, overtaken, refusal, retirement

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.settings import Settings


class Plan(NamedTuple):
    """What is to change."""

    changes: tuple[Change, ...]

    @property
    def due(self) -> tuple[Change, ...]:
        """The changes that are more than a repetition."""
        return tuple(one for one in self.changes if one.kind is not Kind.UNCHANGED)


def planned(store: Store, definitions: Iterable[Definition], *, only_new: bool = False) -> Plan:
    """How definitions change what the store has.

    ``only_new``: leave metrics alone that there were before, also those retired since.

    Raises:
        UsageError: too many would be in force.
    """
    newest = stored.newest(stored.versions(store))
    changes = [change(newest.get(one.metric_id), one) for one in definitions]
    if only_new:
        changes = [one for one in changes if one.before is None]
    refused = refusal(newest, changes)
    if refused:
        raise UsageError(refused)
    return Plan(tuple(changes))


def retiring(store: Store, metrics: Sequence[str]) -> Plan:
    """What ends metrics, by their ids.

    Raises:
        UsageError: one of them is not in force.
    """
    standing = stored.in_force(stored.newest(stored.versions(store)))
    for metric in metrics:
        if metric not in standing:
            raise UsageError(
                f"no metric {metric!r} is in force; `usage metric list` shows those that are"
            )
    return Plan(tuple(retirement(standing[metric]) for metric in dict.fromkeys(metrics)))


def apply(
    settings: Settings, store: Store, plan: Plan, seconds: float = WAIT_SECONDS
) -> list[Outcome] | None:
    """Bring what is due into force, all of it at once; None: no worker has counted it in time.

    Raises:
        BrokerError, StoreError: Kafka or the store does not take part.
        UsageError: they are too many for one record.
    """
    if not plan.due:
        return []
    sending = Sending(settings)
    try:
        wanted = [Wanted(one.after, one.version) for one in plan.due]
        sent = send(settings, sending, wanted, datetime.now(UTC))
        return wait(store, sent, seconds)
    finally:
        sending.close()


def sentence(one: Change, outcome: Outcome | None) -> str:
    """What became of a change, for people."""
    metric = one.after.metric_id
    if outcome is None:
        return f"{metric}: not known yet"
    if not outcome.won or outcome.newest is None:
        return f"{metric}: {overtaken(outcome.newest, one.version)}; look at it and apply it again"
    done = "is retired" if one.after.retired else "is in force"
    return f"{metric} {done} as version {outcome.newest.version}"
