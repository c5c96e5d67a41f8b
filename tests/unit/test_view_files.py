"""A view is one file: its parts written out, its settings and its mark added."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.clickhouse.schema import files, resources, views
from pipeline.errors import MigrationError
from pipeline.meters import days

PARTS = """
-- A part of a part.
PART _one AS SELECT {keep_minute_rows} AS n WHERE _of_tenant();
PART _two AS SELECT n FROM _one();
MACRO _of_tenant() AS ({tenant:String} = '' OR tenant = {tenant:String});
"""
VIEW = """-- Why it is there.
CREATE OR REPLACE VIEW v{cluster} AS
SELECT n FROM _two(tenant = '')
COMMENT 'A1
It''s a number.
n numbers';
"""


def folder(path: Path, **texts: str) -> Path:
    (path / "_parts").mkdir()
    for name, text in texts.items():
        (path / f"{name}.sql").write_text(text)
    (path / "_parts" / "all.sql").write_text(PARTS)
    return path


def test_the_statement(tmp_path: Path) -> None:
    [view] = views.read(folder(tmp_path, v=VIEW))
    assert view.statement("", files.Lifetimes(7)) == (
        "CREATE OR REPLACE VIEW v AS\n"
        "SELECT n FROM (SELECT n FROM (SELECT 7 AS n WHERE ('' = '' OR tenant = '')))\n"
        f"SETTINGS {', '.join(f'{name} = {value}' for name, value in views.SETTINGS.items())}\n"
        "COMMENT 'A1\nIt''s a number.\nn numbers\n"
        f"made of {view.digest}, minutes kept 7 days'"
    )
    assert "VIEW v ON CLUSTER 'main' AS" in view.statement("main", files.Lifetimes(7))


def test_a_parts_text_is_part_of_the_digest(tmp_path: Path) -> None:
    [before] = views.read(folder(tmp_path, v=VIEW))
    parts = tmp_path / "_parts" / "all.sql"
    parts.write_text(PARTS.replace("AS n WHERE", "+ 1 AS n WHERE"))
    [after] = views.read(tmp_path)
    assert after.digest != before.digest
    parts.write_text(PARTS.replace("-- A part of a part.", "-- Another comment."))
    [same] = views.read(tmp_path)
    assert same == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CREATE VIEW v AS SELECT 1 COMMENT 'A1'",
        "CREATE OR REPLACE VIEW w{cluster} AS SELECT 1 COMMENT 'A1'",
        "CREATE OR REPLACE VIEW v{cluster} AS SELECT 1",
        VIEW + VIEW,
    ],
)
def test_a_file_holds_the_view_that_it_is_named_after(tmp_path: Path, text: str) -> None:
    with pytest.raises(MigrationError, match=r"v\.sql: expected one"):
        views.read(folder(tmp_path, v=text))


@pytest.mark.parametrize("more", ["SELECT 1;", "PART _one AS SELECT 2;"])
def test_parts_have_one_name_and_are_nothing_else(tmp_path: Path, more: str) -> None:
    where = folder(tmp_path, v=VIEW)
    (where / "_parts" / "more.sql").write_text(more)
    with pytest.raises(MigrationError, match=r"more\.sql: "):
        views.read(where)


def test_every_view_of_ours_is_whole_and_goes_to_a_cluster() -> None:
    macros, selects = views.pieces(resources.views())
    for view in views.shipped():
        statement = view.statement("main", files.Lifetimes(35))
        assert statement.startswith(f"CREATE OR REPLACE VIEW {view.name} ON CLUSTER 'main' AS\n")
        assert not [name for name in (*macros, *selects) if f"{name}(" in statement], view.name
        assert "{keep_" not in statement
        assert len(files.split(statement)) == 1


def test_every_piece_is_used() -> None:
    """In the views, in other pieces, or by what fills in days."""
    macros, selects = views.pieces(resources.views())
    text = "".join(path.read_text() for path in resources.views().rglob("*.sql"))
    text += Path(days.__file__).read_text()
    for name in (*macros, *selects):
        assert text.count(name) > 1, name


def test_the_rollups_say_of_a_completion_what_the_views_say() -> None:
    """Their materialized views are in migrations, which never change."""
    for of in ("_is_completion()", "_is_embedding()"):
        condition = views.written_out(of)
        for number in ("0001_tables", "0006_zones"):
            assert condition in (resources.migrations() / f"{number}.sql").read_text()


def test_definitions_are_read_by_one_type() -> None:
    """The column of definitions in force is what the views' macro says of those tried out."""
    macros, _ = views.pieces(resources.views())
    [migration] = resources.migrations().glob("*_metric_definitions_asked.sql")
    assert f"JSONExtract(interpreted, {macros['_definition'].text})" in migration.read_text()
