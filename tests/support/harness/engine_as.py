"""The embedded engine as somebody: a process over a stopped store's folder, with its own grants.

chDB has one user, ``default``, but what a ``users.xml`` says of it is enforced: grants, settings
and their bounds, quotas. So a tenant is a process whose ``default`` has the grants of a tenant;
``owner`` is beside it for views that read as their owner. Run as a program it answers statements,
a line of JSON each.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from tests.support.harness.process import clean_environment

EVERYTHING = ("GRANT ALL ON *.* WITH GRANT OPTION",)

_USER = """<{name}><password>{password}</password><networks><ip>::/0</ip></networks>
<profile>{profile}</profile><quota>default</quota><grants>{grants}</grants></{name}>"""
_USERS = """<clickhouse><users>{users}</users>
<profiles><default>{profile}</default><owner/></profiles>
<quotas><default>{quota}</default></quotas></clickhouse>"""
_CONFIG = """<clickhouse><user_directories><users_xml><path>{path}</path></users_xml>
</user_directories>{more}</clickhouse>"""

Answer = list[list[Any]] | str
"""Rows, or what the engine said instead."""


class Somebody:
    """A process that asks the engine as one user."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, sql: str, **parameters: str) -> Answer:
        """What a statement is answered: its rows, or the error as a text."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([sql, parameters]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the engine ended at: {sql}"
        answer: Answer = json.loads(line)
        return answer

    def rows(self, sql: str, **parameters: str) -> list[list[Any]]:
        """The rows of a statement that must be answered."""
        answer = self.ask(sql, **parameters)
        assert isinstance(answer, list), f"{sql}: {answer}"
        return answer


@contextmanager
def engine_as(
    store: Path,
    folder: Path,
    grants: Sequence[str] = EVERYTHING,
    profile: str = "",
    quota: str = "",
    config: str = "",
) -> Iterator[Somebody]:
    """Ask the engine of a stopped store, or of a new one, as a user with those grants.

    Args:
        store: the store's folder.
        folder: for configuration, made if it is not there; nothing else may be in it, for the
            engine also reads what lies in the folder in which it is started.
        grants: statements.
        profile: settings and constraints, as elements of ``users.xml``.
        quota: likewise.
        config: elements of ``config.xml``.
    """
    folder.mkdir(parents=True)
    users = _user("default", "", "default", grants) + _user("owner", "x", "owner", EVERYTHING)
    (folder / "u.xml").write_text(_USERS.format(users=users, profile=profile, quota=quota))
    (folder / "c.xml").write_text(_CONFIG.format(path=folder / "u.xml", more=config))
    (empty := folder / "empty").mkdir()
    process = subprocess.Popen(
        [sys.executable, __file__, f"{store / 'engine'}?config-file={folder / 'c.xml'}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=empty,
        env=clean_environment() | {"PYTHONPATH": str(Path(__file__).parents[3])},
    )
    with process:
        try:
            yield Somebody(process)
        finally:
            assert process.stdin is not None
            if config:  # with replicas, which it never starts, it would not end
                process.kill()
            process.stdin.close()
            process.wait(60)


def _user(name: str, password: str, profile: str, grants: Sequence[str]) -> str:
    given = "".join(f"<query>{escape(one)}</query>" for one in grants)
    return _USER.format(name=name, password=password, profile=profile, grants=given)


def _main(where: str) -> None:
    import chdb

    connect: Callable[[str], Any] = chdb.connect
    first = connection = connect(where)  # the engine ends with its last connection
    for line in sys.stdin:
        sql, parameters = json.loads(line)
        try:
            result = connection.query(sql, "JSONCompactEachRow", params=parameters)
            answer: Answer = [json.loads(row) for row in bytes(result.bytes()).splitlines()]
        except (RuntimeError, ValueError) as error:
            answer = " ".join(str(error).split())
            # Rows that came before an error would stand before the next answer of the connection.
            connection = connect(where)
        print(json.dumps(answer), flush=True)
    first.close()


if __name__ == "__main__":
    _main(sys.argv[1])
