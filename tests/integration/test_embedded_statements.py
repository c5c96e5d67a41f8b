"""The front and the engine agree on what a statement is."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pipeline.embedded.store.sql import Kind, parse
from tests.integration.test_embedded_store import ask
from tests.support.harness.store import EmbeddedStore

BEFORE = ("", "/* INSERT ; */ ", "-- SELECT (\n", "# 'x\n", "/* a /* ; */ FORMAT CSV */", "\u00a0")
WITH = (
    "",
    "WITH 1 AS x ",
    "WITH 1 AS select, 2 AS insert ",
    "WITH x AS (SELECT 1) ",
    "WITH insert('abc', 1, 1, 'd') AS format, (SELECT 1) AS `FORMAT` ",
    "WITH 'INSERT INTO t VALUES (1);' AS y, $x$ INSERT ; $x$ AS z ",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) ",
    "WITH (a, b) -> a AS f, [1, 2].1 AS from ",
    "WITH t.insert AS c ",
)
MAIN = (
    "SELECT 1",
    "SELECT 1 AS format, 2 AS insert",
    "(SELECT 1)",
    "((SELECT 1) UNION ALL SELECT 2)",
    "FROM numbers(1) SELECT number",
    "SELECT 1 UNION ALL (SELECT 2)",
    "INSERT INTO t SELECT 1",
    "insert into table t (a, `values`) select 1, 2",
    "INSERT INTO `SELECT` (SELECT 1)",
    "INSERT INTO values FROM numbers(1) SELECT 1",
    "INSERT INTO FUNCTION null('a UInt8') SELECT 1",
    "CREATE TABLE t ENGINE = Memory AS SELECT 1",
    "DESCRIBE (SELECT 1)",
    "EXISTS TABLE insert",
)
AFTER = ("", " ;", " -- ; end", " /* SELECT */ ;", " # end", " FORMAT CSV", " FORMAT Null; -- x")
KINDS = {
    "SelectWithUnionQuery": Kind.READ,
    "SelectIntersectExceptQuery": Kind.READ,
    "InsertQuery": Kind.OTHER,
}


@settings(max_examples=150, suppress_health_check=[HealthCheck.filter_too_much], deadline=None)
@given(
    statement=st.tuples(*map(st.sampled_from, (BEFORE, WITH, MAIN, AFTER))).map("".join),
)
def test_a_statement_is_of_the_kind_that_the_engine_takes_it_for(
    store: EmbeddedStore, statement: str
) -> None:
    answer = ask(store, f"EXPLAIN AST {statement}")
    assume(answer.status == 200)
    assume(answer.text)
    root = answer.text.split()[0]
    found = parse(statement.encode().decode("latin-1"))
    assert found.kind is KINDS.get(root, Kind.OTHER), (root, found)
    assert (found.verb == "INSERT") is (root == "InsertQuery"), (root, found)
