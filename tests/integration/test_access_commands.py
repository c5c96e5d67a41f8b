"""`usage access` and `usage key` as somebody types them: what is printed where, and exit codes."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from pipeline.access import sql_user
from pipeline.cli.main import main
from pipeline.clickhouse.client import Store
from tests.support.harness.store import EmbeddedStore, url_at


class Done(NamedTuple):
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


Usage = Callable[..., Done]


@pytest.fixture
def usage(
    tables: Store,
    store: EmbeddedStore,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Usage:
    """Provide the command line, in this process, over tables in which nothing is granted."""
    for table in ("_access", "_keys", "_key_uses"):
        tables.command(f"TRUNCATE TABLE {table}")
    for name in [name for name in os.environ if name.startswith("USAGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("USAGE_CLICKHOUSE", url_at(store.port, tables.database))

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["usage", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, *capsys.readouterr())

    return run


def test_grants_are_given_listed_and_taken_away(usage: Usage) -> None:
    assert "nobody may see anything" in usage("access", "list").stdout
    done = usage("access", "grant", "ada", "--role", "manager", "--scope", "globex, acme")
    assert (done.returncode, done.stdout) == (0, "ada is manager of acme, globex\n")
    assert usage("access", "grant", "bob", "*", "operator").returncode == 0
    listed = json.loads(usage("access", "list", "--json").stdout)
    assert [(one["user"], one["tenant"], one["role"], one["by"]) for one in listed] == [
        ("ada", "acme", "manager", "command line"),
        ("ada", "globex", "manager", "command line"),
        ("bob", "*", "operator", "command line"),
    ]
    assert "globex" in usage("access", "list", "ada").stdout
    taken = usage("access", "revoke", "ada", "acme")
    assert (taken.returncode, taken.stdout) == (0, "ada is no longer manager of acme\n")
    again = usage("access", "revoke", "ada", "acme")
    assert again.returncode == 1
    assert "`usage access list` shows what is" in again.stderr
    assert usage("access", "revoke", "ada").returncode == 0
    assert len(json.loads(usage("access", "list", "--json").stdout)) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["access", "grant", "ada"], 2, "name the organizations with --scope"),
        (["access", "grant", "ada", "acme", "boss"], 2, "'boss' is not one of"),
        (
            ["access", "grant", "ada", "acme", "viewer", "--scope", "beta"],
            2,
            "arguments say 'acme'",
        ),
        (["access", "grant", "key:1", "acme", "viewer"], 64, "can be no user"),
        (["access", "grant", "ada", "acme", "operator"], 64, "an operator's scope is '*'"),
        (["key", "create", "--role", "viewer", "--scope", ","], 64, "the scope '' is none"),
        (["key", "create", "--role", "viewer", "--scope", "a", "--expires", "soon"], 64, "90d"),
        (["key", "create", "--role", "viewer"], 2, "Missing option '--scope'"),
        (["key", "revoke", "0123456789ab"], 1, "`usage key list` shows them"),
    ],
)
def test_what_cannot_be_is_said(usage: Usage, arguments: list[str], code: int, said: str) -> None:
    done = usage(*arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_is_printed_once_alone_on_its_line(usage: Usage) -> None:
    done = usage(
        *("key", "create", "--role", "manager", "--scope", "acme", "--expires", "90d"),
        *("--name", "month's end"),
    )
    assert done.returncode == 0
    match = re.fullmatch(r"usage_([0-9a-f]{12})_([0-9a-f]{64})\n", done.stdout)
    assert match
    assert "shown this once" in done.stderr
    listed = usage("key", "list", "--json")
    assert match[2] not in listed.stdout + done.stderr
    [key] = json.loads(listed.stdout)
    assert (key["id"], key["name"], key["role"], key["scope"]) == (
        *(match[1], "month's end", "manager"),
        ["acme"],
    )
    assert (key["last_used"], key["created_by"]) == (None, "command line")
    ended = usage("key", "revoke", match[1])
    assert (ended.returncode, ended.stdout) == (0, f"key {match[1]} is revoked\n")
    assert "there is no key" in usage("key", "list").stdout


def test_a_user_of_clickhouses_is_printed(usage: Usage, tables: Store) -> None:
    done = usage("access", "sql-user", "o'brien")
    assert done.returncode == 0
    statements = done.stdout.strip().removesuffix(";").split(";\n")
    assert len(statements) == 4
    password = re.search(r"shown this once: (\S+)", done.stderr)
    assert password
    assert password[1] not in done.stdout
    assert "nothing is granted to o'brien yet" in done.stderr
    database = f"`{tables.database}_tenant`"
    assert statements[3] == f"GRANT SELECT ON {database}.* TO `o'brien`"
    assert "readonly = 2 CONST" in statements[0]
    assert "max_execution_time = 60 MIN 1 MAX 120" in statements[0]
    run = usage("access", "sql-user", "o'brien", "--run")
    assert run.returncode == 76
    assert "the embedded store has none" in run.stderr


def test_the_statements_are_clickhouses_and_bound_every_setting(tables: Store) -> None:
    for statement in sql_user.statements('a"b', "password", "usage_tenant", "main"):
        assert "ON CLUSTER 'main'" in statement
        text = statement.replace("\\", "\\\\").replace("'", "\\'")
        tables.query(f"SELECT formatQuery('{text}')")
    names = [one.name for one in sql_user.PROFILE]
    assert len(set(names)) == len(names)
    known = tables.query(
        "SELECT count() FROM system.settings WHERE name IN {names:Array(String)}", {"names": names}
    )
    assert known == [(len(names),)]
    assert not [one for one in sql_user.PROFILE if one.low == "0"]  # 0 would be no bound
