"""The embedded store in its own process, through clickhouse-connect and plain HTTP."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import clickhouse_connect
import cramjam
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, StreamFailureError

from tests.support.harness.store import EmbeddedStore
from tests.support.harness.waiting import until

ONCE = {
    "insert_deduplicate": 1,
    "deduplicate_insert": "enable",
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "async_insert": 0,
    "materialized_views_ignore_errors": 0,
}
ENDLESS = "SELECT number FROM numbers(1000000000000)"


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def code(self) -> int:
        return int(self.headers.get("X-ClickHouse-Exception-Code") or 0)


def connection(store: EmbeddedStore) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", store.port, timeout=30)


def ask(
    store: EmbeddedStore,
    sql: str | bytes = b"",
    *,
    method: str = "POST",
    headers: dict[str, str] | None = None,
    **options: str,
) -> Answer:
    with closing(connection(store)) as http_connection:
        body = sql.encode() if isinstance(sql, str) else sql
        http_connection.request(method, f"/?{urlencode(options)}", body, headers or {})
        return Answer(http_connection.getresponse())


def client(store: EmbeddedStore, **options: Any) -> Client:
    return clickhouse_connect.get_client(
        host="127.0.0.1",
        port=store.port,
        autogenerate_session_id=False,
        **{"database": "default", **options},
    )


@pytest.fixture
def database(store: EmbeddedStore, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"store_{abs(hash(request.node.name))}"
    assert ask(store, f"CREATE DATABASE {name}").status == 200
    yield name
    ask(store, f"DROP DATABASE {name} SYNC")


def chain(store: EmbeddedStore, database: str) -> None:
    """A Null head whose two views fill two tables, as the pipeline's do."""
    window = "SETTINGS non_replicated_deduplication_window = 1000"
    for sql in (
        "CREATE TABLE head (k UInt64, v UInt64) ENGINE = Null",
        f"CREATE TABLE a (k UInt64, v UInt64) ENGINE = SummingMergeTree ORDER BY k {window}",
        f"CREATE TABLE b (k UInt64, v UInt64) ENGINE = SummingMergeTree ORDER BY k {window}",
        "CREATE MATERIALIZED VIEW to_a TO a AS SELECT k, sum(v) AS v FROM head GROUP BY k",
        "CREATE MATERIALIZED VIEW to_b TO b AS SELECT k % 3 AS k, sum(v) AS v FROM head GROUP BY k",
    ):
        answer = ask(store, sql, database=database)
        assert answer.status == 200, answer.text


def insert(target: Client, rows: int, token: str) -> None:
    target.insert(
        "head",
        [list(range(rows)), [1] * rows],
        column_names=["k", "v"],
        column_type_names=["UInt64", "UInt64"],
        column_oriented=True,
        settings={**ONCE, "insert_deduplication_token": token},
    )


def number(store: EmbeddedStore, sql: str, **options: Any) -> int:
    answer = ask(store, sql, **options)
    assert answer.status == 200, answer.text
    return int(answer.text)


def memory_kib(store: EmbeddedStore) -> int:
    status = Path(f"/proc/{store.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


# --- answers ------------------------------------------------------------------------------------


def test_it_says_that_it_is_up(store: EmbeddedStore) -> None:
    assert ask(store, method="GET").text == "Ok.\n"
    assert ask(store, method="HEAD").status == 200
    with closing(connection(store)) as http_connection:
        http_connection.request("GET", "/ping")
        assert Answer(http_connection.getresponse()).text == "Ok.\n"


def test_what_has_no_answer_names_no_format(store: EmbeddedStore) -> None:
    for sql in ("SET max_threads = 1", "CREATE DATABASE IF NOT EXISTS default"):
        answer = ask(store, sql, query_id="mine")
        assert (answer.body, answer.headers.get("X-ClickHouse-Format")) == (b"", None)
        assert answer.headers["X-ClickHouse-Query-Id"] == "mine"
    for sql in ("SELECT 1 WHERE 0", "SHOW TABLES FROM information_schema LIKE 'no'"):
        answer = ask(store, sql)
        assert (answer.body, answer.headers["X-ClickHouse-Format"]) == (b"", "TabSeparated")
    assert "query_id" in (client(store).query("SET max_threads = 1").first_item or {})
    summary: Any = client(store).command("DROP TABLE IF EXISTS nowhere")
    assert summary.query_id()


@pytest.mark.parametrize(
    ("sql", "column"),
    [
        ("SHOW CREATE DATABASE default", "statement"),
        ("EXISTS TABLE nowhere; -- end", "result"),
        ("DESCRIBE (SELECT 1 AS a)", "name"),
        ("EXPLAIN SELECT 1 /* end */", "explain"),
        ("SELECT 1 AS a; -- end", "a"),
    ],
)
def test_commands_answer_in_columns(store: EmbeddedStore, sql: str, column: str) -> None:
    assert column in client(store).query(sql).column_names
    with client(store).query_rows_stream(sql) as rows:
        assert list(rows) is not None


def test_curl_gets_an_answer(store: EmbeddedStore) -> None:
    url = f"http://127.0.0.1:{store.port}/?query=SELECT%201%2B1"
    answer = subprocess.run(["curl", "-sS", url], capture_output=True, text=True)
    assert answer.stdout == "2\n", answer.stderr
    answer = subprocess.run(
        ["curl", "-sS", url.partition("?")[0], "-d", "SELECT 'x' AS a FORMAT JSONEachRow"],
        capture_output=True,
        text=True,
    )
    assert json.loads(answer.stdout) == {"a": "x"}, answer.stderr


def test_the_answer_is_described(store: EmbeddedStore) -> None:
    answer = ask(store, "SELECT number FROM numbers(7)", query_id="mine", default_format="JSON")
    assert answer.headers["X-ClickHouse-Query-Id"] == "mine"
    assert answer.headers["X-ClickHouse-Format"] == "JSON"
    assert answer.headers["Content-Type"].startswith("application/json")
    assert json.loads(answer.headers["X-ClickHouse-Summary"])["read_rows"] == "7"
    assert json.loads(answer.text)["rows"] == 7


@pytest.mark.parametrize(
    ("where", "value"), [("option", "CSVWithNames"), ("header", "CSVWithNames"), ("sql", "CSV")]
)
def test_the_format_comes_from_the_query_the_option_or_the_header(
    store: EmbeddedStore, where: str, value: str
) -> None:
    sql = "SELECT 1 AS a" + (" FORMAT CSV SETTINGS max_threads = 1" if where == "sql" else "")
    headers = {"X-ClickHouse-Format": "CSVWithNames"} if where != "option" else {}
    options: dict[str, Any] = {"default_format": "CSVWithNames"} if where == "option" else {}
    answer = ask(store, sql, headers=headers, **options)
    assert answer.text == ("1\n" if where == "sql" else '"a"\n1\n')
    assert answer.headers["X-ClickHouse-Format"] == value


def test_the_url_and_the_body_are_one_query(store: EmbeddedStore) -> None:
    assert ask(store, "+ 2", query="SELECT 1").text == "3\n"


def test_parameters_arrive_as_they_are(store: EmbeddedStore) -> None:
    given = {
        "s": 'it\'s\t"x" \\ \n– {a:b}; --',
        "a": ["x'y", ""],
        "d": dt.date(2024, 2, 29),
        "t": dt.datetime(2024, 2, 29, 23, 59, 59),  # noqa: DTZ001 - as the client gives it
        "n": None,
        "m": Decimal("12.340000001"),
        "u": 2**64 - 1,
    }
    sql = (
        "SELECT {s:String}, {a:Array(String)}, {d:Date}, {t:DateTime('UTC')}, "
        "{n:Nullable(String)}, {m:Decimal(38, 9)}, {u:UInt64}"
    )
    assert client(store).query(sql, parameters=given).result_rows == [tuple(given.values())]


def test_a_client_may_send_a_form(store: EmbeddedStore) -> None:
    form = client(store, form_encode_query_params=True)
    assert form.query("SELECT {x:String}", parameters={"x": "é'"}).result_rows == [("é'",)]


def test_settings_are_of_one_request(store: EmbeddedStore) -> None:
    sql = "SELECT getSetting('max_block_size')"
    assert ask(store, sql, max_block_size="77").text == "77\n"
    assert ask(store, sql).text != "77\n"


def test_a_session_keeps_what_was_set_in_it_and_nothing_else(store: EmbeddedStore) -> None:
    for sql in ("CREATE TEMPORARY TABLE mine (a UInt8)", "INSERT INTO mine VALUES (5)"):
        assert ask(store, sql, session_id="one").status == 200
    assert ask(store, "SET max_block_size = 88", session_id="one").status == 200
    assert ask(store, "SELECT * FROM mine", session_id="one", max_threads="1").text == "5\n"
    sql = "SELECT getSetting('max_block_size'), getSetting('max_threads') = 1"
    assert ask(store, sql, session_id="one", max_block_size="99").text.startswith("99\t")
    assert ask(store, sql, session_id="one").text == "88\t0\n"
    assert ask(store, "SELECT * FROM mine").code == 60
    assert ask(store, "SELECT 1", session_id="two", session_check="1").code == 372


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "options", "status", "code", "words"),
    [
        ("SELECT * FROM nowhere", {}, 404, 60, "UNKNOWN_TABLE"),
        ("SELECT nothing", {}, 404, 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT ((", {}, 400, 62, "SYNTAX_ERROR"),
        ("", {}, 400, 62, "Empty query"),
        ("SELECT 1; SELECT 2", {}, 400, 62, "Multi-statements are not allowed"),
        ("SELECT 1 FORMAT Nonsense", {}, 404, 73, "UNKNOWN_FORMAT"),
        ("SELECT 1", {"nonsense": "1"}, 404, 115, "UNKNOWN_SETTING"),
        ("SELECT 1", {"database": "nowhere"}, 404, 81, "UNKNOWN_DATABASE"),
        ("SELECT {x:UInt8}", {"param_x": "y"}, 500, 457, "BAD_QUERY_PARAMETER"),
        ("SELECT throwIf(1)", {}, 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("SELECT toUInt8('x')", {}, 400, 6, "CANNOT_PARSE_TEXT"),
        ("CREATE DATABASE system", {}, 500, 82, "DATABASE_ALREADY_EXISTS"),
        ("INSERT INTO nowhere FORMAT CSV\n1", {}, 404, 60, "UNKNOWN_TABLE"),
    ],
)
def test_an_error_is_as_a_server_gives_it(
    store: EmbeddedStore, sql: str, options: dict[str, Any], status: int, code: int, words: str
) -> None:
    answer = ask(store, sql, **options)
    assert (answer.code, answer.status) == (code, status), answer.text
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")
    assert words in answer.text


def test_clickhouse_connect_reads_the_code(store: EmbeddedStore) -> None:
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE") as caught:
        client(store).query("SELECT * FROM nowhere")
    assert caught.value.code == 60


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("KILL QUERY WHERE 1", "close the connection"),
        ("CREATE USER someone", "no users"),
        ("GRANT SELECT ON *.* TO someone", "no users"),
        ("CREATE TABLE t ON CLUSTER c (a Int8) ENGINE = Memory", "leave ON CLUSTER out"),
        ("CREATE TABLE t (a Int8) ENGINE = ReplicatedMergeTree ORDER BY a", "no replication"),
        ("BACKUP DATABASE default TO S3('http://127.0.0.1/x')", "outside its own folder"),
        ("SYSTEM SHUTDOWN", "no SYSTEM SHUTDOWN"),
        ("SELECT * FROM file('/etc/passwd', LineAsString)", "outside its own folder"),
        ("INSERT INTO FUNCTION file('x', CSV, 'a Int8') SELECT 1", "outside its own folder"),
        ("SELECT * FROM url('http://127.0.0.1', CSV)", "outside its own folder"),
        ("CREATE TABLE t (a Int8) ENGINE = File(CSV)", "outside its own folder"),
        ("SELECT 1 INTO OUTFILE 'x'", "over HTTP"),
        ("INSERT INTO t FROM INFILE 'x' FORMAT CSV", "over HTTP"),
    ],
)
def test_what_only_a_server_has_is_refused_with_a_sentence(
    store: EmbeddedStore, sql: str, words: str
) -> None:
    answer = ask(store, sql)
    assert (answer.status, answer.code) == (501, 48), answer.text
    assert words in answer.text


def test_words_in_strings_and_comments_are_not_statements(store: EmbeddedStore) -> None:
    sql = "SELECT 'a; KILL FORMAT CSV file(' AS format /* ON CLUSTER ; */ ORDER BY format DESC -- ;"
    assert ask(store, sql).text == "a; KILL FORMAT CSV file(\n"


def test_get_changes_nothing(store: EmbeddedStore, database: str) -> None:
    answer = ask(store, method="GET", query=f"CREATE TABLE {database}.t (a Int8) ENGINE = Memory")
    assert (answer.code, answer.status) == (164, 500)
    assert ask(store, method="GET", query="SHOW DATABASES").status == 200


def test_a_web_page_cannot_use_it(store: EmbeddedStore) -> None:
    for headers in ({"Origin": "https://example.org"}, {"Host": "example.org"}):
        assert ask(store, "SELECT 1", headers=headers).status == 403
    assert ask(store, "SELECT 1", headers={"Origin": "http://localhost:3000"}).status == 200


def test_an_answer_that_fails_late_cannot_be_taken_for_whole(store: EmbeddedStore) -> None:
    sql = "SELECT throwIf(number = 3000000) FROM numbers(10000000)"
    with closing(connection(store)) as http_connection:
        http_connection.request("POST", "/", sql)
        response = http_connection.getresponse()
        assert response.status == 200
        tag = response.headers["X-ClickHouse-Exception-Tag"]
        with pytest.raises(http.client.IncompleteRead) as caught:
            response.read()
    assert f"{tag}\r\n__exception__\r\n".encode() in caught.value.partial
    with (
        pytest.raises(StreamFailureError, match="THROW_IF"),
        client(store).query_rows_stream(sql) as rows,
    ):
        list(rows)


def test_an_answer_that_is_not_waited_for_fails_in_mid_stream(store: EmbeddedStore) -> None:
    sql = "SELECT throwIf(number = 5) FROM numbers(10) SETTINGS max_block_size = 1"
    assert ask(store, sql).status == 500
    with closing(connection(store)) as http_connection:
        http_connection.request("POST", "/?wait_end_of_query=0", sql)
        response = http_connection.getresponse()
        assert (response.status, response.headers["X-ClickHouse-Exception-Code"]) == (200, None)
        with pytest.raises(http.client.IncompleteRead) as caught:
            response.read()
    rows, _, told = caught.value.partial.partition(b"\r\n__exception__\r\n")
    assert rows
    assert rows == b"0\n" * (len(rows) // 2)
    ending = re.fullmatch(
        rb"(\w+)\r\n(Code: 395.*\n)(\d+) (\w+)\r\n__exception__\r\n", told, re.DOTALL
    )
    assert ending
    tag = response.headers["X-ClickHouse-Exception-Tag"].encode()
    assert (ending[1], ending[4], int(ending[3])) == (tag, tag, len(ending[2]))


@pytest.mark.parametrize("output", ["TabSeparated", "Native", "JSON"])
def test_a_failed_querys_rows_stand_in_no_other_answer(store: EmbeddedStore, output: str) -> None:
    fails = (
        "SELECT number + 7000, throwIf(number = {}) FROM numbers({}) SETTINGS max_block_size = {}"
    )
    sessions: list[dict[str, Any]] = [{}, {"session_id": "failing"}]
    waits: list[dict[str, Any]] = [{}, {"wait_end_of_query": "1"}, {"wait_end_of_query": "0"}]
    for session in sessions:
        wanted = ask(store, "SELECT 1 AS a", default_format=output, **session).body
        for rows, block in ((50, 7), (300_000, 65_000)):
            for options in waits:
                with contextlib.suppress(http.client.IncompleteRead):
                    sql = fails.format(rows - 1, rows, block)
                    failed = ask(store, sql, default_format=output, **session, **options)
                    assert failed.code == 395
                answer = ask(store, "SELECT 1 AS a", default_format=output, **session)
                if output == "JSON":  # which tells how long it took
                    assert json.loads(answer.body)["data"] == [{"a": 1}]
                else:
                    assert answer.body == wanted


def test_an_answer_that_is_waited_for_fails_with_its_status(store: EmbeddedStore) -> None:
    sql = "SELECT throwIf(number = 3000000) FROM numbers(10000000)"
    answer = ask(store, sql, wait_end_of_query="1")
    assert (answer.status, answer.code) == (500, 395)


# --- compression --------------------------------------------------------------------------------

CODECS: dict[str, tuple[Callable[[bytes], Any], Callable[[bytes], Any]]] = {
    "lz4": (cramjam.lz4.compress, cramjam.lz4.decompress),
    "zstd": (cramjam.zstd.compress, cramjam.zstd.decompress),
    "gzip": (gzip.compress, gzip.decompress),
    "deflate": (zlib.compress, zlib.decompress),
    "br": (cramjam.brotli.compress, cramjam.brotli.decompress),
}


@pytest.mark.parametrize("encoding", CODECS)
@pytest.mark.parametrize("rows", [3, 300_000])
def test_both_ways_may_be_compressed(store: EmbeddedStore, encoding: str, rows: int) -> None:
    encode, decode = CODECS[encoding]
    headers = {"Content-Encoding": encoding, "Accept-Encoding": encoding}
    sql = bytes(encode(f"SELECT number FROM numbers({rows})".encode()))
    answer = ask(store, sql, headers=headers, enable_http_compression="1")
    assert answer.headers["Content-Encoding"] == encoding
    assert bytes(decode(answer.body)) == b"".join(b"%d\n" % n for n in range(rows))


def test_a_body_that_is_not_what_it_says_is_refused(store: EmbeddedStore) -> None:
    answer = ask(store, b"SELECT 1", headers={"Content-Encoding": "zstd"})
    assert answer.code == 354, answer.text


@pytest.mark.parametrize("compress", ["lz4", "zstd", "gzip", False])
def test_clickhouse_connect_may_compress(
    store: EmbeddedStore, database: str, compress: str | bool
) -> None:
    chain(store, database)
    target = client(store, database=database, compress=compress)
    insert(target, 50_000, "one")
    assert target.query("SELECT count(), sum(v) FROM a FINAL").result_rows == [(50_000, 50_000)]
    assert len(target.query("SELECT k FROM a").result_rows) == 50_000


# --- inserts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 200_000])
def test_a_repeated_token_counts_once_in_every_table(
    store: EmbeddedStore, database: str, rows: int
) -> None:
    chain(store, database)
    target = client(store, database=database)
    for token in ("x", "x", "y", "x"):
        insert(target, rows, token)
    for table in ("a", "b"):
        assert number(store, f"SELECT sum(v) FROM {table}", database=database) == 2 * rows
    parts = f"SELECT count() FROM system.parts WHERE database = '{database}' AND level = 0"
    assert number(store, f"{parts} AND table = 'a'") <= 2


def test_an_insert_takes_over_nothing_from_the_one_before(
    store: EmbeddedStore, database: str
) -> None:
    once = {name: str(value) for name, value in ONCE.items()}
    names = (database, f"{database}_other")

    def inserted(text: str, into: str = database, **settings: Any) -> int:
        return ask(store, f"INSERT INTO t VALUES ({text})", database=into, **settings).status

    for name in names:
        ask(store, f"CREATE DATABASE IF NOT EXISTS {name}")
        window = "SETTINGS non_replicated_deduplication_window = 100"
        ask(store, f"CREATE TABLE {name}.t (n UInt64) ENGINE = MergeTree ORDER BY n {window}")
    one, two = ({"insert_deduplication_token": token, **once} for token in ("one", "two"))
    assert inserted("1", **one) == 200
    assert inserted("'no number'", **one) != 200
    assert inserted("2", **one) == 200, "it was dropped, for its token is known"
    assert [inserted("3", **two), inserted("4"), inserted("5", names[1], **two)] == [200] * 3
    found = [ask(store, f"SELECT n FROM {name}.t ORDER BY n").text.split() for name in names]
    ask(store, f"DROP DATABASE {names[1]} SYNC")
    assert found == [["1", "3", "4"], ["5"]]


@pytest.mark.parametrize(
    ("sql", "data"),
    [
        ("INSERT INTO t FORMAT CSV", "1,x\n2,y\n"),
        ("INSERT INTO t (k, s) SETTINGS max_threads = 1 FORMAT JSONEachRow", '{"k":1}\n{"k":2}'),
        ("INSERT INTO t VALUES", "(1, 'FORMAT CSV; ('), (2, 'y')"),
        ("INSERT INTO t FORMAT Values", "(1, 'x'), (2, 'y')"),
        ("INSERT INTO t SELECT number + 1, 'x' FROM numbers(2)", ""),
        ("INSERT INTO t FORMAT TabSeparated", "1\tx\\'\n2\té\n"),
    ],
)
@pytest.mark.parametrize("in_url", [True, False])
def test_other_ways_to_insert(
    store: EmbeddedStore, database: str, sql: str, data: str, in_url: bool
) -> None:
    ask(store, "CREATE TABLE t (k UInt8, s String) ENGINE = Memory", database=database)
    options: dict[str, Any] = {"query": sql} if in_url else {}
    body = data if in_url else f"{sql}\n{data}"
    answer = ask(store, body, database=database, **options)
    assert answer.status == 200, answer.text
    assert number(store, "SELECT sum(k) * 10 + count() FROM t", database=database) == 32


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t FORMAT TSV\n{}",
        "WITH 1 AS x INSERT INTO t FORMAT TSV\n{}",
        "WITH {{SELECT:UInt8}} AS x INSERT INTO t /* ; */ FORMAT TSV {}",
        "/* a */ WITH y AS (SELECT 1) -- b\nINSERT INTO t (s) FORMAT `TSV`\n{}",
        "INSERT INTO t SELECT s FROM input('s String') FORMAT TSV\n{}",
        "WITH 1 AS x INSERT INTO t (SELECT s FROM (SELECT * FROM input('s String'))) FORMAT TSV {}",
        "INSERT INTO t VALUES ('{}')",
        "WITH 1 AS x INSERT INTO t VALUES (concat('{}', ''));",
        "WITH 1 AS x INSERT INTO t SELECT '{}'",
    ],
)
@pytest.mark.parametrize("value", ["value;", "a; DROP TABLE t -- /*", "FORMAT CSV ; SELECT"])
def test_what_a_query_holds_is_stored_as_it_is(
    store: EmbeddedStore, database: str, sql: str, value: str
) -> None:
    ask(store, "CREATE TABLE t (s String) ENGINE = Memory", database=database)
    answer = ask(store, sql.format(value), database=database, param_SELECT="1")
    assert (answer.status, answer.text) == (200, "")
    assert ask(store, "SELECT * FROM t", database=database).text == f"{value}\n"


def test_nothing_stands_behind_an_inserts_values(store: EmbeddedStore, database: str) -> None:
    ask(store, "CREATE TABLE t (k UInt8) ENGINE = Memory", database=database)
    answer = ask(store, "INSERT INTO t VALUES (1); SELECT 2", database=database)
    assert answer.status == 400, answer.text
    assert number(store, "SELECT count() FROM t", database=database) == 0


def test_values_may_be_expressions_of_parameters(store: EmbeddedStore, database: str) -> None:
    ask(store, "CREATE TABLE t (k UInt8, s String) ENGINE = Memory", database=database)
    sql = "INSERT INTO t VALUES (1 + {k:UInt8}, upper({s:String})), ({k:UInt8}, 'b')"
    answer = ask(store, sql, database=database, param_k="2", param_s="a'")
    assert answer.status == 200, answer.text
    assert ask(store, "SELECT * FROM t", database=database).text == "3\tA\\'\n2\tb\n"


def test_wrong_data_inserts_nothing(store: EmbeddedStore, database: str) -> None:
    ask(store, "CREATE TABLE t (k UInt8) ENGINE = MergeTree ORDER BY k", database=database)
    data = "\n".join(["1"] * 50_000 + ["x"])
    answer = ask(store, f"INSERT INTO t FORMAT CSV\n{data}", database=database)
    assert (answer.code, answer.status) == (117, 400), answer.text
    assert number(store, "SELECT count() FROM t", database=database) == 0


def test_an_upload_that_breaks_off_inserts_nothing(store: EmbeddedStore, database: str) -> None:
    ask(store, "CREATE TABLE t (k UInt8) ENGINE = MergeTree ORDER BY k", database=database)
    for framing in ("Content-Length: 5000000", "Transfer-Encoding: chunked"):
        with socket.create_connection(("127.0.0.1", store.port)) as upload:
            head = f"POST /?database={database} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n"
            rows = b"INSERT INTO t FORMAT CSV\n" + b"1\n" * 500_000
            chunk = b"%x\r\n" % len(rows) if "chunked" in framing else b""
            upload.sendall(head.encode() + chunk + rows)
    assert ask(store, "INSERT INTO t VALUES (7)", database=database).status == 200
    assert number(store, "SELECT sum(k) FROM t", database=database) == 7


# --- many at once -------------------------------------------------------------------------------


def test_it_answers_while_it_inserts_and_while_large_answers_stream(
    store: EmbeddedStore, database: str
) -> None:
    chain(store, database)
    target = client(store, database=database)
    with closing(connection(store)) as first, closing(connection(store)) as second:
        for reader in (first, second):  # which read a little and then stand still
            reader.request("POST", "/", ENDLESS)
            assert reader.getresponse().read(1000)
        with ThreadPoolExecutor(2) as pool:
            inserts = [pool.submit(insert, target, 100_000, str(n)) for n in range(6)]
            asked = 0
            while not all(done.done() for done in inserts):
                assert number(store, "SELECT 1") == 1
                asked += 1
            for done in inserts:
                done.result()
    assert number(store, "SELECT sum(v) FROM a", database=database) == 600_000
    assert asked > 2 * len(inserts), "it answers between inserts only"


def test_twenty_clients_at_once(store: EmbeddedStore, database: str) -> None:
    chain(store, database)

    def work(which: int) -> None:
        mine = client(store, database=database)
        for n in range(5):
            # Every token comes from two clients.
            insert(mine, 100, f"{which // 2}-{n}")
            assert mine.query("SELECT {x:UInt8}", parameters={"x": n}).result_rows == [(n,)]

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(20)))
    assert number(store, "SELECT sum(v) FROM a", database=database) == 10 * 5 * 100
    assert number(store, "SELECT sum(v) FROM b", database=database) == 10 * 5 * 100


def test_a_large_answer_is_not_held_in_memory(store: EmbeddedStore) -> None:
    # 100 bytes a row, 0.7 GB.
    sql = "SELECT repeat('x', 92), number + 1000000 FROM numbers(7000000)"
    with closing(connection(store)) as http_connection:
        http_connection.request("POST", "/", sql)
        response = http_connection.getresponse()
        before = most = memory_kib(store)
        size = 0
        while piece := response.read(1 << 20):
            size += len(piece)
            if size % (64 << 20) < len(piece):
                most = max(most, memory_kib(store))
    assert size > 700_000_000
    assert most - before < 150_000


def test_a_client_that_leaves_ends_its_query(store: EmbeddedStore) -> None:
    running = "SELECT count() FROM system.processes WHERE query LIKE '%cityHash64%' AND query NOT"
    running += " LIKE '%processes%'"
    for sql in (
        "SELECT count() FROM numbers(1000000000000) WHERE cityHash64(number) = 3",
        "SELECT cityHash64(number) FROM numbers(1000000000000)",
    ):
        with closing(connection(store)) as http_connection:
            http_connection.request("POST", "/", sql)
            until(lambda: number(store, running) == 1, within=60, what="the query to run")
        until(lambda: number(store, running) == 0, within=60, what="the query's end")


# --- life and death -----------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path)
    store.start()
    yield store
    if store.process.is_running:
        store.kill9()


def test_killed_while_it_inserts_it_loses_and_doubles_nothing(own: EmbeddedStore) -> None:
    chain(own, "default")
    target = client(own)
    answered: list[str] = []
    sent: list[str] = []

    def feed() -> None:
        while True:
            token = str(len(sent))
            sent.append(token)
            try:
                insert(target, 1000, token)
            except ClickHouseError:
                return
            answered.append(token)

    threads = [threading.Thread(target=feed) for _ in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: len(answered) >= 20, within=20, what="twenty inserts")
    own.kill9()
    for thread in threads:
        thread.join()
    own.start()
    kept = number(own, "SELECT sum(v) FROM a")
    assert 1000 * len(set(answered)) <= kept <= 1000 * len(set(sent))
    again = client(own)
    for token in set(sent):
        insert(again, 1000, token)
    for table in ("a", "b"):
        assert number(own, f"SELECT sum(v) FROM {table}") == 1000 * len(set(sent))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_while_answers_stream(own: EmbeddedStore, number: signal.Signals) -> None:
    ask(own, "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
    ask(own, "INSERT INTO t VALUES (1)")
    with closing(connection(own)) as streaming, closing(connection(own)) as counting:
        streaming.request("POST", "/", ENDLESS)
        assert streaming.getresponse().read(1000)
        counting.request("POST", "/", f"SELECT count() FROM ({ENDLESS} WHERE cityHash64(number)=3)")
        own.process._signal(number)
        assert own.process.wait(60) == 0
    own.start()
    assert ask(own, "SELECT a FROM t").text == "1\n"


def test_a_second_process_is_refused(own: EmbeddedStore) -> None:
    refused = start_alone(own.data)
    assert refused.returncode == 76
    assert f"in use by process {own.process.pid}" in refused.stderr
    assert ask(own, "SELECT 1").status == 200


def test_a_taken_port_is_refused(own: EmbeddedStore, tmp_path: Path) -> None:
    refused = start_alone(tmp_path / "other", own.port)
    assert refused.returncode == 75
    assert f"port {own.port}" in refused.stderr


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear")
    refused = start_alone(tmp_path)
    assert refused.returncode == 76
    assert "letter.txt" in refused.stderr
    assert [item.name for item in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("damage", ["store.json", "engine/metadata/spoilt.sql"])
def test_a_damaged_folder_is_refused(own: EmbeddedStore, damage: str) -> None:
    ask(own, "CREATE DATABASE spoilt")
    own.stop()
    (own.data / damage).write_text("garbage")
    refused = start_alone(own.data)
    assert refused.returncode == 76
    assert "damaged" in refused.stderr


def test_parts_that_cannot_be_read_are_told_of(own: EmbeddedStore) -> None:
    ask(own, "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
    ask(own, "INSERT INTO t VALUES (1)")
    own.stop()
    for file in own.data.glob("engine/store/*/*/all_1_1_0/columns.txt"):
        file.write_text("garbage")
    own.start()
    own.process.await_output("1 damaged parts of tables were set aside")


def test_what_a_crash_left_is_cleared_away(own: EmbeddedStore) -> None:
    own.kill9()
    (own.data / "tmp" / "leftover").write_text("x")
    own.start()
    assert not (own.data / "tmp" / "leftover").exists()
    data = "1\n" * 100_000
    ask(own, "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
    assert ask(own, f"INSERT INTO t FORMAT CSV\n{data}").status == 200
    assert list((own.data / "tmp").iterdir()) == []


def start_alone(folder: Path, port: int = 0) -> subprocess.CompletedProcess[str]:
    """Start a store that is expected not to run."""
    command = [sys.executable, "-m", "pipeline.embedded.store"]
    return subprocess.run(
        [*command, "--path", str(folder), "--port", str(port)],
        capture_output=True,
        text=True,
        timeout=120,
    )
