"""Parts stand written out in the views that use them."""

from __future__ import annotations

from typing import ClassVar

import pytest

from pipeline.clickhouse.schema.parts import Macro, defined, macro, with_macros, written_out
from pipeline.errors import MigrationError

RANGE = "SELECT n FROM t WHERE at >= {since:DateTime('UTC')} AND who = {tenant:String}"
PARTS = {
    "_range": RANGE,
    "_sum": "SELECT sum(n) AS n FROM _range(since = {as_of:DateTime('UTC')}, tenant = 'o, (p')",
    "_all": "SELECT 1 AS n",
}


def test_a_definition_is_told_from_a_view() -> None:
    assert defined("PART _range AS\nSELECT 1") == ("_range", "SELECT 1")
    assert defined("CREATE VIEW _range AS SELECT 1") is None


def test_parameters_of_the_same_type_and_texts_stand_as_they_are() -> None:
    use = "SELECT n FROM _range(since = {until:DateTime('UTC')}, tenant = '') WHERE n > 1"
    assert written_out(use, PARTS) == (
        "SELECT n FROM (SELECT n FROM t WHERE at >= {until:DateTime('UTC')} AND who = '') "
        "WHERE n > 1"
    )


def test_other_values_become_the_parameters_type() -> None:
    use = "SELECT n FROM _range(since = least(now(), f(1, ')')), tenant = {id:UInt8}) AS r"
    assert written_out(use, PARTS) == (
        "SELECT n FROM (SELECT n FROM t "
        r"WHERE at >= CAST(least(now(), f(1, ')')), 'DateTime(\'UTC\')') "
        "AND who = CAST({id:UInt8}, 'String')) AS r"
    )


def test_parts_have_parts_and_need_no_parameters() -> None:
    use = (
        "SELECT 1 FROM a JOIN _sum(as_of = {as_of:DateTime('UTC')}) USING (n), (SELECT n FROM _all)"
    )
    assert written_out(use, PARTS) == (
        "SELECT 1 FROM a JOIN (SELECT sum(n) AS n FROM (SELECT n FROM t "
        "WHERE at >= {as_of:DateTime('UTC')} AND who = 'o, (p')) USING (n), "
        "(SELECT n FROM (SELECT 1 AS n))"
    )


def test_tables_of_ours_stay() -> None:
    use = "SELECT x AS _range FROM _zone_offsets WHERE x = (SELECT '_all')"
    assert written_out(use, PARTS) == use


def test_a_parameter_that_is_not_given_is_the_views_own() -> None:
    assert written_out("SELECT n FROM _range(tenant = '')", PARTS) == (
        "SELECT n FROM (SELECT n FROM t WHERE at >= {since:DateTime('UTC')} AND who = '')"
    )
    nested = PARTS | {"_outer": "SELECT n FROM _range()"}
    assert written_out("SELECT n FROM _outer(tenant = 'a')", nested) == (
        "SELECT n FROM (SELECT n FROM (SELECT n FROM t WHERE at >= {since:DateTime('UTC')} "
        "AND who = 'a'))"
    )


def test_an_open_parenthesis_is_refused() -> None:
    with pytest.raises(MigrationError, match="a parenthesis without its end"):
        written_out("SELECT n FROM _range(tenant = ''", PARTS)


MACROS = (
    Macro("_day", ("at",), "toDate(at, {tz:String})"),
    Macro("_same", ("a", "b"), "_day(a) = _day(b)"),
    Macro("_all", (), "({tenant:String} = '' OR tenant = {tenant:String})"),
)


class TestMacros:
    KNOWN: ClassVar = {one.name: one for one in MACROS}

    def test_a_definition_is_told_from_a_part(self) -> None:
        assert macro("MACRO _day(at) AS\ntoDate(at, {tz:String})") == MACROS[0]
        assert macro("MACRO _all() AS 1") == ("_all", (), "1")
        assert macro("PART _all AS SELECT 1") is None

    def test_they_stand_where_they_are_used(self) -> None:
        text = "SELECT n FROM _range() WHERE _same(f(x, 1), at) AND _all()"
        assert with_macros(text, self.KNOWN) == (
            "SELECT n FROM _range() WHERE toDate(f(x, 1), {tz:String}) = toDate(at, {tz:String}) "
            "AND ({tenant:String} = '' OR tenant = {tenant:String})"
        )

    @pytest.mark.parametrize("use", ["_day()", "_day(a, b)", "_all(a)"])
    def test_another_number_of_arguments_is_refused(self, use: str) -> None:
        with pytest.raises(MigrationError, match=r"takes \d arguments, and is used with \d"):
            with_macros(use, self.KNOWN)
