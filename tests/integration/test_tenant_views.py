"""The second database: whose rows its views show, by what is granted, and when they change.

The engine has one user, ``default``: here they are the caller, and the views' owner too.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.access import tenant_views
from pipeline.access.grants import Grants
from pipeline.access.roles import ALL, Role
from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.errors import StoreRefused
from tests.support.harness.clickhouse_parts import new_database, settings_for
from tests.support.harness.store import EmbeddedStore

ME = "default"
_REQUEST = {
    "minute": ("DateTime('UTC')", 1_767_225_600),
    "tenant": ("LowCardinality(String)", ""),
    "model": ("LowCardinality(String)", "m"),
    "operation": ("LowCardinality(String)", "chat"),
    "cost_nanos": ("Int64", 5_000_000_000),
    "currency": ("LowCardinality(String)", "USD"),
}
LIVE = "live_windows(as_of = '2026-01-01 00:05:00', tenant = '{}')"
MONEY = (
    "billing_by_tenant(since = '2026-01-01 00:00:00', until = '2026-02-01 00:00:00', tenant = '{}')"
)


@pytest.fixture(scope="module")
def deployed(store: EmbeddedStore) -> Iterator[Store]:
    """Provide both databases, with a request of each of three organizations."""
    connected = new_database(store.port)
    settings = settings_for(store.port, connected.database, USAGE_KEEP_MINUTE_ROWS="0")
    migrate(connected, settings, then=tenant_views.statements)
    for tenant in ("acme", "beta", "gamma"):
        row = {**_REQUEST, "tenant": ("LowCardinality(String)", tenant)}
        columns = [(name, kind) for name, (kind, _) in row.items()]
        connected.insert("requests_in", columns, [[value] for _, value in row.values()])
    yield connected
    for database in (tenant_views.database(connected), connected.database):
        connected.command(f"DROP DATABASE {database}")
    connected.close()


@pytest.fixture
def granted(deployed: Store) -> Grants:
    """Provide grants, of which there are none."""
    deployed.command("TRUNCATE TABLE _access")
    return Grants(deployed)


def seen(store: Store, call: str, tenant: str = "") -> set[str] | str:
    """The organizations in a view's answer, or `refused`."""
    database = tenant_views.database(store)
    try:
        rows = store.query(f"SELECT DISTINCT tenant FROM {database}.{call.format(tenant)}")
    except StoreRefused as error:
        return "refused" if tenant_views.NOT_YOURS in error.reason else error.reason
    return {tenant for (tenant,) in rows}


def test_nothing_granted_is_a_refusal(deployed: Store, granted: Grants) -> None:
    for tenant in ("", "acme", "*"):
        assert seen(deployed, LIVE, tenant) == "refused"
    with pytest.raises(StoreRefused, match="not one of yours"):
        deployed.query(f"SELECT * FROM {tenant_views.database(deployed)}.as_of")
    granted.grant("somebody else", Role.ADMIN, (ALL,), by="x")
    assert seen(deployed, LIVE) == "refused"


def test_of_one_organization_it_need_not_be_named(deployed: Store, granted: Grants) -> None:
    granted.grant(ME, Role.VIEWER, ("acme",), by="x")
    assert seen(deployed, LIVE) == {"acme"}
    assert seen(deployed, LIVE, "acme") == {"acme"}
    for tenant in ("beta", "nobody", "*", "ACME"):
        assert seen(deployed, LIVE, tenant) == "refused"
    assert deployed.query(f"SELECT count() FROM {tenant_views.database(deployed)}.as_of") == [(0,)]
    granted.revoke(ME, by="x")
    assert seen(deployed, LIVE, "acme") == "refused"


def test_of_two_one_must_be_chosen(deployed: Store, granted: Grants) -> None:
    granted.grant(ME, Role.VIEWER, ("acme", "beta"), by="x")
    assert seen(deployed, LIVE) == "refused"
    assert seen(deployed, LIVE, "acme") == {"acme"}
    assert seen(deployed, LIVE, "beta") == {"beta"}
    assert seen(deployed, LIVE, "gamma") == "refused"


def test_money_is_for_managers_of_that_organization(deployed: Store, granted: Grants) -> None:
    granted.grant(ME, Role.VIEWER, ("acme", "beta"), by="x")
    assert seen(deployed, MONEY, "acme") == "refused"
    granted.grant(ME, Role.MANAGER, ("beta",), by="x")
    assert seen(deployed, MONEY) == {"beta"}
    assert seen(deployed, MONEY, "acme") == "refused"
    granted.grant(ME, Role.ADMIN, ("acme",), by="x")
    assert seen(deployed, MONEY, "acme") == {"acme"}


def test_an_operator_sees_nobodys_usage(deployed: Store, granted: Grants) -> None:
    granted.grant(ME, Role.OPERATOR, (ALL,), by="x")
    assert seen(deployed, LIVE) == "refused"
    assert seen(deployed, LIVE, "acme") == "refused"


def test_all_is_what_was_granted_as_all_and_never_an_empty_name(
    deployed: Store, granted: Grants
) -> None:
    deployed.command(f"INSERT INTO _access (user, tenant, role) VALUES ('{ME}', '', 'admin')")
    assert seen(deployed, LIVE) == "refused"
    granted.grant(ME, Role.VIEWER, (ALL,), by="x")
    assert seen(deployed, LIVE) == {"acme", "beta", "gamma"}
    assert seen(deployed, LIVE, "gamma") == {"gamma"}
    assert seen(deployed, MONEY) == "refused"


def test_they_are_made_anew_where_the_views_changed_and_go_with_them(deployed: Store) -> None:
    def due() -> list[str]:
        return [one for one in tenant_views.statements(deployed) if "VIEW" in one]

    def changed() -> list[str]:
        return [one for one in due() if "live_windows" in one]

    assert due() == []
    [(before,)] = deployed.query(
        "SELECT create_table_query FROM system.tables "
        "WHERE database = {database:String} AND name = 'live_windows'",
        {"database": deployed.database},
    )
    comment = "L1\\nAnother sentence for it.\\nrequests requests"
    deployed.command(f"ALTER TABLE live_windows MODIFY COMMENT '{comment}'")
    assert due() == changed() != []
    for statement in due():
        deployed.command(statement)
    assert due() == []
    # Without its rows of the list of numbers, nobody may see it.
    deployed.command("ALTER TABLE live_windows MODIFY COMMENT ''")
    assert due() == [f"DROP VIEW IF EXISTS `{tenant_views.database(deployed)}`.`live_windows`"]
    for statement in due():
        deployed.command(statement)
    deployed.command(before.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1))
    for statement in due():
        deployed.command(statement)
    assert due() == []


def test_on_a_cluster_each_statement_goes_to_all_of_it(deployed: Store) -> None:
    statements = list(tenant_views.statements(deployed, "main", definer="o'ner"))
    assert len(statements) == 1 + len(
        deployed.query(f"SHOW TABLES FROM {tenant_views.database(deployed)}")
    )
    for statement in statements:
        assert " ON CLUSTER 'main'" in statement
    assert "DEFINER = `o'ner` SQL SECURITY DEFINER" in statements[1]
