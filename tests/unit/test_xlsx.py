"""Workbooks, read back by two libraries that have nothing to do with the writer."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import openpyxl
import pytest
import python_calamine
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.reports import xlsx
from pipeline.reports.xlsx import Column, Kind, Workbook

COLUMNS = [Column(kind.value, kind) for kind in Kind]
ROW = ["acme", 3, "1.500000000", "2026-05-01", "2026-05-01T10:30:00+05:30"]


def made(
    rows: Sequence[Sequence[Any]],
    columns: Sequence[Column] = COLUMNS,
    name: str = "view",
    size: int = 7,
) -> bytes:
    book = Workbook()
    book.begin(name, columns)
    for n in range(0, len(rows), size):
        book.add(rows[n : n + size])
    book.end()
    book.close([("as of", "2026-05-01")])
    return book.taken()


def by_openpyxl(data: bytes, sheet: str = "view") -> list[tuple[Any, ...]]:
    book = openpyxl.load_workbook(io.BytesIO(data), data_only=False)
    return [tuple(cell.value for cell in row) for row in book[sheet].iter_rows()]


def by_calamine(data: bytes, sheet: str = "view") -> list[list[Any]]:
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    return book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)


def test_every_kind_is_read_back() -> None:
    data = made([ROW])
    head, row = by_openpyxl(data)
    assert head == tuple(column.name for column in COLUMNS)
    assert row == ("acme", 3, 1.5, datetime(2026, 5, 1), datetime(2026, 5, 1, 10, 30))  # noqa: DTZ001
    _, same = by_calamine(data)
    assert same == ["acme", 3.0, 1.5, date(2026, 5, 1), datetime(2026, 5, 1, 10, 30)]  # noqa: DTZ001


def test_nothing_known_is_an_empty_cell() -> None:
    assert by_openpyxl(made([[None] * len(COLUMNS)]))[1:] in ([], [(None,) * len(COLUMNS)])


def test_the_first_sheet_says_what_it_is_about() -> None:
    data = made([ROW])
    assert openpyxl.load_workbook(io.BytesIO(data)).sheetnames == ["About", "view"]
    assert by_calamine(data, "About") == [["as of", "2026-05-01"]]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("x")'])
def test_no_string_is_a_formula(text: str) -> None:
    book = openpyxl.load_workbook(io.BytesIO(made([[text]], [Column("c", Kind.TEXT)])))
    cell = book["view"]["A2"]
    assert (cell.value, cell.data_type) == (text, "s")


@pytest.mark.parametrize(
    ("kind", "value", "is_text"),
    [
        (Kind.MONEY, "9007199.254740992", False),
        (Kind.MONEY, "9007199.254740993", True),
        (Kind.MONEY, "-9007199.254740993", True),
        (Kind.NUMBER, 2**53, False),
        (Kind.NUMBER, 2**53 + 1, True),
        (Kind.NUMBER, 2**64 - 1, True),
    ],
)
def test_what_a_double_does_not_hold_is_text(kind: Kind, value: Any, is_text: bool) -> None:
    (_, (found,)) = by_openpyxl(made([[value]], [Column("c", kind)]))
    assert isinstance(found, str) == is_text
    assert str(found) == str(value) if is_text else float(found) == float(value)


def test_rows_beyond_one_sheet_go_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "MAX_ROWS", 4)
    rows = [[n] for n in range(10)]
    data = made(rows, [Column("n", Kind.NUMBER)], size=5)
    names = openpyxl.load_workbook(io.BytesIO(data)).sheetnames
    assert names == ["About", "view", "view (2)", "view (3)", "view (4)"]
    found = [by_openpyxl(data, name) for name in names[1:]]
    assert all(sheet[0] == ("n",) for sheet in found)
    assert [list(row) for sheet in found for row in sheet[1:]] == rows


def test_names_of_sheets_are_what_excel_takes() -> None:
    book = Workbook()
    for name in ("a/b:c", "x" * 40, "x" * 40, "About", "HISTORY"):
        book.begin(name, COLUMNS)
        book.end()
    book.close([])
    assert [sheet.name for sheet in book.sheets] == [
        "a_b_c",
        "x" * 31,
        "x" * 27 + " (2)",
        "About (2)",
        "HISTORY (2)",
    ]


def test_a_text_too_long_for_a_cell_is_cut_and_counted() -> None:
    book = Workbook()
    rows = [["a" * xlsx.MAX_TEXT], ["😀" * xlsx.MAX_TEXT]]
    book.begin("view", [Column("c", Kind.TEXT)])
    book.add(rows)
    book.end()
    book.close([])
    whole, cut = (row[0] for row in by_openpyxl(book.taken())[1:])
    assert whole == rows[0][0]
    assert cut.endswith("😀…")
    assert len(cut.encode("utf-16-le")) <= 2 * xlsx.MAX_TEXT
    assert book.cut == 1


def test_equal_rows_make_equal_files() -> None:
    assert made([ROW]) == made([ROW])


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(TEXTS, st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False)), min_size=1
    )
)
def test_any_row_is_read_back_as_it_was(rows: list[tuple[str, int, float]]) -> None:
    columns = [Column("t", Kind.TEXT), Column("i", Kind.NUMBER), Column("f", Kind.NUMBER)]
    found = by_openpyxl(made(rows, columns))[1:]
    for (text, integer, number), (a, b, c) in zip(rows, found, strict=True):
        assert openpyxl.utils.escape.unescape(a) == text
        assert int(b) == integer
        assert float(c) == number
