"""``usage topics``: Kafka's topics, made or checked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from pipeline.cli.groups import Commands
from pipeline.errors import SettingsError
from pipeline.settings import load

if TYPE_CHECKING:
    from pipeline.kafka.topics import TopicReport


@click.group(cls=Commands)
def topics() -> None:
    """Make or check the topics."""


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


def _report(reports: Iterable[TopicReport]) -> None:
    problems = []
    for topic, made, wrong in reports:
        click.echo(f"{topic}: {'made' if made else '; '.join(wrong) or 'as it should be'}")
        problems += [f"{topic} {problem}" for problem in wrong]
    if problems:
        raise SettingsError("; ".join(problems))
