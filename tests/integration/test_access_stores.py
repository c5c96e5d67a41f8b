"""Grants and keys in the store: what is written down, what holds, and how soon it does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.access import keys as keys_module
from pipeline.access.decision import Refusal
from pipeline.access.grants import Grants
from pipeline.access.identity import Presented
from pipeline.access.keys import StoredKeys
from pipeline.access.known import Known
from pipeline.access.opening import Access, opened
from pipeline.access.roles import ALL, Caller, Grant, Role
from pipeline.clickhouse.client import Store
from pipeline.errors import StoreUnavailable, UsageError
from tests.support.harness.clickhouse_parts import settings_for
from tests.support.harness.store import EmbeddedStore

STRANGE = ("o'brien", 'a"b`c', "back\\slash\\'", "{x:String}", "名前", "100%", "a b", "');--")


@pytest.fixture
def access(tables: Store) -> Store:
    """Provide the tables with nothing granted and no key."""
    for table in ("_access", "_keys", "_key_uses"):
        tables.command(f"TRUNCATE TABLE {table}")
    return tables


def held(store: Store, user: str | None = None) -> list[tuple[str, str, str]]:
    return [(one.user, one.grant.tenant, str(one.grant.role)) for one in Grants(store).all(user)]


class TestGrants:
    def test_they_hold_until_they_are_revoked_and_again_when_granted_anew(
        self, access: Store
    ) -> None:
        grants = Grants(access)
        for _ in range(3):
            grants.grant("ada", Role.MANAGER, ("acme", "globex"), by="x")
            grants.grant("ada", Role.VIEWER, ("acme",), by="x")
            assert held(access) == [
                ("ada", "acme", "manager"),
                ("ada", "acme", "viewer"),
                ("ada", "globex", "manager"),
            ]
            taken = grants.revoke("ada", scope=("acme",), by="x")
            assert taken == [Grant("acme", Role.MANAGER), Grant("acme", Role.VIEWER)]
            assert held(access) == [("ada", "globex", "manager")]
            assert grants.revoke("ada", role=Role.VIEWER, by="x") == []
            assert grants.revoke("ada", by="x") == [Grant("globex", Role.MANAGER)]
            assert grants.revoke("ada", by="x") == []
        access.command("OPTIMIZE TABLE _access FINAL")
        assert held(access) == []

    def test_a_change_holds_whatever_the_clock_said_before(self, access: Store) -> None:
        access.command(
            "INSERT INTO _access (user, tenant, role, changed_at) "
            "VALUES ('ada', 'acme', 'viewer', now64(6) + INTERVAL 1 HOUR)"
        )
        assert held(access) == [("ada", "acme", "viewer")]
        assert Grants(access).revoke("ada", by="x")
        assert held(access) == []

    def test_a_row_written_by_hand_is_a_grant_and_an_unknown_role_is_none(
        self, access: Store
    ) -> None:
        access.command(
            "INSERT INTO _access (user, tenant, role) "
            "VALUES ('ada', 'acme', 'viewer'), ('ada', 'globex', 'root'), ('ada', '', 'admin')"
        )
        assert held(access) == held(access, "ada") == [("ada", "acme", "viewer")]

    @pytest.mark.parametrize("name", STRANGE)
    def test_names_are_kept_as_they_are(self, access: Store, name: str) -> None:
        Grants(access).grant(name, Role.VIEWER, (name,), by=name)
        Grants(access).grant("other", Role.VIEWER, ("other",), by="x")
        assert held(access, name) == [(name, name, "viewer")]
        assert Grants(access).revoke(name, scope=(name,), by="x")
        assert held(access) == [("other", "other", "viewer")]

    @pytest.mark.parametrize(
        ("user", "role", "scope", "said"),
        [
            ("", Role.VIEWER, ("acme",), "can be no user"),
            ("key:1", Role.VIEWER, ("acme",), "can be no user"),
            ("a\nb", Role.VIEWER, ("acme",), "can be no user"),
            ("ada", Role.VIEWER, (), "the scope '' is none"),
            ("ada", Role.VIEWER, ("*", "acme"), "name it alone"),
            ("ada", Role.OPERATOR, ("acme",), "an operator's scope is '*'"),
        ],
    )
    def test_what_cannot_be_is_refused(
        self, access: Store, user: str, role: Role, scope: tuple[str, ...], said: str
    ) -> None:
        with pytest.raises(UsageError, match=said.replace("*", r"\*")):
            Grants(access).grant(user, role, scope, by="x")
        assert held(access) == []


class TestKeys:
    def test_a_key_is_told_once_and_kept_by_its_digest(self, access: Store) -> None:
        keys = StoredKeys(access)
        until = datetime(2030, 1, 1, tzinfo=UTC)
        made, text = keys.create(
            Role.MANAGER, ("globex", "acme"), name="o'brien", expires=until, by="x"
        )
        assert keys.all() == [made]
        assert made.scope == ("acme", "globex")
        assert (made.expires, made.name, made.revoked) == (until, "o'brien", None)
        parts = keys_module.parse(text)
        assert parts is not None
        assert parts[0] == made.id
        assert len(bytes.fromhex(parts[1])) == 32
        rows = str(access.query("SELECT * FROM _keys"))
        assert parts[1] not in rows
        assert keys_module.digest(parts[1]) in rows

    def test_a_revoked_one_stays_so(self, access: Store) -> None:
        keys = StoredKeys(access)
        (first, _), (second, _) = (keys.create(Role.VIEWER, (ALL,), by="x") for _ in range(2))
        assert keys.revoke(first.id)
        assert [one.id for one in keys.all()] == [second.id]
        assert not keys.revoke(first.id)
        assert not keys.revoke("' OR 1 --")
        keys.used({first.id: datetime.now(UTC)})
        access.command("OPTIMIZE TABLE _keys FINAL")
        assert [one.id for one in keys.all()] == [second.id]
        assert {one.key.id for one in keys_module.read(access)} == {first.id, second.id}

    def test_its_last_use_is_the_latest_that_was_written(self, access: Store) -> None:
        keys = StoredKeys(access)
        made, _ = keys.create(Role.VIEWER, ("acme",), by="x")
        late = datetime(2026, 5, 1, 10, tzinfo=UTC)
        for at in (late, late - timedelta(hours=1)):
            keys.used({made.id: at})
        assert [one.last_used for one in keys.all()] == [late]


def bearing(text: str) -> Presented:
    return Presented((("authorization", f"Bearer {text}"),), "127.0.0.1")


async def identify(access: Access, text: str) -> Caller | Refusal | None:
    for door in access.doors:
        found = await door.identify(bearing(text))
        if found is not None:
            return found
    return None


@asynccontextmanager
async def three(store: Store) -> AsyncIterator[list[Access]]:
    """What three API processes know, each with its own connection."""
    settings = settings_for(int(store.where.rpartition(":")[2]), store.database)
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(opened(settings, Store.connect(settings)))
            for _ in range(3)
        ]


async def until_all(access: list[Access], text: str, opens: bool) -> float:
    """Wait until the key opens all of them, or none; returns how many seconds it took."""
    began = time.monotonic()
    while time.monotonic() - began < 60:
        found = [await identify(one, text) for one in access]
        if all(isinstance(one, Caller) is opens for one in found):
            return time.monotonic() - began
        await asyncio.sleep(0.05)
    raise AssertionError(f"not in 60 s: {found}")


class TestKnown:
    def test_a_key_and_its_end_are_in_force_in_every_process_within_seconds(
        self, access: Store
    ) -> None:
        async def scenario() -> None:
            async with three(access) as processes:
                made, text = processes[0].keys.create(Role.MANAGER, ("acme",), name="n", by="x")
                assert await until_all(processes, text, opens=True) < 30
                who = await identify(processes[2], text)
                assert who == Caller(f"key:{made.id}", (Grant("acme", Role.MANAGER),), made.id, "n")
                wrong = text[:-1] + ("0" if text[-1] != "0" else "1")
                for bad in (wrong, f"usage_{made.id}_", "usage_", text + "0", text.upper()[:5]):
                    assert not isinstance(await identify(processes[0], bad), Caller)
                assert StoredKeys(access).revoke(made.id)
                assert await until_all(processes, text, opens=False) < 30
                refused = await identify(processes[1], text)
                assert isinstance(refused, Refusal)
                assert (refused.status, "was revoked" in refused.sentence) == (401, True)

        asyncio.run(scenario())

    def test_an_expired_key_opens_nothing(self, access: Store) -> None:
        _, text = StoredKeys(access).create(
            Role.VIEWER, ("acme",), expires=datetime.now(UTC) - timedelta(seconds=1), by="x"
        )

        async def scenario() -> None:
            async with three(access) as processes:
                found = await identify(processes[0], text)
                assert isinstance(found, Refusal)
                assert "has expired" in found.sentence

        asyncio.run(scenario())

    def test_last_use_is_written_down(self, access: Store) -> None:
        _, text = StoredKeys(access).create(Role.VIEWER, ("acme",), by="x")

        async def scenario() -> None:
            async with three(access) as processes:
                assert isinstance(await identify(processes[0], text), Caller)

        asyncio.run(scenario())
        [key] = StoredKeys(access).all()
        assert key.last_used is not None
        assert abs(key.last_used - datetime.now(UTC)) < timedelta(minutes=1)

    def test_nothing_is_known_when_it_is_too_long_ago(self, access: Store) -> None:
        now = 0.0
        known = Known(access, lambda: now)
        Grants(access).grant("ada", Role.VIEWER, ("acme",), by="x")
        assert isinstance(known.person("ada"), Refusal)
        known.read()
        assert known.person("ada") == Caller("ada", (Grant("acme", Role.VIEWER),))
        assert known.person("bob") == Caller("bob", ())
        now = 14.9
        assert isinstance(known.person("ada"), Caller)
        now = 15.0
        found = known.person("ada")
        assert isinstance(found, Refusal)
        assert found.status == 503

    def test_it_goes_on_when_the_store_comes_back(
        self, access: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        known, asked, came_back = Known(access), 0, asyncio.Event()

        def once() -> None:
            nonlocal asked
            asked += 1
            if asked < 3:
                raise StoreUnavailable("away")
            known.read()
            loop.call_soon_threadsafe(came_back.set)

        monkeypatch.setattr(known, "_once", once)
        monkeypatch.setattr("pipeline.access.known.READ_SECONDS", 0.01)

        loop: asyncio.AbstractEventLoop

        async def scenario() -> None:
            nonlocal loop
            loop = asyncio.get_running_loop()
            keeping = asyncio.create_task(known.keep())
            await came_back.wait()
            assert isinstance(known.person("ada"), Caller)
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

        asyncio.run(asyncio.wait_for(scenario(), 10))


def test_a_second_read_costs_one_small_query_where_nothing_changed(
    access: Store, store: EmbeddedStore
) -> None:
    known, asked = Known(access), []
    plain = access.query

    def counting(sql: str, *arguments: object, **options: object) -> object:
        asked.append(sql)
        return plain(sql, *arguments, **options)  # type: ignore[arg-type]

    access.query = counting  # type: ignore[method-assign, assignment]
    try:
        known.read()
        first = len(asked)
        known.read()
        assert (first, len(asked)) == (3, 4)
    finally:
        del access.query
