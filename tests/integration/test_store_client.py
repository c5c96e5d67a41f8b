"""The client against a real store, through a proxy that refuses, hangs and cuts."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.clickhouse import client
from pipeline.clickhouse.client import Store
from pipeline.errors import StoreRefused, StoreUnavailable
from pipeline.settings import load
from tests.support.harness.clickhouse_parts import Chain, new_database, rows, settings_for
from tests.support.harness.process import free_port
from tests.support.harness.proxy import Mode, Proxy
from tests.support.harness.store import EmbeddedStore

TLS = Path(__file__).parent / "tls"


@pytest.fixture
def proxy(store: EmbeddedStore) -> Iterator[Proxy]:
    """Provide a way to the store that can be broken."""
    with Proxy(store.port) as proxy:
        yield proxy


@pytest.fixture
def behind(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Provide a database reached through the proxy, by a client that waits a few seconds."""
    monkeypatch.setattr(client, "READ_SECONDS", 5)
    return new_database(proxy.port)


def test_a_store_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1"):
        Store.connect(settings_for(free_port(), "x"))


def test_a_store_that_does_not_speak_http_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail.example.com ESMTP\r\n")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(StoreUnavailable):
            Store.connect(settings_for(server.getsockname()[1], "x"))


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.HANG, Mode.LOSE_ANSWERS])
def test_a_broken_connection_is_unavailable_and_the_next_attempt_heals(
    proxy: Proxy, behind: Store, mode: Mode
) -> None:
    chain = Chain(behind)
    with proxy.during(mode):
        with pytest.raises(StoreUnavailable):
            chain.insert(rows(1_000), "t")
        with pytest.raises(StoreUnavailable):
            behind.query("SELECT 1")
    chain.insert(rows(1_000), "t")
    assert chain.sums() == (1_000, 1_000)


def test_no_insert_is_sent_twice_by_the_driver_itself(proxy: Proxy, behind: Store) -> None:
    behind.command("CREATE TABLE plain (x UInt8) ENGINE = MergeTree ORDER BY x")
    with proxy.during(Mode.LOSE_ANSWERS), pytest.raises(StoreUnavailable):
        behind.insert("plain", [("x", "UInt8")], [[1]])
    assert proxy.lost_answers == 1
    assert behind.query("SELECT count() FROM plain") == [(1,)]


def test_what_is_wrong_with_the_request_is_refused(store: EmbeddedStore) -> None:
    database = new_database(store.port)
    database.command("CREATE TABLE plain (x UInt8) ENGINE = MergeTree ORDER BY x")
    for columns, data in (
        ([("y", "UInt8")], [[1]]),
        ([("x", "UInt8")], [["text"]]),
        ([("x", "UInt8")], [[300]]),
        ([("x", "UInt8"), ("x", "UInt8")], [[1], [1, 2]]),
    ):
        with pytest.raises(StoreRefused):
            database.insert("plain", columns, data)
    with pytest.raises(StoreRefused) as refused:
        database.insert("nowhere", [("x", "UInt8")], [[1]])
    assert refused.value.code == 60
    assert database.query("SELECT count() FROM plain") == [(0,)]


def test_parameters_are_bound_and_times_are_aware(store: EmbeddedStore) -> None:
    database = new_database(store.port)
    rows = database.query(
        "SELECT {a:String}, {b:UInt64}, toDateTime({c:UInt32}, 'UTC')",
        {"a": "it's; {b:UInt64}", "b": 2**63, "c": 0},
        consistent=True,
    )
    assert rows == [("it's; {b:UInt64}", 2**63, datetime(1970, 1, 1, tzinfo=UTC))]


def test_many_threads_share_one_store(store: EmbeddedStore) -> None:
    database = new_database(store.port)
    with ThreadPoolExecutor(24) as pool:
        found = pool.map(lambda n: database.query("SELECT {n:UInt32}", {"n": n})[0][0], range(200))
        assert list(found) == list(range(200))


def test_compressed_inserts_are_the_same(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = Chain(new_database(store.port))
    chain.insert(rows(1_000, months=3), "t")
    monkeypatch.setattr(client, "is_loopback", lambda _host: False)
    elsewhere = Store.connect(settings_for(store.port, chain.store.database))
    again = Chain.__new__(Chain)
    again.store = elsewhere
    again.insert(rows(1_000, months=3), "t")
    assert chain.sums() == (1_000, 1_000)
    again.insert(rows(1_000, months=3), "u")
    assert chain.sums() == (2_000, 2_000)


class TestTls:
    @pytest.fixture
    def port(self, store: EmbeddedStore) -> Iterator[int]:
        """Provide the store behind TLS, its certificate vouched for by nobody but itself."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(TLS / "server.pem", TLS / "server.key")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(
                target=_serve, args=(listener, context, store.port), daemon=True
            ).start()
            yield listener.getsockname()[1]

    def test_its_certificate_is_trusted_where_the_settings_say_so(self, port: int) -> None:
        url = f"https://default:secret@127.0.0.1:{port}/default"
        trusting = Store.connect(
            load({"USAGE_CLICKHOUSE": url, "USAGE_CLICKHOUSE_CA": str(TLS / "server.pem")})
        )
        assert trusting.query("SELECT 1") == [(1,)]
        trusting.close()

    def test_otherwise_it_is_not_and_the_password_is_not_shown(self, port: int) -> None:
        url = f"https://default:secret@127.0.0.1:{port}/default"
        with pytest.raises(StoreUnavailable, match="CERTIFICATE_VERIFY_FAILED") as refused:
            Store.connect(load({"USAGE_CLICKHOUSE": url}))
        assert "secret" not in str(refused.value)


def _serve(listener: socket.socket, context: ssl.SSLContext, target: int) -> None:
    """End TLS, and pass each connection on."""
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_pass_on, args=(plain, context, target), daemon=True).start()


def _pass_on(plain: socket.socket, context: ssl.SSLContext, target: int) -> None:
    with (
        contextlib.suppress(OSError),
        context.wrap_socket(plain, server_side=True) as client_side,
        socket.create_connection(("127.0.0.1", target)) as server_side,
    ):
        while True:
            ways = (client_side, server_side)
            ready = [client_side] if client_side.pending() else select.select(ways, [], [])[0]
            for one, other in (ways, ways[::-1]):
                if one in ready:
                    if not (piece := one.recv(1 << 20)):
                        return
                    other.sendall(piece)
