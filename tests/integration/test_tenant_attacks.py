"""Whoever may write any SQL as a tenant's user sees their own organization, and of others nothing.

The tenant is a process of its own over the store's folder, whose user has just the grant and the
settings that `usage access sql-user` gives.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline.access import sql_user, tenant_views
from pipeline.access.decision import audience
from pipeline.access.roles import Role
from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema.migrate import migrate
from pipeline.views import catalogue
from pipeline.views.catalogue import View
from tests.support.contract.sql_attacks import (
    ARGUMENTS,
    FOREIGN,
    LOOKS,
    ODD_ARGUMENTS,
    ORACLES,
    OWN,
    REFUSED,
)
from tests.support.harness.clickhouse_parts import settings_for
from tests.support.harness.engine_as import Answer, Somebody, engine_as
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.view_store import fill
from tests.support.harness.view_world import ViewWorld, rows_in_memory
from tests.support.oracle.log import DEFINITIONS, Entry

ME = "acme"
ASKED = {
    "since": "'2024-02-01 00:00:00'",
    "until": "'2025-04-01 00:00:00'",
    "as_of": "'2025-01-01 00:05:00'",
    "months": "6",
    "periods": "3",
    "k": "10",
    "tz": "'Asia/Kolkata'",
    "grain": "'month'",
    "token": "''",
    "metric": "'by_model'",
    "property": "'model'",
}
BY_MODEL = Entry(
    DEFINITIONS,
    0,
    0,
    1_735_689_600_000,  # 2025-01-01
    {
        "specversion": "1.0",
        "id": "1",
        "source": "test",
        "type": "usage.metric_definition.v1",
        "subject": "*",
        "data": {
            "metric_id": "by_model",
            "name": "Requests",
            "interval_days": 90,
            "source": "requests",
        },
    },
)
GRANTED = ("usage_tenant", "open_lookup", "open_barrier", "usage")
GRANT = "GRANT SELECT ON usage_tenant.*"
_OTHERS = re.compile(rf"\b({'|'.join(FOREIGN)})\b")
_TABLES = re.compile(
    r"\b(requests|tasks|totals|users|outcomes|events|live)_(1m|15m|1d|1mo)\b|_keys"
)
_ORACLE = "billing_by_tenant"
_WORD = "zzz"  # an organization that is not there


@dataclass
class Prepared:
    """A store's folder with both databases, and what an administrator sees in it."""

    data: Path
    views: dict[str, View]
    due: dict[str, Answer] = field(default_factory=dict)
    """By view: its rows of `ME`."""

    def arguments(self, view: str) -> str:
        """All but the organization."""
        names = [one.name for one in self.views[view].parameters]
        return ", ".join(f"{name} = {ASKED[name]}" for name in names if name != "tenant")

    def call(self, view: str, tenant: str, database: str = "usage_tenant") -> str:
        """A view as it stands behind FROM; ``tenant``: an expression."""
        return f"{database}.{view}({self.arguments(view)}, tenant = {tenant})"

    def of(self, statement: str, view: str = _ORACLE) -> str:
        """A statement about a view of `ME`."""
        return statement.format(
            view=self.call(view, "''"), name=f"usage_tenant.{view}", arguments=self.arguments(view)
        )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Provide a filled store, stopped, whose second database's views read as `owner`."""
    folder = tmp_path_factory.mktemp("tenants")
    store = EmbeddedStore(folder)
    store.start()
    try:
        settings = settings_for(store.port, "usage", USAGE_KEEP_MINUTE_ROWS="0")
        client = Store.connect(settings)
        migrate(client, settings)
        fill(client, [*rows_in_memory(ViewWorld(1, 2).messages(1_000)), BY_MODEL])
        client.command(
            f"INSERT INTO _access (user, tenant, role) VALUES ('default', '{ME}', 'manager')"
        )
        views = {view.name: view for view in catalogue.read(client)}
        statements = list(tenant_views.statements(client, definer="owner"))
        client.close()
    finally:
        store.stop()
    prepared = Prepared(store.data, views)
    with engine_as(store.data, folder / "administrator") as administrator:
        for statement in (*statements, *without_guards(statements)):
            administrator.rows(statement)
        for name in own_views(views):
            call = prepared.call(name, f"'{ME}'", "usage")
            prepared.due[name] = administrator.rows(f"SELECT * FROM {call}")
    return prepared


def own_views(views: dict[str, View]) -> list[str]:
    """The views of one organization, by the list of numbers; not those of operators."""
    found = []
    for name, view in views.items():
        for_whom = audience(view)
        if for_whom and for_whom.role not in (None, Role.OPERATOR) and not for_whom.all_only:
            found.append(name)
    return found


def without_guards(statements: list[str]) -> list[str]:
    """The view of `_ORACLE` again, with one guard taken out in each of two databases."""
    [whole] = [one for one in statements if f"`usage_tenant`.`{_ORACLE}`" in one]
    variants = {
        "open_lookup": re.sub(
            r"WITH ifNull.*?AS _callers_tenant ",
            "WITH {tenant:String} AS _callers_tenant ",
            whole,
            flags=re.DOTALL,
        ),
        "open_barrier": whole.replace("LIMIT 1000000000000", ""),
    }
    made = []
    for database, statement in variants.items():
        assert statement != whole
        made += [f"CREATE DATABASE {database}", statement.replace("`usage_tenant`", database)]
    return made


@pytest.fixture(scope="module")
def tenant(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Somebody]:
    """Provide a tenant's user, as `usage access sql-user` makes one."""
    folder = tmp_path_factory.mktemp("tenant") / "process"
    with engine_as(prepared.data, folder, [GRANT], profile()) as somebody:
        yield somebody


@pytest.fixture(scope="module")
def open_tenant(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Somebody]:
    """Provide a user with more grants, and none of the settings' bounds."""
    folder = tmp_path_factory.mktemp("open")
    copy = shutil.copytree(prepared.data, folder / "store", symlinks=True)
    grants = [f"GRANT SELECT ON {one}.*" for one in GRANTED]
    with engine_as(copy, folder / "process", grants, "<readonly>2</readonly>") as somebody:
        yield somebody


def profile() -> str:
    """The settings of `usage access sql-user`, as ``users.xml`` has them."""
    values = "".join(
        f"<{one.name}>{one.value.strip(chr(39))}</{one.name}>" for one in sql_user.PROFILE
    )
    bounds = "".join(
        f"<{one.name}>"
        + (f"<min>{one.low}</min><max>{one.high}</max>" if one.low else "<const/>")
        + f"</{one.name}>"
        for one in sql_user.PROFILE
        if one.name != "readonly"
    )
    return f"{values}<constraints>{bounds}</constraints>"


def words_of_others(answer: Answer, statement: str) -> set[str]:
    """What an answer says of others, but for what the statement itself said."""
    return set(_OTHERS.findall(str(answer))) - set(_OTHERS.findall(statement))


def test_it_has_the_views_of_one_organization_and_no_others(
    prepared: Prepared, tenant: Somebody
) -> None:
    found = {name for (name,) in tenant.rows("SELECT name FROM system.tables")}
    assert found == {*own_views(prepared.views), "as_of"}
    assert tenant.rows("SELECT name FROM system.databases") == [["usage_tenant"]]
    assert len(tenant.rows("SELECT * FROM usage_tenant.as_of")) == 4


def test_every_view_answers_what_the_other_database_does(
    prepared: Prepared, tenant: Somebody
) -> None:
    seen = 0
    for name, due in prepared.due.items():
        for one in ("''", f"'{ME}'") if name == _ORACLE else ("''",):
            found = tenant.rows(f"SELECT * FROM {prepared.call(name, one)}")
            assert found == due, name
            assert not words_of_others(found, "")
        seen += bool(due)
    assert seen >= len(prepared.due) - 1  # of the world that is asked


def test_every_view_refuses_other_organizations_in_the_same_words(
    prepared: Prepared, tenant: Somebody
) -> None:
    for name in prepared.due:
        for argument in ARGUMENTS if name == _ORACLE else ARGUMENTS[:3]:
            statement = f"SELECT * FROM {prepared.call(name, argument)}"
            answer = tenant.ask(statement)
            assert isinstance(answer, str), f"{name}, {argument}"
            assert tenant_views.NOT_YOURS in answer
            if "beta" in argument:
                assert answer == tenant.ask(statement.replace("beta", _WORD))


@pytest.mark.parametrize("argument", ODD_ARGUMENTS)
def test_odd_arguments_are_refused_or_ones_own(
    prepared: Prepared, tenant: Somebody, argument: str
) -> None:
    statement = f"SELECT * FROM {prepared.call(_ORACLE, argument)}"
    answer = tenant.ask(statement)
    assert isinstance(answer, str) or answer == prepared.due[_ORACLE]
    assert not words_of_others(answer, statement)


@pytest.mark.parametrize("statement", REFUSED)
def test_refused(prepared: Prepared, tenant: Somebody, statement: str) -> None:
    answer = tenant.ask(prepared.of(statement))
    assert isinstance(answer, str), answer
    assert not words_of_others(answer, statement)


@pytest.mark.parametrize("statement", OWN)
def test_ones_own_or_refused(prepared: Prepared, tenant: Somebody, statement: str) -> None:
    answer = tenant.ask(prepared.of(statement))
    assert isinstance(answer, str) or same(answer, prepared.due[_ORACLE]), answer
    assert not words_of_others(answer, statement)


@pytest.mark.parametrize("statement", LOOKS)
def test_looking_around_tells_nothing(prepared: Prepared, tenant: Somebody, statement: str) -> None:
    answer = tenant.ask(prepared.of(statement))
    assert not words_of_others(answer, "")
    if isinstance(answer, list) and "usage_tenant." not in prepared.of(statement):
        assert not _TABLES.search(str(answer))


@pytest.mark.parametrize("statement", ORACLES)
def test_a_condition_meets_no_rows_of_others(
    prepared: Prepared, tenant: Somebody, statement: str
) -> None:
    there = tenant.ask(prepared.of(statement))
    not_there = tenant.ask(prepared.of(statement.replace("beta", _WORD)))
    assert str(there).replace("beta", _WORD) == str(not_there)


@pytest.mark.parametrize(
    "parameters", [{"tenant": "beta"}, {"asked": "beta"}, {"_callers_tenant": "beta"}]
)
def test_a_querys_parameters_are_not_the_views(
    prepared: Prepared, tenant: Somebody, parameters: dict[str, str]
) -> None:
    for one in ("''", f"'{ME}'"):
        answer = tenant.ask(f"SELECT * FROM {prepared.call(_ORACLE, one)}", **parameters)
        assert answer == prepared.due[_ORACLE]
    named = tenant.ask(f"SELECT * FROM {prepared.call(_ORACLE, '{tenant:String}')}", **parameters)
    assert isinstance(named, str)
    [name] = parameters
    for statement in (f"SET param_{name} = 'beta'", f"SELECT * FROM usage_tenant.{_ORACLE}"):
        answer = tenant.ask(statement)
        assert not words_of_others(answer, statement)
    assert (
        tenant.ask(f"SELECT * FROM {prepared.call(_ORACLE, chr(39) * 2)}")
        == (prepared.due[_ORACLE])
    )


class TestGuards:
    """Each guard taken out: the attack that it stops is seen to work, so the tests can fail."""

    def test_without_the_lookup_another_organization_is_seen(self, open_tenant: Somebody) -> None:
        assert words_of_others(open_tenant.rows(self._call("open_lookup", "'beta'")), "")
        assert len(words_of_others(open_tenant.rows(self._call("open_lookup", "''")), "")) > 3

    def test_without_the_barrier_a_condition_meets_others_rows(
        self, prepared: Prepared, open_tenant: Somebody
    ) -> None:
        def told(word: str, database: str) -> bool:
            call = prepared.call(_ORACLE, "''", database)
            return isinstance(
                open_tenant.ask(
                    f"SELECT count() FROM {call} WHERE throwIf(tenant = '{word}') = 0 "
                    "SETTINGS short_circuit_function_evaluation = 'disable'"
                ),
                str,
            )

        assert told("beta", "open_barrier")
        assert not told(_WORD, "open_barrier")
        assert not told("beta", "usage_tenant")

    def test_with_more_grants_the_tables_are_seen(self, open_tenant: Somebody) -> None:
        assert words_of_others(open_tenant.rows("SELECT tenant FROM usage.totals_15m"), "")

    @staticmethod
    def _call(database: str, tenant: str) -> str:
        arguments = f"since = {ASKED['since']}, until = {ASKED['until']}"
        return f"SELECT * FROM {database}.{_ORACLE}({arguments}, tenant = {tenant})"


def same(answer: Answer, due: Answer) -> bool:
    """Whether those are the rows, maybe with something of the statement's own beside."""
    return [row[-len(due[0]) :] for row in answer] == due if answer and due else answer == due
