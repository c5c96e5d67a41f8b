"""Where a statement's parts are."""

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
        (
            "SELECT 1 FORMAT CSV SETTINGS max_threads = 1",
            "SELECT 1  INTO OUTFILE 'f' TRUNCATE FORMAT CSV SETTINGS max_threads = 1",
        ),
        (
            "SELECT a, format FROM t ORDER BY format DESC",
            "SELECT a, format FROM t ORDER BY format DESC INTO OUTFILE 'f' TRUNCATE FORMAT TSV",
        ),
        (
            "SELECT (SELECT 'x' FORMAT CSV)",
            "SELECT (SELECT 'x' FORMAT CSV) INTO OUTFILE 'f' TRUNCATE FORMAT TSV",
        ),
        (
            "WITH $x$ FORMAT CSV ;$x$ AS a SELECT a",
            "WITH $x$ FORMAT CSV ;$x$ AS a SELECT a INTO OUTFILE 'f' TRUNCATE FORMAT TSV",
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
        ("INSERT INTO t FORMAT Native\n\x00\n;", "INSERT INTO t  FROM INFILE 'f' ", "\x00\n;"),
        ("INSERT INTO t FORMAT CSV \r\n\n1", "INSERT INTO t  FROM INFILE 'f' ", "\n1"),
        ("/*x*/ insert into `FORMAT x` (a) format CSV 1", "/*x*/ insert into `FORMAT x` (a)", "1"),
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


@pytest.mark.parametrize("sql", ["INSERT INTO t VALUES (1)", "CREATE TABLE t (a Int8)", "SHOW x"])
def test_the_rest_goes_as_it_is(sql: str) -> None:
    statement = parse(sql)
    assert (statement.kind, statement.text) == (Kind.OTHER, sql)


@pytest.mark.parametrize(
    "sql", ["", " -- x", ";", "SELECT 1; SELECT 2", "INSERT INTO t SELECT 1; x"]
)
def test_not_one_statement(sql: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(sql)
    assert caught.value.code == 62
