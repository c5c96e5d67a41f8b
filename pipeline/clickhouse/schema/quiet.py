"""Whether chunks are under way, and holding new ones back for a moment.

Rows of a chunk go into the tables between its row in ``intents`` and its row in ``chunks``. So a
store that takes no new intents, and has none open, has whole chunks only.

It takes none while `intents` is *held*: it refuses inserts with TOO_MANY_PARTS, which workers wait
out, as they do whatever passes by itself. Chunks that are announced go on to their end. Who holds
it has the migrator's lease: where that has run out, workers let go of it themselves, but for those
of a cluster.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pipeline.clickhouse.schema import lock
from pipeline.errors import Halted, MigrationError, StoreRefused, StoreUnavailable

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

log = logging.getLogger(__name__)

IsGone = Callable[[str], bool]
"""Whether a log is no more, by its incarnation: so that nobody inserts a chunk of it again."""

RESTORING = "_restoring"
"""The table that stands in a database until a restore into it has come to its end."""

LET_GO_SECONDS, LET_GO_EVERY_SECONDS = 120.0, 0.5
"""How long a store that is away is asked to let chunks go on, and how often."""
_SETTING = "parts_to_throw_insert"
_TOO_MANY_PARTS = 252

_NEWEST = """
    SELECT topic, partition, incarnation,
           max(from_offset) AS opened, argMax(to_offset, from_offset) AS upto
    FROM intents GROUP BY topic, partition, incarnation
"""
_OPEN = f"""
SELECT topic, partition, opened, upto, incarnation
FROM
({_NEWEST}) AS intended
LEFT JOIN
(
    SELECT topic, partition, incarnation, max(from_offset) AS closed, count() AS closings
    FROM chunks GROUP BY topic, partition, incarnation
) AS ledger USING (topic, partition, incarnation)
WHERE closings = 0 OR opened > closed
ORDER BY topic, partition
"""  # noqa: S608 - constants only
_ANNOUNCED = f"""
SELECT count(), sum(cityHash64(topic, partition, incarnation, opened, upto)) FROM ({_NEWEST})
"""  # noqa: S608 - constants only


class OpenChunk(NamedTuple):
    """A chunk that is announced, and not in the ledger."""

    topic: str
    partition: int
    from_offset: int
    to_offset: int
    incarnation: str

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}], offsets {self.from_offset} to {self.to_offset}"


def open_chunks(store: Store, is_gone: IsGone) -> list[OpenChunk]:
    """The chunks that are under way, those of logs that are gone left out."""
    found = store.query(_OPEN, consistent=True, settings={"join_use_nulls": 0})
    return [one for one in map(OpenChunk._make, found) if not is_gone(one.incarnation)]


def announced(store: Store) -> str:
    """What tells one state of the newest intents of all logs from any other."""
    [(logs, digest)] = store.query(_ANNOUNCED, consistent=True)
    return f"{logs}:{digest}"


@contextlib.contextmanager
def held(store: Store, cluster: str = "") -> Iterator[None]:
    """Hold new chunks back for the block, and let them go on behind it, however it ends.

    Not the very first one of a store: it is held back by the intents that are there. ``cluster``:
    whose servers all hold them back.

    Raises:
        Halted: the store has not let them go on; every worker waits.
        StoreUnavailable, StoreRefused: they are not held back.
    """
    try:
        store.command(f"ALTER TABLE intents{_on(cluster)} MODIFY SETTING {_SETTING} = 1")
        yield
    finally:
        _let_go_for_certain(store, cluster)


def _let_go_for_certain(store: Store, cluster: str) -> None:
    """Have `intents` take rows again, also where the store is away for a while."""
    deadline = time.monotonic() + LET_GO_SECONDS
    while True:
        try:
            return let_go(store, cluster)
        except StoreUnavailable as error:
            if time.monotonic() > deadline:
                raise Halted(
                    f"new chunks are held back, and workers wait, for {error.message}: run `usage "
                    "migrate` as soon as the store answers, which has them go on"
                ) from error
        time.sleep(LET_GO_EVERY_SECONDS)


def let_go(store: Store, cluster: str = "") -> None:
    """Have `intents` take rows again.

    Raises:
        StoreUnavailable, StoreRefused: it does not yet; ``usage migrate`` has it done too.
    """
    held_now = [f"ALTER TABLE intents{_on(cluster)} RESET SETTING {_SETTING}"]  # whoever has it
    for statement in held_now if cluster else let_go_statements([store]):
        store.command(statement)


def let_go_of_what_is_left(store: Store, error: StoreUnavailable) -> None:
    """Have `intents`, which has refused rows so, take them again where who held it was killed.

    That is where the lease has run out. Of one server only.
    """
    # Of a cluster the lease is at one server, which is not always the one that we reach.
    if error.code != _TOO_MANY_PARTS or store.is_clustered:
        return
    with contextlib.suppress(StoreRefused):  # we may not; then `usage migrate` has to
        if lock.is_held(store) or _is_half_restored(store):
            return
        if statements := let_go_statements([store]):
            log.warning("new chunks were held back by a backup that was killed; they go on")
        for statement in statements:
            store.command(statement)


def let_go_statements(stores: Sequence[Store], cluster: str = "") -> list[str]:
    """The ALTER that has `intents` take rows again; none where no store of these holds it."""
    held_now = any(
        store.query(
            "SELECT 1 FROM system.tables WHERE database = {database:String} AND name = 'intents' "
            "AND position(engine_full, {setting:String}) > 0",
            {"database": store.database, "setting": _SETTING},
        )
        for store in stores
    )
    return [f"ALTER TABLE intents{_on(cluster)} RESET SETTING {_SETTING}"] if held_now else []


def _on(cluster: str) -> str:
    return f" ON CLUSTER '{cluster}'" if cluster else ""


def refuse_half_restored(store: Store, front: Store, cluster: str = "") -> None:
    """Refuse a database into which a backup was restored in part only. Raises MigrationError."""
    if _is_half_restored(store):
        raise MigrationError(
            f"a restore into the database `{front.database}` is under way, or did not come to its "
            f"end: then drop it ({dropping([front, store], cluster)}) and restore again"
        )


def dropping(stores: Iterable[Store], cluster: str = "") -> str:
    """What drops the databases of some stores."""
    names = dict.fromkeys(store.database for store in stores)
    return "; ".join(f"DROP DATABASE `{name}`{_on(cluster)} SYNC" for name in names)


def _is_half_restored(store: Store) -> bool:
    return bool(
        store.query(
            "SELECT 1 FROM system.tables WHERE database = {database:String} "
            "AND name = {name:String}",
            {"database": store.database, "name": RESTORING},
        )
    )
