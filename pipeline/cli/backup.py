"""``usage backup``, ``usage restore``: the store, kept and put back."""

from __future__ import annotations

import contextlib
import functools
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.opened import opened_store
from pipeline.errors import BrokerError, Halted
from pipeline.settings import load

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.operate.backups.place import Place
    from pipeline.settings import Settings

NAME = "FOLDER|NAME"
_disk = click.option("--disk", default="", help="A disk of the server's, for backups.")


@click.command()
@click.argument("where", metavar=NAME)
@_disk
def backup(where: str, disk: str) -> None:
    """Back the store up, beside running workers, at a moment at which every chunk is whole.

    FOLDER is one of this machine, for the embedded store; NAME is the store's own word for the
    place, below its `backups.allowed_path`.
    """
    from pipeline.operate.backups.taking import back_up
    from pipeline.operate.backups.whole import whole

    settings = load()
    with _ending_in_order(), opened_store(settings) as store, whole(settings, store) as all_of_it:
        with _place(settings, store, where, disk, is_taken=True) as place:
            taken = back_up(all_of_it, place, _gone_logs(settings))
        click.echo(f"backed up to {place}: {taken.chunks:,} chunks, as of {taken.taken_at}")


@click.command()
@click.argument("where", metavar=NAME)
@_disk
def restore(where: str, disk: str) -> None:
    """Put a backup back, where the database is not there yet or has nothing in it.

    Stop the workers first.
    """
    from pipeline.operate.backups.restoring import make_room
    from pipeline.operate.backups.restoring import restore as put_back
    from pipeline.operate.backups.whole import whole

    settings = load()
    _refuse_workers(settings)
    with (
        _ending_in_order(),
        opened_store(settings, is_checked=False) as store,
        whole(settings, store) as all_of_it,
    ):
        make_room(all_of_it)
        with _place(settings, store, where, disk, is_taken=False) as place:
            found = put_back(settings, all_of_it, place)
        click.echo(f"restored {place}: {found.chunks:,} chunks, as of {found.taken_at}")
        click.echo(
            "next: usage migrate; usage rewind --to-store; start the workers; usage audit. "
            "Keys, roles and users of then are in force again: revoke what was revoked since"
        )


@contextlib.contextmanager
def _place(
    settings: Settings, store: Store, where: str, disk: str, *, is_taken: bool
) -> Iterator[Place]:
    """Where a backup lies, as the store is told; a folder is moved out of it, or linked in."""
    from pipeline.embedded import backups
    from pipeline.operate.backups.place import Place

    own = None if settings.clickhouse_cluster else backups.folder_of(settings, store)
    if own is None or disk or "/" not in where:
        yield Place.of(where, disk, below=own)
        return
    moved, folder = backups.going_out if is_taken else backups.coming_in, Path(where).absolute()
    with moved(own, folder) as name:
        yield Place(name, shown=str(folder))


def _gone_logs(settings: Settings) -> Callable[[str], bool]:
    """Whether a log is no more: of an in-process broker that is not the one that runs now.

    A run that was killed leaves a chunk open for good. Kafka is asked once, if at all.
    """
    from pipeline.kafka import group, topics

    @functools.cache
    def now() -> frozenset[str] | None:
        try:
            return frozenset(group.incarnations(settings).values())
        except (BrokerError, Halted):
            return None

    def is_gone(incarnation: str) -> bool:
        if not topics.is_embedded(incarnation):
            return False
        running = now()
        return running is not None and incarnation not in running

    return is_gone


def _refuse_workers(settings: Settings) -> None:
    from pipeline.kafka import group

    try:
        found = group.group(settings)
    except BrokerError as error:
        click.echo(
            f"usage: whether workers run is not known, for {error.message}; none may", err=True
        )
        return
    if found.is_told and not found.is_empty:
        raise Halted(
            f"the group {settings.group} has running workers; stop them, then restore again"
        )


@contextlib.contextmanager
def _ending_in_order() -> Iterator[None]:
    """Have SIGTERM, and a terminal that is closed, do as SIGINT: what was begun is undone."""
    ends = signal.SIGTERM, signal.SIGHUP
    before = [signal.signal(end, signal.default_int_handler) for end in ends]
    try:
        yield
    finally:
        for end, handler in zip(ends, before, strict=True):
            signal.signal(end, handler)
