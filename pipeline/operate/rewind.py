"""``usage rewind --to-store``: let the group read again what the store lacks.

For the one case in which workers halt by themselves: the group's offsets are ahead of the ledger,
because the store was restored from a copy, lags behind, or is new.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from pipeline.clickhouse.shards import Shards
from pipeline.errors import BrokerError, Halted
from pipeline.kafka import group as outside
from pipeline.kafka import topics
from pipeline.protocol.chunks import Found, Halt, Offset, Range, Source, commit_metadata, plan
from pipeline.protocol.ledger import LedgerReader, found_of

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.settings import Settings


class Rewound(NamedTuple):
    """One log that is read again: what of it, and where it begins by now."""

    range: Range
    first: int


def rewind(settings: Settings, store: Store, names: list[str]) -> list[Rewound]:
    """Set the group's offsets back to the ledger's ends where they are ahead of them.

    Args:
        settings: of the group.
        store: whose ledger decides.
        names: the source topics, prefix included.

    Returns:
        What will be counted from Kafka again; nothing when the offsets are right.

    Raises:
        Halted: workers of the group are running, or something else is wrong as well.
        BrokerError: Kafka does not answer.
    """
    _require_empty(settings)
    incarnations = topics.incarnations(settings, names)
    missing = [
        Rewound(lacking, found.first)
        for source, found in _find(settings, store, names, incarnations).items()
        if (lacking := _missing(source, found, incarnations))
    ]
    wanted = {one.source: Offset(one.a, commit_metadata(one.incarnation)) for one, _ in missing}
    outside.set_back(settings, wanted)
    return missing


def _require_empty(settings: Settings) -> None:
    group = outside.group(settings)
    if not group.is_told:
        raise BrokerError(f"the group {settings.group} cannot be described: {group.state}")
    if not group.is_empty:
        raise Halted(
            f"the group {settings.group} has running workers; stop them, then rewind again"
        )


def _find(
    settings: Settings, store: Store, names: list[str], incarnations: dict[str, str]
) -> dict[Source, Found]:
    bounds = outside.bounds(settings, names)
    committed = outside.committed(settings, bounds)
    logs = list(bounds)
    with closing(Shards.connect(settings, store)) as shards:
        ledger = LedgerReader(shards)
        covered = ledger.covered(logs, ledger.intents(logs, incarnations), incarnations)
    return {
        source: found_of(known, committed.get(source), *bounds[source])
        for source, known in zip(bounds, covered, strict=True)
    }


def _missing(source: Source, found: Found, incarnations: dict[str, str]) -> Range | None:
    incarnation = incarnations[source.topic]
    # The rules of an open intent are the next worker's business, not ours.
    decided = plan(found, incarnation=incarnation, rules="", override_rules=True)
    if not isinstance(decided, Halt):
        return None
    if decided.missing is None:
        raise Halted(f"{source}: {decided.reason}")
    return Range(source, incarnation, *decided.missing)
