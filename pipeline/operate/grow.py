"""``usage topics grow``: more partitions, and no repeat counts twice because its key has moved.

What has to hold, and why this order, is in ``docs/decisions/growing-topics.md``: nobody sends to
the topic meanwhile; the change is announced (`pipeline.kafka.growth`), then made, then it is looked
whether anything came in between. Ended anywhere, it is run again.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import BrokerError, SettingsError
from pipeline.kafka import growth, partitions, topics
from pipeline.kafka.entry import admin
from pipeline.protocol.hooks import hook_of
from pipeline.protocol.lineage import Change

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from pipeline.kafka.topics import TopicSpec
    from pipeline.settings import Settings

QUIET_SECONDS = 2.0
"""For how long nothing may be sent to a topic before it grows."""

CAN_GROW = tuple(spec for spec in topics.COUNTED if not spec.in_order)


class Grown(NamedTuple):
    """What became of a topic (full name)."""

    topic: str
    before: int
    """The partitions that it had; as many as now where nothing was ever announced."""
    now: int
    was_made: bool
    """Whether it has grown now, and not before."""
    sent: Mapping[int, int]
    """Of the partitions that were there, those to which records have come since: how many."""


def grow(
    settings: Settings, names: Sequence[str], wanted: int, quiet_seconds: float = QUIET_SECONDS
) -> Iterator[Grown]:
    """Give topics so many partitions each; yields what became of each, once it is done.

    Args:
        settings: where Kafka is.
        names: of the topics, without prefix; none for all that can grow.
        wanted: how many partitions each is to have.
        quiet_seconds: for how long nothing may come to a topic before it grows.

    Raises:
        SettingsError: one of the topics cannot grow, or not to that; nothing was done.
        BrokerError: Kafka does not answer or refuses, or somebody sends to a topic; topics that
            were yielded have grown, others have not.
    """
    specs = _chosen(names)
    if topics.broker_is_embedded(settings):
        raise SettingsError(
            f"the broker at {settings.kafka} is the in-process one, whose topics do not grow; a "
            "real Kafka's do"
        )
    counts = topics.partition_counts(settings)
    for spec in specs:
        _refuse(settings.topic(spec.name), counts.get(settings.topic(spec.name)), wanted)
    names = [settings.topic(spec.name) for spec in specs]
    growing = {name: counts[name] for name in names if counts[name] != wanted}
    if growing:
        _have_announcements(settings)
    client = admin(settings)
    quiet = _quiet_ends(client, settings, growing, quiet_seconds)
    for name in names:
        [incarnation] = topics.incarnations(settings, [name]).values()
        if name in quiet:
            change = Change(growing[name], wanted, quiet[name])
            _make(client, settings, name, incarnation, change)
            yield _grown(client, settings, name, change, was_made=True)
        else:
            known = growth.changes(settings, {name: incarnation}).get(name, ())
            last = next((one for one in known if one.after == wanted), Change(wanted, wanted, ()))
            yield _grown(client, settings, name, last, was_made=False)


def _chosen(names: Collection[str]) -> list[TopicSpec]:
    specs = {spec.name: spec for spec in CAN_GROW}
    for name in names:
        if name in specs:
            continue
        why = "is not a topic that workers read"
        if any(spec.name == name for spec in topics.COUNTED):
            why = "keeps one partition: what its events come to depends on all before them"
        if name == topics.DEAD_LETTER.name:
            why = (
                "cannot grow: a letter takes the place of an older one of its key in its partition"
            )
        raise SettingsError(f"{name} {why}; those that can grow are {', '.join(specs)}")
    return [spec for spec in CAN_GROW if not names or spec.name in names]


def _refuse(topic: str, now: int | None, wanted: int) -> None:
    if now is None:
        raise SettingsError(f"topic {topic} does not exist; `usage topics create` makes it")
    if wanted < now:
        raise SettingsError(
            f"topic {topic} has {now} partitions, and Kafka cannot take any away: it cannot have "
            f"{wanted}"
        )
    if wanted % now:
        raise SettingsError(
            f"topic {topic} has {now} partitions, and {wanted} is no multiple of that: a new "
            "partition would get keys of several, and nobody could tell their repeats. "
            f"{now * 2}, {now * 3} and so on are"
        )


def _have_announcements(settings: Settings) -> None:
    [report] = topics.create(settings, [topics.GROWTH])
    if report.problems:
        raise SettingsError(f"{report.topic} {'; '.join(report.problems)}")


def _quiet_ends(
    client: AdminClient, settings: Settings, growing: Mapping[str, int], seconds: float
) -> dict[str, tuple[int, ...]]:
    """Where the logs of topics of so many partitions end.

    Raises BrokerError if somebody sends to them.
    """
    before = {name: partitions.ends(client, settings, name) for name in growing}
    if growing:
        time.sleep(seconds)
    after = {name: partitions.ends(client, settings, name) for name in growing}
    for name, count in growing.items():
        if not len(before[name]) == len(after[name]) == count:
            raise BrokerError(f"somebody else gives {name} partitions; try again")
        if before[name] != after[name]:
            raise BrokerError(
                f"somebody sends to {name}: {sum(after[name]) - sum(before[name])} records came "
                f"within {seconds:g} s; stop all producers, then grow it"
            )
        if partitions.ends(client, settings, name, committed=True) != after[name]:
            raise BrokerError(
                f"a transaction is open in {name}: its producer has not stopped, or has died; try "
                "again when it is over (transaction.timeout.ms)"
            )
    return after


def _make(
    client: AdminClient, settings: Settings, topic: str, incarnation: str, change: Change
) -> None:
    hook = hook_of(settings)
    known = growth.changes(settings, {topic: incarnation}).get(topic, ())
    # By who knows it first: what was announced must not change once there are partitions by it.
    partitions.may_add(client, settings, topic, change.before + 1)
    if change not in known:
        growth.announce(settings, topic, incarnation, change)
    hook("after", "announce")
    partitions.add(client, settings, topic, change.after)
    hook("after", "add_partitions")


def _grown(
    client: AdminClient, settings: Settings, topic: str, change: Change, *, was_made: bool
) -> Grown:
    now = partitions.ends(client, settings, topic)
    pairs = enumerate(zip(change.ends, now, strict=False))
    sent = {number: end - was for number, (was, end) in pairs if end != was}
    return Grown(topic, change.before, change.after, was_made, sent)
