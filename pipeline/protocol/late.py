"""Which requests are *late*: the day that all blocks of a generation are made under. Pure.

Users' days and months are made once a day, of quarter hours (`pipeline.worker.settling`). A request
whose day is over is late: its insert writes it into the users' tables itself. Which day that is, a
block must not decide twice, and none may come that calls a settled day's request on time. So the
consumer group gives the day out with the assignment (`given_out`): all intents of a generation
carry it or a later one, Kafka refuses those of an earlier generation, and whoever is in a
generation sees every intent of before that may ever be inserted for the first time (`open_before`).
It never goes back: who settles says it first in the group's offsets, under the generation, and who
takes partitions up works under no earlier day than an offset says (`said`), or the store
(``docs/decisions/users-days.md``; explored in ``tests/model/days``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from pipeline.protocol.chunks import Intent, Offset, late_before_of, read_commit


def given_out(known: Iterable[date | None]) -> date | None:
    """Return the day of a generation: the latest that any member knows.

    ``known`` is of all members: the day that it is by the store's clock, as each has last seen it.
    None where one knows none: of an earlier release, or of a group that is not entered in the
    store. Then nothing is on time, and each insert writes all of its tables.
    """
    days = list(known)
    every = [day for day in days if day is not None]
    return max(every) if every and len(every) == len(days) else None


def said(offsets: Iterable[Offset]) -> date | None:
    """Return the latest day that the offsets of a topic were committed under."""
    days = (late_before_of(offset.metadata) for offset in offsets)
    return max((day for day in days if day is not None), default=None)


def open_before(
    day: date,
    offsets: Mapping[int, Offset],
    intents: Mapping[int, Intent],
    covered: Mapping[int, int],
    incarnation: str,
) -> int | None:
    """Return a partition with an open intent of an earlier day, whoever announced it; or None.

    All is of one topic, by partition, and was read in this order: the group's offsets, the store's
    intents, the ends of its ledger. Whoever read them in a generation of this day, or a later one,
    knows of every block that any earlier generation can still insert for the first time.
    """
    named = ((p, read_commit(*offset, incarnation)[1]) for p, offset in offsets.items())
    for partition, intent in (*named, *intents.items()):
        if intent is None or intent.late_before is None or intent.late_before >= day:
            continue
        for member, a, _ in intent.members or ((partition, intent.a, intent.b),):
            if covered.get(member, a) <= a:
                return member
    return None
