"""``usage topics``: Kafka's topics, made, checked or given more partitions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from pipeline.cli.groups import Commands
from pipeline.errors import BrokerError, SettingsError
from pipeline.settings import load

if TYPE_CHECKING:
    from pipeline.kafka.topics import TopicReport
    from pipeline.operate.grow import Grown


@click.group(cls=Commands)
def topics() -> None:
    """Make the topics, check them, or give them more partitions."""


@topics.command()
def create() -> None:
    """Make the topics that do not exist, and check those that do."""
    from pipeline.kafka import topics as kafka

    _report(kafka.create(load()))


@topics.command()
def check() -> None:
    """Compare the topics with what they must be like."""
    from pipeline.kafka import topics as kafka

    _report(kafka.check(load()))


@topics.command()
@click.option(
    "--to",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Partitions that each is to have: a multiple of what it has. [default: USAGE_PARTITIONS]",
)
@click.argument("names", nargs=-1, metavar="[TOPIC]...")
def grow(to: int | None, names: tuple[str, ...]) -> None:
    """Give topics more partitions, so that no repeat counts twice because its key has moved.

    TOPIC is without USAGE_TOPIC_PREFIX; without any, all grow that can. Stop all producers before,
    and start them again when this has ended well; workers may go on. Ended half-way, run it again.
    """
    from pipeline.operate import grow as growing

    settings = load()
    late = []
    for one in growing.grow(settings, names, to or settings.partitions):
        click.echo(_said(one))
        if one.was_made and one.sent:
            late.append(one.topic)
    if late:
        raise BrokerError(
            f"{', '.join(late)}: a producer was not stopped. What it sent to the old partitions "
            "meanwhile counts again where it is sent once more; stop it before it sends on"
        )


def _said(one: Grown) -> str:
    if one.before == one.now:
        return f"{one.topic}: has {one.now} partitions"
    sent = ", ".join(f"{events:,} to partition {number}" for number, events in one.sent.items())
    if one.was_made:
        came = f"; meanwhile came {sent}" if sent else ""
        return f"{one.topic}: had {one.before} partitions, has {one.now}{came}"
    came = f"; came since: {sent}" if sent else "; nothing has come to the older ones since"
    return f"{one.topic}: has {one.now} partitions, and had {one.before} before{came}"


def _report(reports: Iterable[TopicReport]) -> None:
    problems = []
    for topic, made, wrong in reports:
        click.echo(f"{topic}: {'made' if made else '; '.join(wrong) or 'as it should be'}")
        problems += [f"{topic} {problem}" for problem in wrong]
    if problems:
        raise SettingsError("; ".join(problems))
