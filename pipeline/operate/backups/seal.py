"""The seal: what is written last, and says of a backup what it is. Without it a backup is none.

It is a backup of its own beside the data, of a table that has only a comment: so it can be written
and read wherever the store can, on disks that this program does not reach too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from pipeline.clickhouse.quoting import identifier, quoted
from pipeline.clickhouse.schema.quiet import RESTORING
from pipeline.errors import Halted, StoreRefused
from pipeline.operate.backups import statement

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.operate.backups.place import Place

FORMAT = 1
TABLE = "_backup"
"""The table of the seal; where it is restored, it has another name (`RESTORING`)."""

_PART = "seal"


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup is."""

    format: int = FORMAT
    release: str
    """The version of the program that took it."""
    taken_at: str
    """When, as ISO 8601 has it: all that was in the ledger then is in it, and nothing later."""
    migrations: int
    """How many migrations its tables have."""
    part: str
    """Which part of the backup has the tables."""
    announced: str
    """Its newest intents (`pipeline.clickhouse.schema.quiet.announced`)."""
    chunks: int
    """How many chunks its ledger has."""
    shards: int = 1
    """How many shards the store has."""


def write(store: Store, place: Place, seal: Seal, meanwhile: Callable[[], None]) -> None:
    """Seal a backup. Raises StoreError."""
    table = identifier(TABLE)
    words = quoted(msgspec.json.encode(seal).decode())
    drop(store)
    store.command(f"CREATE TABLE {table} (nothing UInt8) ENGINE = Null COMMENT {words}")
    try:
        statement.run(
            store, f"BACKUP TABLE {_full(store, TABLE)} TO {place.part(_PART)}", meanwhile
        )
    finally:
        drop(store)


def drop(store: Store) -> None:
    """Clear away what one that was killed has left behind."""
    store.command(f"DROP TABLE IF EXISTS {identifier(TABLE)} SYNC")


def restore(store: Store, place: Place, meanwhile: Callable[[], None]) -> Seal:
    """Read a backup's seal, and leave it in the database under the name of `RESTORING`.

    Raises:
        Halted: there is no sealed backup of this database in this place, or a newer release's.
        StoreUnavailable, StoreRefused: the store's own reasons.
    """
    what = f"RESTORE TABLE {_full(store, TABLE)} AS {_full(store, RESTORING)} "
    try:
        statement.run(store, f"{what} FROM {place.part(_PART)}", meanwhile)
    except StoreRefused as error:
        raise _why_not(store, place, error) from error
    [(text,)] = store.query(
        "SELECT comment FROM system.tables WHERE database = {database:String} "
        "AND name = {name:String}",
        {"database": store.database, "name": RESTORING},
    )
    return _read(text, place)


def _read(text: str, place: Place) -> Seal:
    try:
        seal = msgspec.json.decode(text, type=Seal)
    except msgspec.DecodeError as error:
        raise Halted(f"the seal of the backup {place} cannot be read: {error}") from error
    if seal.format > FORMAT:
        raise Halted(
            f"the backup {place} was taken by release {seal.release} in format {seal.format}; "
            f"this one reads up to {FORMAT}: restore it with that release"
        )
    return seal


def _why_not(store: Store, place: Place, error: StoreRefused) -> Exception:
    if error.code == statement.NOT_FOUND:
        return Halted(
            f"there is no finished backup {place}: the name is another one, or `usage backup` did "
            "not come to its end there; take another backup"
        )
    if error.code == statement.NOT_IN_IT:
        return Halted(
            f"the backup {place} is not of the database `{store.database}`: name in "
            "USAGE_CLICKHOUSE the one that it was taken of"
        )
    return error


def _full(store: Store, table: str) -> str:
    return f"{identifier(store.database)}.{identifier(table)}"
