"""Parts stand written out in the views that use them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.clickhouse.schema.files import read
from pipeline.clickhouse.schema.parts import defined, written_out
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


def test_a_missing_value_is_refused() -> None:
    with pytest.raises(MigrationError, match="_range is used without its parameter `since`"):
        written_out("SELECT n FROM _range(tenant = '')", PARTS)
    with pytest.raises(MigrationError, match="a parenthesis without its end"):
        written_out("SELECT n FROM _range(tenant = ''", PARTS)


def test_migrations_make_no_parts_and_know_those_of_earlier_ones(tmp_path: Path) -> None:
    (tmp_path / "0001_parts.sql").write_text("PART _one AS SELECT {keep_minute_rows} AS n;")
    (tmp_path / "0002_views.sql").write_text(
        "PART _two AS SELECT n FROM _one; CREATE OR REPLACE VIEW v AS SELECT n FROM _two;"
    )
    first, second = read(tmp_path)
    view = "CREATE OR REPLACE VIEW v AS SELECT n FROM (SELECT n FROM (SELECT 7 AS n))"
    assert first.statements() == []
    assert second.statements(keep_minute_rows=7) == [view]
    assert second.of_minute_rows("", 7) == [view]
