"""Answers while they run: readers that leave, a store that goes, too many questions, the end."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.access.keys import StoredKeys
from pipeline.access.roles import ALL, Role
from pipeline.api import limits
from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema.migrate import migrate
from tests.support.harness.api import Client, Served, served
from tests.support.harness.clickhouse_parts import new_database, settings_for
from tests.support.harness.process import Process, usage
from tests.support.harness.proxy import Mode, Proxy
from tests.support.harness.store import EmbeddedStore, url_at
from tests.support.harness.waiting import until

COMMENT = "COMMENT 'D3\nA view of this test.\nrequests requests'"
VIEWS = (
    (
        "CREATE VIEW large AS SELECT concat('name-', toString(number % 997)) AS name, "
        "number AS requests FROM numbers({k:UInt32} * 1000) "
        f"WHERE {{tenant:String}} = {{tenant:String}} {COMMENT}"
    ),
    (
        "CREATE VIEW slow AS SELECT sum(sleepEachRow(0.05) + number) AS requests "
        "FROM (SELECT number FROM numbers({k:UInt32}) SETTINGS max_block_size = 10) "
        f"WHERE {{tenant:String}} = {{tenant:String}} {COMMENT}"
    ),
)


@pytest.fixture(scope="module")
def tables(store: EmbeddedStore) -> Iterator[Store]:
    """Provide the tables, and two views that take long."""
    connected = new_database(store.port)
    migrate(connected, settings_for(store.port, connected.database))
    for view in VIEWS:
        connected.command(view)
    yield connected
    connected.command(f"DROP DATABASE {connected.database}")
    connected.close()


@contextlib.contextmanager
def api_at(port: int, tables: Store, **settings: str) -> Iterator[Served]:
    configured = settings_for(port, tables.database, USAGE_API_PORT="0", **settings)
    with served(configured, tables) as api:
        yield api


@pytest.fixture
def api(tables: Store, store: EmbeddedStore) -> Iterator[Served]:
    """Provide an API over them."""
    with api_at(store.port, tables) as served_api:
        yield served_api


def asked(api: Client, path: str, who: str, version: str = "HTTP/1.1", *more: str) -> socket.socket:
    """Send a question and read nothing."""
    connection = socket.create_connection(("127.0.0.1", api.port), 60)
    headers = ("Host: 127.0.0.1", f"Authorization: Bearer {who}", "Connection: close", *more)
    connection.sendall("\r\n".join((f"GET {path} {version}", *headers, "", "")).encode())
    return connection


def running(tables: Store) -> int:
    [(found,)] = tables.query(
        "SELECT count() FROM system.processes WHERE current_database = currentDatabase() "
        "AND (query LIKE '%name-%' OR query LIKE '%sleepEachRow%') AND query NOT LIKE '%processes%'"
    )
    return int(found)


@pytest.mark.parametrize("path", ["/v1/views/large?k=60000&format=csv", "/v1/views/slow?k=1000"])
def test_a_reader_that_leaves_ends_its_query(api: Served, tables: Store, path: str) -> None:
    who = api.let(Role.VIEWER, ALL)
    connection = asked(api, path, who)
    if "large" in path:
        assert connection.recv(1000)
    until(lambda: running(tables) == 1, within=60, what="the query")
    connection.close()
    until(lambda: running(tables) == 0, within=60, what="the query's end")
    until(lambda: api.metric("usage_api_queries_in_flight") == 0, within=60, what="its slot")


def test_a_slow_reader_does_not_fill_the_memory(api: Served) -> None:
    who = api.let(Role.VIEWER, ALL)
    for form in ("csv", "ndjson", "parquet", "xlsx"):
        before = resident()
        with asked(api, f"/v1/views/large?k=4000&format={form}", who) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            assert connection.recv(1000)
            grown = [resident() - before for _ in range(20) if connection.recv(1000)]
        assert max(grown) < 100, form


def resident() -> float:
    """This process' memory, in MB: the API is in it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("form", ["csv", "json", "ndjson", "xlsx"])
def test_a_store_that_goes_never_leaves_what_looks_whole(
    tables: Store, store: EmbeddedStore, form: str, version: str
) -> None:
    with Proxy(store.port) as proxy, api_at(proxy.port, tables) as api:
        who = api.let(Role.VIEWER, ALL)
        path = f"/v1/views/large?k=3000&format={form}&limit=1000000"
        with asked(api, path, who, version) as connection:
            read = len(connection.recv(1 << 16))
            assert read
            proxy.set(Mode.REFUSE)
            if version == "HTTP/1.0":
                with pytest.raises(ConnectionResetError):
                    drain(connection)
            else:
                body = whatever(connection)
                assert not body.endswith(b"0\r\n\r\n")
        until(
            lambda: api.metric(
                "usage_api_requests_total", endpoint="view", format=form, status="broken"
            ),
            within=60,
            what="the count of what broke off",
        )


def drain(connection: socket.socket) -> None:
    while connection.recv(1 << 20):
        pass


def whatever(connection: socket.socket) -> bytes:
    body = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 20):
            body = (body + piece)[-100:]
    return body


def test_a_store_that_is_away_is_503(tables: Store, store: EmbeddedStore) -> None:
    with Proxy(store.port) as proxy, api_at(proxy.port, tables) as api:
        who = api.let(Role.VIEWER, ALL)
        assert api.get("/readyz").status == 200
        proxy.set(Mode.REFUSE)
        until(lambda: api.get("/readyz").status == 503, within=60, what="not ready")
        away = api.view("large", {"k": "1"}, who=who)
        assert away.status == 503
        assert int(away.headers["Retry-After"]) > 0
        assert str(proxy.port) not in away.body.decode()
        assert api.get("/healthz").status == 200
        proxy.set(Mode.PASS)
        until(lambda: api.get("/readyz").status == 200, within=60, what="ready again")
        assert api.view("large", {"k": "1"}, who=who).status == 200


def test_too_many_requests_in_a_minute(
    tables: Store, store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = time.time() // 60 * 60 + 30  # they are counted by minutes of the clock
    monkeypatch.setattr("limits.storage.memory.time", SimpleNamespace(time=lambda: at))
    with api_at(store.port, tables, USAGE_API_REQUESTS_PER_MINUTE="30") as api:
        who, other = api.let(Role.VIEWER, "acme"), api.let(Role.VIEWER, "beta")
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: api.get("/v1/me", who=who), range(60)))
        assert [answer.status for answer in answers].count(200) == 30
        refused = next(answer for answer in answers if answer.status == 429)
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert refused.headers["RateLimit-Policy"] == '"default";q=30;w=60'
        assert refused.headers["RateLimit"].startswith('"default";r=0;t=')
        assert refused.json["reason"] == "rate"
        assert api.get("/v1/me", who=other).status == 200
        assert api.get("/readyz").status == 200


def test_four_queries_of_a_caller_at_once(api: Served) -> None:
    who, other = api.let(Role.VIEWER, ALL), api.let(Role.MANAGER, ALL)
    with contextlib.ExitStack() as open_ones:
        for _ in range(4):
            open_ones.enter_context(asked(api, "/v1/views/slow?k=1000", who))
        until(lambda: api.metric("usage_api_queries_in_flight") == 4, within=60, what="four")
        refused = api.view("large", {"k": "1"}, who=who)
        assert (refused.status, refused.json["reason"]) == (429, "busy")
        assert refused.headers["Retry-After"] == "1"
        assert api.view("large", {"k": "1"}, who=other).status == 200
        assert api.get("/v1/me", who=who).status == 200
    until(lambda: api.metric("usage_api_queries_in_flight") == 0, within=60, what="their end")
    assert api.view("large", {"k": "1"}, who=who).status == 200


def test_more_queries_than_at_once_wait_for_each_other(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WAIT_SECONDS", 60.0)
    who = api.let(Role.VIEWER, ALL)
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda _: api.view("large", {"k": "1"}, who=who), range(12)))
    assert {answer.status for answer in answers} == {200}


def counted(tables: Store, offset: int) -> None:
    """Have a chunk counted."""
    tables.command(
        "INSERT INTO chunks (topic, partition, incarnation, from_offset, to_offset, kind) "
        f"VALUES ('t', 0, 'i', {offset}, {offset + 1}, 'chunk')"
    )


def test_live_says_when_something_newer_can_be_seen(api: Served, tables: Store) -> None:
    who = api.let(Role.VIEWER, "acme")
    with asked(api, "/v1/live", who) as connection:
        stream = connection.makefile("rb")
        head = read_until(stream, b"event: ")
        assert head == b"as_of"
        counted(tables, 0)
        assert read_until(stream, b"event: ") == b"fresh"
        identity = read_until(stream, b"data: ")
        assert identity.startswith(b"[")
        assert api.metric("usage_api_live_readers") == 1
        # A key that ends, ends its stream.
        api.named.callers.pop(who)
        while stream.readline():
            pass
        stream.close()
    until(lambda: api.metric("usage_api_live_readers") == 0, within=60, what="its end")
    again = api.let(Role.VIEWER, "acme")
    with (
        asked(api, "/v1/live", again, "HTTP/1.1", "Last-Event-ID: 0") as connection,
        connection.makefile("rb") as stream,
    ):
        assert read_until(stream, b"event: ") == b"fresh"


def read_until(stream: object, beginning: bytes) -> bytes:
    while line := stream.readline():  # type: ignore[attr-defined]
        if line.startswith(beginning):
            return bytes(line.removeprefix(beginning).strip())
    raise AssertionError(f"the stream ended before {beginning!r}")


def process(tables: Store, store: EmbeddedStore, folder: Path) -> tuple[Process, Client, str]:
    """Start `usage api` with a key in the store."""
    _, key = StoredKeys(tables).create(Role.VIEWER, (ALL,), by="test")
    environment = {"USAGE_CLICKHOUSE": url_at(store.port, tables.database)}
    started = usage("api", "api", "--port", "0", environment=environment, folder=folder)
    started.await_output("api ready: ")
    port = int(started.output().split("api ready: http://127.0.0.1:")[1].split()[0])
    return started, Client(port), key


def test_the_end_lets_answers_come_to_theirs(
    tables: Store, store: EmbeddedStore, tmp_path: Path
) -> None:
    started, client, key = process(tables, store, tmp_path)
    connection = http.client.HTTPConnection("127.0.0.1", client.port)
    connection.request(
        "GET", "/v1/views/large?k=1000&format=csv", headers={"Authorization": f"Bearer {key}"}
    )
    answer = connection.getresponse()
    rows = answer.read(1 << 16).count(b"\n")
    live = asked(client, "/v1/live", key)
    assert live.recv(100)
    ended = threading.Thread(target=started.terminate)
    ended.start()

    def refused() -> bool:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", client.port), 5).close()
            return False
        return True

    until(refused, within=60, what="no new connection")
    while piece := answer.read(1 << 20):
        rows += piece.count(b"\n")
    assert rows == 1_000_000 + 1
    ended.join(60)
    assert started.exit_code == 0, started.tail()
    live.close()
    connection.close()
    assert key not in started.output()
    assert key.split("_")[1] in started.output()


def test_keys_and_their_end_are_in_force_in_every_process(
    tables: Store, store: EmbeddedStore, tmp_path: Path
) -> None:
    started = [process(tables, store, folder) for folder in folders(tmp_path, 3)]
    keys = StoredKeys(tables)
    made, text = keys.create(Role.VIEWER, ("acme",), by="test")

    def statuses() -> set[int]:
        return {client.get("/v1/me", who=text).status for _, client, _ in started}

    until(lambda: statuses() == {200}, within=60, what="the key in every process")
    assert keys.revoke(made.id)
    until(lambda: statuses() == {401}, within=60, what="its end in every process")
    for one, _, _ in started:
        assert one.terminate() == 0


def folders(folder: Path, count: int) -> list[Path]:
    found = [folder / str(number) for number in range(count)]
    for one in found:
        one.mkdir()
    return found
