"""XLSX workbooks, streamed: rows go in, the bytes of a zip file come out, nothing is kept.

A sheet a view; behind 1,048,576 rows the next one begins. Strings are inline strings, so that no
value can become a formula. Excel's numbers are doubles: what one cannot hold exactly is text.
The sheet *About* stands first in the book and is written last, when all that it tells is known.

The format is ECMA-376 (Office Open XML); limits are those of Excel's specification.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from functools import partial
from math import isfinite
from typing import IO, Any, NamedTuple
from xml.sax.saxutils import escape

MAX_ROWS = 1_048_576
"""Of a sheet, its head included."""

MAX_TEXT = 32_767
"""Characters of a cell, in UTF-16 units; longer text is cut, and *About* says how often."""

MAX_SHEET_NAME = 31

_EXACT = 2**53
"""Doubles hold every integer up to this one."""
_SURELY_EXACT = len("999999.999999999")
_STAMP = (1980, 1, 1, 0, 0, 0)  # of every part, so that equal rows make equal files
_LEVEL = 1
_EPOCH = date(1899, 12, 30)
_EMPTY = "<c/>"
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\ufffe\uffff]|_x[0-9A-Fa-f]{4}_")
_IN_NAMES = str.maketrans(dict.fromkeys("[]:*?/\\'", "_"))


Cells = Callable[[Sequence[Any]], Iterable[str]]
"""A column's values as cells."""


class Kind(Enum):
    """What a column's values are, as JSON has them."""

    TEXT = "text"
    NUMBER = "number"  # integers and floats
    MONEY = "money"  # the text of a decimal with nine places
    DAY = "day"  # 2026-05-01
    INSTANT = "instant"  # RFC 3339; shown as the clock of its offset says


class Column(NamedTuple):
    """A column of a sheet."""

    name: str
    kind: Kind


class Sheet(NamedTuple):
    """A sheet that was written, as *About* lists it."""

    name: str
    rows: int


@dataclass
class Sink:
    """Where a workbook is written: takes bytes, gives them away again; cannot be sought in."""

    _parts: list[bytes] = field(default_factory=list)

    def write(self, data: bytes) -> int:
        """Take bytes."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: there is nothing behind it."""

    def take(self) -> bytes:
        """Everything that was written since the last time."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


class Workbook:
    """One workbook on its way: sheets and rows are put in, bytes are taken out.

    For each sheet `begin`, `add` as often as there are rows, `end`; at last `close`. `taken` gives
    what came to be since the last time.
    """

    def __init__(self) -> None:
        self._sink = Sink()
        self._zip = zipfile.ZipFile(
            self._sink,  # type: ignore[call-overload]  # it neither seeks nor tells, and need not
            "w",
            zipfile.ZIP_DEFLATED,
            compresslevel=_LEVEL,
        )
        self._text = _Texts()
        self._cells: list[Cells] = []
        self._head = self._name = ""
        self._part: IO[bytes] | None = None
        self.sheets: list[Sheet] = []
        """In the order of the book; the last one may have more rows to come."""

    @property
    def cut(self) -> int:
        """How many texts were too long for a cell."""
        return self._text.cut

    def begin(self, name: str, columns: Sequence[Column]) -> None:
        """Begin a sheet with its head."""
        self._name = name
        self._cells = [self._cells_of(column.kind) for column in columns]
        self._head = "".join(self._text(column.name) for column in columns)
        self._begin_part()

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write rows, with values as JSON has them; goes on in another sheet where one is full."""
        start = 0
        while start < len(rows):
            room = MAX_ROWS - 1 - self.sheets[-1].rows
            if not room:
                self.end()
                self._begin_part()
                continue
            piece = rows[start : start + room]
            self._writing.write(_rows(self._cells, piece))
            self.sheets[-1] = self.sheets[-1]._replace(rows=self.sheets[-1].rows + len(piece))
            start += len(piece)

    def end(self) -> None:
        """End a sheet."""
        self._writing.write(_SHEET_END)
        self._writing.close()
        self._part = None

    def taken(self) -> bytes:
        """The bytes of the file that came to be since the last time."""
        return self._sink.take()

    def close(self, about: Iterable[tuple[str, str]]) -> None:
        """Write *About*, a name and a text each line, and what holds the book together."""
        part = self._open("xl/worksheets/sheet1.xml")
        part.write(_SHEET_HEAD_OF_TWO.encode())
        for name, text in about:
            part.write(f"<row>{self._text(name)}{self._text(text)}</row>".encode())
        part.write(_SHEET_END)
        part.close()
        names = ["About", *(sheet.name for sheet in self.sheets)]
        for path, content in _skeleton(names):
            with self._open(path) as part:
                part.write(content.encode())
        self._zip.close()

    @property
    def _writing(self) -> IO[bytes]:
        if self._part is None:
            raise ValueError("no sheet was begun")
        return self._part

    def _cells_of(self, kind: Kind) -> Cells:
        of_kind: dict[Kind, Cells] = {
            Kind.TEXT: _each_once(self._text),
            Kind.NUMBER: partial(map, _number),
            Kind.MONEY: partial(map, _money),
            Kind.DAY: _each_once(_day),
            Kind.INSTANT: _each_once(_instant),
        }
        return of_kind[kind]

    def _begin_part(self) -> None:
        self.sheets.append(Sheet(self._free_name(self._name), 0))
        self._part = self._open(f"xl/worksheets/sheet{len(self.sheets) + 1}.xml")
        self._part.write(f"{_SHEET_HEAD}<row>{self._head}</row>".encode())

    def _free_name(self, name: str) -> str:
        """A sheet's name: of allowed characters, not too long, and not there yet."""
        taken = {"about", "history", *(sheet.name.lower() for sheet in self.sheets)}
        plain = name.translate(_IN_NAMES)
        number, free = 1, plain[:MAX_SHEET_NAME] or "sheet"
        while free.lower() in taken:
            number += 1
            behind = f" ({number})"
            free = plain[: MAX_SHEET_NAME - len(behind)] + behind
        return free

    def _open(self, path: str) -> IO[bytes]:
        info = zipfile.ZipInfo(path, _STAMP)
        info.compress_type = zipfile.ZIP_DEFLATED
        part: IO[bytes] = self._zip.open(info, "w", force_zip64=True)
        return part


def _rows(cells: Sequence[Cells], lines: Sequence[Sequence[Any]]) -> bytes:
    columns = [
        column_cells(column)
        for column_cells, column in zip(cells, zip(*lines, strict=True), strict=True)
    ]
    return "".join(f"<row>{''.join(row)}</row>" for row in zip(*columns, strict=True)).encode()


def _each_once(cell: Callable[[Any], str]) -> Cells:
    """A column's cells, of which equal ones are made once: names, days and instants repeat."""

    def cells(values: Sequence[Any]) -> Iterable[str]:
        made = {value: cell(value) for value in set(values)}
        return map(made.__getitem__, values)

    return cells


class _Texts:
    """Texts as cells; counts those it had to cut."""

    def __init__(self) -> None:
        self.cut = 0

    def __call__(self, value: Any) -> str:
        if value is None:
            return _EMPTY
        text = value if isinstance(value, str) else _plain(value)
        if len(text) > MAX_TEXT // 2:
            text = self._bounded(text)
        return _text(text)

    def _bounded(self, text: str) -> str:
        units = text.encode("utf-16-le", "surrogatepass")
        if len(units) <= 2 * MAX_TEXT:
            return text
        self.cut += 1
        return units[: 2 * (MAX_TEXT - 1)].decode("utf-16-le", "ignore") + "…"


def _text(text: str) -> str:
    if not text.isprintable() or "_x" in text:
        text = _FORBIDDEN.sub(_spelled, text)
    if "&" in text or "<" in text or ">" in text:
        text = escape(text)
    kept = ' xml:space="preserve"' if text[:1].isspace() or text[-1:].isspace() else ""
    return f'<c t="inlineStr"><is><t{kept}>{text}</t></is></c>'


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _spelled(match: re.Match[str]) -> str:
    """A character that XML has not, as ECMA-376 (ST_Xstring) spells it; so for what looks so."""
    found = match[0]
    return f"_x{ord(found):04X}_" if len(found) == 1 else f"_x005F_{found[1:]}"


def _number(value: Any) -> str:
    if type(value) is int and -_EXACT <= value <= _EXACT:
        return f"<c><v>{value}</v></c>"
    if value is None:
        return _EMPTY
    if isinstance(value, bool):
        return f'<c t="b"><v>{value:d}</v></c>'
    if isinstance(value, float) and isfinite(value):
        return f"<c><v>{value!r}</v></c>"
    return _text(str(value))


def _money(value: Any) -> str:
    if value is None:
        return _EMPTY
    if len(value) > _SURELY_EXACT and abs(int(value.replace(".", ""))) > _EXACT:
        return _text(str(value))
    return f'<c s="3"><v>{value}</v></c>'


def _day(value: Any) -> str:
    if value is None:
        return _EMPTY
    return f'<c s="1"><v>{(date.fromisoformat(value) - _EPOCH).days}</v></c>'


def _instant(value: Any) -> str:
    if value is None:
        return _EMPTY
    clock = datetime.fromisoformat(value).replace(tzinfo=None)
    seconds = clock.hour * 3600 + clock.minute * 60 + clock.second + clock.microsecond / 1e6
    return f'<c s="2"><v>{(clock.date() - _EPOCH).days + seconds / 86_400!r}</v></c>'


_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"

_SHEET_HEAD = (
    f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    '</sheetView></sheetViews><sheetFormatPr defaultColWidth="16" defaultRowHeight="15"/>'
    "<sheetData>"
)
_SHEET_HEAD_OF_TWO = (
    f'{_XML}<worksheet xmlns="{_MAIN}"><sheetFormatPr defaultRowHeight="15"/>'
    '<cols><col min="1" max="1" width="24" customWidth="1"/>'
    '<col min="2" max="2" width="100" customWidth="1"/></cols><sheetData>'
)
_SHEET_END = b"</sheetData></worksheet>"
_STYLES = (
    f'{_XML}<styleSheet xmlns="{_MAIN}"><numFmts count="3">'
    '<numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd hh:mm"/>'
    '<numFmt numFmtId="166" formatCode="#,##0.00#######"/></numFmts>'
    '<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="4"><xf/>'
    + "".join(f'<xf numFmtId="{number}" applyNumberFormat="1"/>' for number in (164, 165, 166))
    + '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/>'
    + "</cellStyles></styleSheet>"
)


def _skeleton(sheets: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The parts that say which sheets there are: a path and its XML each."""
    numbered = list(enumerate(sheets, 1))
    overrides = "".join(
        f'<Override PartName="/xl/{path}" ContentType="{_TYPE}.{kind}+xml"/>'
        for path, kind in (
            ("workbook.xml", "sheet.main"),
            ("styles.xml", "styles"),
            *((f"worksheets/sheet{number}.xml", "worksheet") for number, _ in numbered),
        )
    )
    yield (
        "[Content_Types].xml",
        (
            f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
        ),
    )
    yield "_rels/.rels", _relationships([("officeDocument", "xl/workbook.xml")])
    listed = "".join(
        f'<sheet name="{escape(name, {chr(34): "&quot;"})}" sheetId="{number}" r:id="rId{number}"/>'
        for number, name in numbered
    )
    yield (
        "xl/workbook.xml",
        f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>',
    )
    targets = [("worksheet", f"worksheets/sheet{number}.xml") for number, _ in numbered]
    yield "xl/_rels/workbook.xml.rels", _relationships([*targets, ("styles", "styles.xml")])
    yield "xl/styles.xml", _STYLES


def _relationships(targets: Sequence[tuple[str, str]]) -> str:
    listed = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, 1)
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{listed}</Relationships>'
