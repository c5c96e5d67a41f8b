"""The embedded store's Native format in the revisions that clients ask for."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import StreamFailureError

from pipeline.embedded.store.native import NEWEST, Rewriter
from tests.integration.test_embedded_store import Answer, ask
from tests.support.harness.store import EmbeddedStore

GO, CONNECT = 54460, 54405
"""What clickhouse-go and clickhouse-connect ask for."""

INFO = b"\1\0\2\xff\xff\xff\xff\0"

SETTINGS: dict[str, Any] = {
    "max_threads": "1",
    "allow_suspicious_low_cardinality_types": "1",
    "allow_suspicious_variant_types": "1",
    "enable_time_time64_type": "1",
    "allow_experimental_qbit_type": "1",
}
TYPES = """
    UInt8|Int256|Float32|BFloat16|Bool|Date|Date32|DateTime|DateTime('America/New_York')
    DateTime64(3)|DateTime64(6, 'Asia/Tokyo')|Time|Time64(3)|String|FixedString(5)|UUID|IPv4|IPv6
    Enum8('a\\'b' = -1, 'é' = 2)|Enum16('x' = 1000)|Array(String)|Array(Array(Nullable(UInt16)))
    Decimal(9, 2)|Decimal(18, 4)|Decimal(38, 9)|Decimal(76, 10)|Nullable(Decimal(38, 9))
    Nullable(DateTime('America/New_York'))|Nullable(Nothing)|Array(Nothing)
    Tuple(UInt8, String)|Tuple()|Tuple(a UInt8, `b c` String, `select` Int8, `distinct` Int8)
    Array(Tuple(a UInt8, b Array(String)))|Map(String, UInt64)|IntervalDay|IntervalNanosecond
    LowCardinality(String)|LowCardinality(Nullable(String))|Array(LowCardinality(Nullable(String)))
    Map(LowCardinality(String), Array(Nullable(String)))|LowCardinality(UInt32)
    Tuple(LowCardinality(String), Array(LowCardinality(String)), UInt8)
    Variant(Array(UInt8), String, UInt64)|Dynamic|Dynamic(max_types=3)|Array(Dynamic)
    JSON|JSON(max_dynamic_types=3, max_dynamic_paths=2, a UInt8, `b c`.d String, SKIP x.y)
    Array(JSON)|Point|Ring|LineString|Polygon|MultiPolygon|MultiLineString|Geometry
    QBit(Float32, 13)|QBit(Float64, 8)
"""
COLUMNS = [name.strip() for line in TYPES.splitlines() if line.strip() for name in line.split("|")]
VALUES = {
    "Variant(Array(UInt8), String, UInt64)": [
        f"CAST({value}, 'Variant(Array(UInt8), String, UInt64)')"
        for value in ("[1, 2]::Array(UInt8)", "'text'", "7::UInt64", "NULL")
    ],
    "Dynamic": [
        f"CAST({value}, 'Dynamic')"
        for value in (
            "7",
            "'text'",
            "NULL",
            "[toDateTime(7, 'Asia/Tokyo')]",
            "'x'::LowCardinality(String)",
        )
    ],
    "Dynamic(max_types=1)": [
        f"CAST({value}, 'Dynamic(max_types=1)')" for value in ("7", "'text'", "today()", "(1, 'a')")
    ],
    "JSON(a UInt8)": [
        f"'{value}'::JSON(a UInt8)"
        for value in ('{"a": 1, "b": [1, 2], "c": {"d": "x"}}', "{}", '{"b": "text", "c": 1.5}')
    ],
    "JSON(max_dynamic_paths=1)": [
        f"'{value}'::JSON(max_dynamic_paths=1)"
        for value in ('{"a": 1, "b": 2}', '{"c": [{"d": 1}]}')
    ],
    "LowCardinality(Nullable(String))": [
        f"CAST({value}, 'LowCardinality(Nullable(String))')"
        for value in ("'a'", "NULL", "'b'", "'a'")
    ],
    "SimpleAggregateFunction(sum, UInt64)": [
        "CAST(7, 'SimpleAggregateFunction(sum, UInt64)')",
    ],
}


def native(store: EmbeddedStore, sql: str, revision: int = 0, **options: Any) -> bytes:
    options |= {"client_protocol_version": str(revision)} if revision else {}
    answer = ask(store, f"{sql} FORMAT Native", **SETTINGS, **options)
    assert answer.status == 200, answer.text
    return answer.body


@pytest.fixture
def stored(store: EmbeddedStore) -> Iterator[Callable[[str], str]]:
    """Keeps a query's rows, so that they are the same whenever they are read."""

    def keep(rows: str) -> str:
        answer = ask(store, f"CREATE TABLE kept ENGINE = Memory AS {rows}", **SETTINGS)
        assert answer.status == 200, answer.text
        return "SELECT x, n FROM kept"

    yield keep
    ask(store, "DROP TABLE IF EXISTS kept")


def column(store: EmbeddedStore, sql: str, name: str, rows: int) -> tuple[bytes, bytes]:
    """A column as the engine writes it alone: its type's name, and its values."""
    alone = native(store, f"SELECT {name} FROM ({sql})")
    named = b"\1" + bytes([rows]) + b"\1" + name.encode()
    assert alone.startswith(named)
    size = alone[len(named)]
    values = alone[len(named) + 1 + size :]
    answer = ask(store, f"SELECT any(toTypeName({name})) FROM ({sql}) FORMAT RawBLOB", **SETTINGS)
    short = alone[len(named) + 1 : len(named) + 1 + size]
    return (answer.body if short == b"DateTime" else short), values


def is_right(store: EmbeddedStore, sql: str, rows: int) -> None:
    """A block is made of its columns as each is alone; in whatever pieces it comes."""
    columns = [(name.encode(), *column(store, sql, name, rows)) for name in ("x", "n")]
    for revision, custom in ((GO, b"\0"), (CONNECT, b"")):
        block = INFO + b"\2" + bytes([rows])
        for name, type_, values in columns:
            block += b"\1" + name + bytes([len(type_)]) + type_ + custom + values
        assert native(store, sql, revision) == block
        pieces = native(store, sql, output_format_native_encode_types_in_binary_format="1")
        cut = sorted(random.Random(7).choices(range(len(pieces)), k=9))
        rewriter = Rewriter(revision)
        done = [rewriter.add(pieces[a:b]) for a, b in zip([0, *cut], [*cut, None], strict=True)]
        assert b"".join([*done, rewriter.end()]) == block
        assert rewriter.whole


@pytest.mark.parametrize("name", COLUMNS)
def test_every_type_is_given_in_the_revisions_of_clients(
    store: EmbeddedStore, stored: Callable[[str], str], name: str
) -> None:
    quoted = name.replace("\\", "\\\\").replace("'", "\\'")
    rows = f"SELECT x, n FROM generateRandom('x {quoted}, n UInt16', 1, 9, 4) LIMIT 70"
    if ask(store, f"{rows} FORMAT Null", **SETTINGS).status == 200:
        is_right(store, stored(rows), 70)
    else:  # which the engine makes no random values of
        default = f"defaultValueOfTypeName('{quoted}')"
        is_right(store, f"SELECT {default} AS x, number::UInt16 AS n FROM numbers(5)", 5)


@pytest.mark.parametrize("name", VALUES)
def test_so_are_values_of_several_types(
    store: EmbeddedStore, stored: Callable[[str], str], name: str
) -> None:
    values = VALUES[name]
    rows = " UNION ALL ".join(f"SELECT {v} AS x, {n}::UInt8 AS n" for n, v in enumerate(values))
    is_right(store, stored(f"SELECT x, n FROM ({rows})"), len(values))


def test_old_revisions_have_no_zones_and_the_probe_of_a_client_is_answered(
    store: EmbeddedStore,
) -> None:
    sql = "SELECT toDateTime(0, 'Asia/Shanghai') AS dt"
    assert b"\x08DateTime\0" in native(store, sql)
    assert b"\x08DateTime\0" in native(store, sql, 54336)
    assert native(store, sql, 54337)[14:39] == b"DateTime('Asia/Shanghai')"
    assert native(store, "SELECT 1 AS check", CONNECT)[8:16] == b"\1\1\5check"


def test_a_table_is_read_in_blocks_of_a_revision_and_inserted_in_those_of_none(
    store: EmbeddedStore,
) -> None:
    columns = "k UInt32, t DateTime('Asia/Tokyo'), a Array(LowCardinality(String)), d Dynamic"
    for name in ("one", "two"):
        assert ask(store, f"CREATE TABLE native_{name} ({columns}) ENGINE = Memory").status == 200
    ask(
        store,
        "INSERT INTO native_one SELECT number, number, [toString(number % 7)],"
        " if(number % 2, number::Dynamic, 'x'::Dynamic) FROM numbers(300000)",
    )
    for revision in (GO, CONNECT):
        blocks = native(store, "SELECT * FROM native_one ORDER BY k", revision)
        assert blocks.count(INFO) > 1
        rows = native(store, "SELECT * FROM native_one")
        answer = ask(
            store,
            b"INSERT INTO native_two FORMAT Native\n" + rows,
            client_protocol_version=str(revision),
        )
        assert answer.status == 200, answer.text
    same = "SELECT count(), sum(cityHash64(k, t, a, toString(d))) FROM native_"
    one, two = (ask(store, same + name).text.split() for name in ("one", "two"))
    assert [int(value) * 2 % 2**64 for value in one] == [int(value) for value in two]
    for name in ("one", "two"):
        ask(store, f"DROP TABLE native_{name}")


def test_a_query_that_fails_late_gives_whole_blocks_before(store: EmbeddedStore) -> None:
    sql = "SELECT number, throwIf(number = 700000) FROM numbers(10000000)"
    read: list[tuple[int, int]] = []
    rows = client(store).query_rows_stream(sql)
    with rows, pytest.raises(StreamFailureError, match="THROW_IF"):
        read.extend(rows)
    assert len(read) > 100_000
    assert read == [(n, 0) for n in range(len(read))]


@pytest.mark.parametrize(
    ("sql", "options", "words"),
    [
        ("SELECT sumState(1) FORMAT Native", {}, "finalizeAggregation"),
        ("SELECT 'a'::LowCardinality(String)", {"client_protocol_version": "54400"}, "LowCard"),
        ("SELECT 1", {"client_protocol_version": str(NEWEST + 1)}, f"up to {NEWEST}"),
        ("SELECT 1", {"output_format_native_encode_types_in_binary_format": "1"}, "leave one"),
        ("SELECT 1", {"client_protocol_version": "new"}, "no number"),
    ],
)
def test_what_a_revision_cannot_hold_is_refused_with_a_sentence(
    store: EmbeddedStore, sql: str, options: dict[str, Any], words: str
) -> None:
    asked = {"default_format": "Native", "client_protocol_version": str(GO), **options}
    answer: Answer = ask(store, sql, **asked)
    assert answer.status in {400, 501}
    assert words in answer.text
    assert ask(store, "SELECT 1").text == "1\n"


def client(store: EmbeddedStore) -> Any:
    return clickhouse_connect.get_client(
        host="127.0.0.1", port=store.port, autogenerate_session_id=False, tz_mode="aware"
    )


def test_clickhouse_connect_gets_zones(store: EmbeddedStore) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    sql = "SELECT toDateTime(1700000000, 'Europe/Berlin') AS a, toNullable(a) b, [a] c, now() d"
    ((a, b, c, d),) = client(store).query(sql).result_rows
    assert [each.tzinfo for each in (a, b, c[0])] == [berlin] * 3
    assert a == b == c[0] == dt.datetime(2023, 11, 14, 23, 13, 20, tzinfo=berlin)
    assert d.utcoffset() == dt.timedelta(0)
