"""API keys: made, listed and revoked in the store, which knows their secrets by digest only."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.access.grants import check_scope
from pipeline.access.identity import Key
from pipeline.access.roles import Role
from pipeline.clickhouse.client import NOT_DEDUPLICATED
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store

PREFIX = "usage_"
"""Of every key, so that programs that look for leaked secrets know one."""

LONGEST_NAME = 200
_SECRET_BYTES = 32
_ID_BYTES = 6
_FORM = re.compile(r"usage_([0-9a-f]{12})_([0-9a-f]{64})")
_NOBODYS = hashlib.sha256(secrets.token_bytes(_SECRET_BYTES)).hexdigest()

_COLUMNS = (
    ("id", "String"),
    ("secret_sha256", "String"),
    ("name", "String"),
    ("role", "LowCardinality(String)"),
    ("scope", "Array(String)"),
    ("created_at", "DateTime64(3, 'UTC')"),
    ("created_by", "String"),
    ("expires_at", "Nullable(DateTime64(3, 'UTC'))"),
)
_READ = """
SELECT id, secret_sha256, name, role, scope, created_at, created_by, expires_at, revoked_at, used_at
FROM (SELECT * FROM _keys FINAL) AS keys
LEFT JOIN (SELECT id, toNullable(max(used_at)) AS used_at FROM _key_uses GROUP BY id) AS uses
USING (id)
ORDER BY created_at DESC, id
"""
_REVOKE = """
INSERT INTO _keys (id, secret_sha256, name, role, scope, created_at, created_by, expires_at,
    revoked_at, revoked)
SELECT id, secret_sha256, name, role, scope, created_at, created_by, expires_at,
    now64(3, 'UTC'), 1
FROM (SELECT * FROM _keys FINAL) WHERE id = {id:String} AND NOT revoked
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A key as it lies in the store."""

    key: Key
    digest: str
    """SHA-256 of the secret, hexadecimal."""


class StoredKeys:
    """The keys of a store; implements `pipeline.access.identity.Keys`. Thread safe."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(
        self,
        role: Role,
        scope: Sequence[str],
        *,
        name: str = "",
        expires: datetime | None = None,
        by: str,
    ) -> tuple[Key, str]:
        """Make a key; returns it and the text to present, ``usage_<id>_<secret>``, told once.

        Raises:
            UsageError: that scope or name is none.
        """
        scope = tuple(sorted(set(scope)))
        check_scope(role, scope)
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise UsageError(f"a key's name has at most {LONGEST_NAME} visible characters")
        now = datetime.now(UTC).replace(microsecond=0)
        key = Key(secrets.token_hex(_ID_BYTES), name, role, scope, now, by, expires)
        secret = secrets.token_hex(_SECRET_BYTES)
        row = (key.id, digest(secret), name, str(role), scope, now, by, expires)
        self._store.insert("_keys", _COLUMNS, [[cell] for cell in row])
        return key, f"{PREFIX}{key.id}_{secret}"

    def all(self) -> list[Key]:
        """Every key that was not revoked, the newest first."""
        return [one.key for one in read(self._store) if one.key.revoked is None]

    def revoke(self, key: str) -> bool:
        """End a key by its id, for good; whether there was one."""
        held = {one.id for one in self.all()}
        if key in held:
            self._store.command(_REVOKE, {"id": key}, settings=NOT_DEDUPLICATED)
        return key in held

    def used(self, uses: Mapping[str, datetime]) -> None:
        """Keep when keys were used last, by their ids."""
        self._store.insert(
            "_key_uses",
            (("id", "String"), ("used_at", "DateTime64(3, 'UTC')")),
            [list(uses), list(uses.values())],
        )


def read(store: Store) -> list[Stored]:
    """All keys, the revoked ones too, the newest first."""
    return list(_stored(store.query(_READ, consistent=True, settings={"join_use_nulls": 0})))


def digest(secret: str) -> str:
    """What is kept of a secret: 256 random bits need no slow digest, nobody can try them all."""
    return hashlib.sha256(secret.encode()).hexdigest()


def parse(text: str) -> tuple[str, str] | None:
    """The id and the secret of a key's text; None: it cannot be one."""
    match = _FORM.fullmatch(text)
    return (match[1], match[2]) if match else None


def matches(secret: str, stored: Stored | None) -> bool:
    """Whether that is the key's secret; takes as long where there is no such key."""
    same = hmac.compare_digest(digest(secret), stored.digest if stored else _NOBODYS)
    return same and stored is not None


def _stored(rows: Iterable[Sequence[Any]]) -> Iterable[Stored]:
    known = set(Role)
    for id_, sha256, name, role, scope, created, by, expires, revoked, used in rows:
        if role in known:
            known_scope = tuple(filter(None, scope))  # '' in a parameter would be all
            key = Key(id_, name, Role(role), known_scope, created, by, expires, used, revoked)
            yield Stored(key, sha256)
