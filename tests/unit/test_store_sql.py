"""Where a statement's parts are, and what kind it is."""

from __future__ import annotations

import pytest

from pipeline.embedded.store.answers import Refusal
from pipeline.embedded.store.sql import Kind, parse


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ("SELECT 1", "SELECT 1 INTO OUTFILE 'f' TRUNCATE FORMAT TSV"),
        ("SELECT 1 ; -- end", "SELECT 1 INTO OUTFILE 'f' TRUNCATE FORMAT TSV"),
        ("SELECT 1 FORMAT CSV", "SELECT 1  INTO OUTFILE 'f' TRUNCATE FORMAT CSV"),
        ("SELECT 1 FORMAT `CSV`; # end", "SELECT 1  INTO OUTFILE 'f' TRUNCATE FORMAT `CSV`"),
        (
            "SELECT 1 FORMAT CSV SETTINGS max_threads = 1",
            "SELECT 1  INTO OUTFILE 'f' TRUNCATE FORMAT CSV SETTINGS max_threads = 1",
        ),
        (
            "SELECT a, format FROM t ORDER BY format DESC",
            "SELECT a, format FROM t ORDER BY format DESC INTO OUTFILE 'f' TRUNCATE FORMAT TSV",
        ),
        ("SELECT 1 + format y", "SELECT 1 + format y INTO OUTFILE 'f' TRUNCATE FORMAT TSV"),
        (
            "SELECT (SELECT 'x' FORMAT CSV)",
            "SELECT (SELECT 'x' FORMAT CSV) INTO OUTFILE 'f' TRUNCATE FORMAT TSV",
        ),
        (
            "WITH $x$ FORMAT CSV ;$x$ AS a SELECT a",
            "WITH $x$ FORMAT CSV ;$x$ AS a SELECT a INTO OUTFILE 'f' TRUNCATE FORMAT TSV",
        ),
        (
            "SELECT 1 /* a /* ; */ FORMAT CSV; */",
            "SELECT 1 INTO OUTFILE 'f' TRUNCATE FORMAT TSV",
        ),
        (
            "WITH insert(a, 1, 1, b) AS insert SELECT insert",
            "WITH insert(a, 1, 1, b) AS insert SELECT insert INTO OUTFILE 'f' TRUNCATE FORMAT TSV",
        ),
    ],
)
def test_where_an_answer_goes(sql: str, written: str) -> None:
    statement = parse(sql)
    assert statement.kind is Kind.READ
    assert statement.into("f", "TSV") == written


@pytest.mark.parametrize(
    ("sql", "read", "data"),
    [
        (
            "INSERT INTO t FORMAT Native\n\x00\n;",
            "INSERT INTO t  FROM INFILE 'f' FORMAT Native",
            "\x00\n;",
        ),
        (
            "INSERT INTO t FORMAT CSV \r\n\n1",
            "INSERT INTO t  FROM INFILE 'f' FORMAT CSV",
            "\n1",
        ),
        (
            "/*x*/ insert into `FORMAT x` (a) format CSV 1",
            "/*x*/ insert into `FORMAT x` (a)  FROM INFILE 'f' format CSV",
            "1",
        ),
        (
            "WITH {SELECT:Int8} AS x INSERT INTO t FORMAT TSV\n1;\n",
            "WITH {SELECT:Int8} AS x INSERT INTO t  FROM INFILE 'f' FORMAT TSV",
            "1;\n",
        ),
        (
            "INSERT INTO t (a) VALUES (1), ('; DROP TABLE t') ; -- ;",
            "INSERT INTO t (a)  FROM INFILE 'f' FORMAT Values",
            " (1), ('; DROP TABLE t') ; -- ;",
        ),
        (
            "INSERT INTO values SETTINGS a = 1 VALUES (1)",
            "INSERT INTO values  FROM INFILE 'f' SETTINGS a = 1 FORMAT Values",
            " (1)",
        ),
        ("INSERT INTO format.format FORMAT CSV 'x", "INSERT INTO format.format  FROM", "'x"),
        (
            "INSERT INTO t SELECT a FROM input('a String') FORMAT CSV\n'x;",
            "INSERT INTO t SELECT a FROM file('f', 'CSV', 'a String') ",
            "'x;",
        ),
    ],
)
def test_where_an_inserts_data_begins(sql: str, read: str, data: str) -> None:
    statement = parse(sql)
    assert statement.kind is Kind.DATA
    assert statement.from_file("f").startswith(read)
    assert sql[statement.data :] == data


def test_settings_stay_behind_the_file() -> None:
    statement = parse("INSERT INTO t SETTINGS a = 'FORMAT CSV' FORMAT Native\n")
    assert statement.from_file("f") == (
        "INSERT INTO t  FROM INFILE 'f' SETTINGS a = 'FORMAT CSV' FORMAT Native"
    )


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE t (a Int8)",
        "SHOW x",
        "INSERT INTO t SELECT 1 FORMAT Null",
        "WITH 1 AS x INSERT INTO t SELECT x",
        "INSERT INTO t (SELECT 1)",
        "SELECT 'no end FORMAT CSV",
        "SELECT 1 /* no end",
        "EXPLAIN SELECT 1",
    ],
)
def test_the_rest_goes_as_it_is(sql: str) -> None:
    statement = parse(sql)
    assert (statement.kind, statement.text) == (Kind.OTHER, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        " -- x",
        ";",
        "SELECT 1; SELECT 2",
        "INSERT INTO t SELECT 1; x",
        "INSERT INTO t (SELECT 1); x",
        "WITH 1 AS x INSERT INTO t SELECT 1; x",
        "INSERT INTO t FORMAT CSV; 1",
    ],
)
def test_not_one_statement(sql: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(sql)
    assert caught.value.code == 62


def test_nothing_stands_behind_values() -> None:
    with pytest.raises(Refusal, match="after semicolon"):
        parse("INSERT INTO t VALUES (1), (';'); DROP TABLE t")
