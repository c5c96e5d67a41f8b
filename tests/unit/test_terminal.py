"""What others wrote neither paints a terminal nor forges a line, whichever command shows it."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipeline.cli import main
from pipeline.cli.answers import show_answer, show_catalogue
from pipeline.cli.events import check
from pipeline.embedded.readings import LedgerSums, Reading, TenantUse
from pipeline.embedded.screen import Frame, render
from pipeline.errors import UsageError
from pipeline.facts import Rules
from pipeline.facts.judge import Judge
from pipeline.kafka.dead_letters.exchange import line as exported
from pipeline.kafka.dead_letters.letter import DeadLetter
from pipeline.kafka.group import Bounds, Group, Member
from pipeline.operate import status
from pipeline.operate.audit import screen as audit
from pipeline.operate.audit.ledger import Log
from pipeline.operate.audit.report import Check, Finding, Report
from pipeline.operate.dead_letters import screen as letters
from pipeline.operate.dead_letters.plan import RetryPlan
from pipeline.operate.tail import screen as tail
from pipeline.operate.tail.passing import SourceRecord, events
from pipeline.process import terminal
from pipeline.process.printable import printable, printable_json
from pipeline.protocol.chunks import Source
from pipeline.views import rows
from pipeline.views.catalogue import Column, View

ROOT = Path(__file__).parents[2]
HOSTILE = "a\x1b[31mred\x00\x07\x9b2J\r\u202eevil\u2066\u200f\u2028x\nforged: ok [bold]b[/] :smile:"
TAME = "a" + "b" * (len(printable(HOSTILE)) - 1)
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069]")

Shown = Callable[[str, Console], None]


def letter(text: str) -> DeadLetter:
    return DeadLetter(
        origin=f"usage.requests:0:{text}",
        source=Source("usage.requests", 0),
        offset=7,
        index=None,
        timestamp=1_780_315_200_000,
        tenant=text,
        type=text,
        reason="invalid_data",
        message=f"tenant: found {text}.",
        value=json.dumps({"id": text}, ensure_ascii=False).encode(),
        headers=[(text, text.encode())],
        size=9,
        at=Source("usage.dead-letter", 0),
    )


def query(text: str, to: Console) -> None:
    columns = [Column(text, "String", text), Column("n", "UInt64", "events")]
    show_answer(columns, [(text, 12), (text, None)], [], to)


def one_wide_row(text: str, to: Console) -> None:
    columns = [Column(f"{text}{n}", "String", "") for n in range(20)]
    show_answer(columns, [[text] * 20], [], to)


def catalogue(text: str, to: Console) -> None:
    column = Column("c", "String", text)
    show_catalogue([View("v", ("A1",), text, (), {}, (column,))], to)


def passing(text: str, to: Console) -> None:
    attributes = {"specversion": "1.0", "id": "1", "source": "s", "subject": text}
    for data in ({text: text, "name": 1}, [text], text):
        event = attributes | {"type": text, "data": data}
        value = json.dumps(event, ensure_ascii=False).encode()
        record = SourceRecord("usage.events", 0, 7, 1_780_315_200_000, [], value)
        for one in events(Judge(Rules()), record):
            to.print(tail.for_people(one), soft_wrap=True)
            to.print(tail.for_programs(one), soft_wrap=True)


def standing(text: str, to: Console) -> None:
    source = Source("usage.requests", 0)
    group = Group("stable", (Member(text, text, frozenset([source])),))
    log = Log(*source, "i")
    line = status.Line(log, Bounds(0, 9), 5, 4, None, f"{text} {text}", None)
    status.show(status.Status(1.7e9, text, group, (line,), "the Python reader reads"), to)


def audited(text: str, to: Console) -> None:
    finding = Finding("gap", text, f"of tenant {text}")
    audit.show(Report([Check(text, f"compared {text}", [finding], [f"note {text}"])]), to)


def listed(text: str, to: Console) -> None:
    letters.show_list([letter(text)], 2, to)


def shown_whole(text: str, to: Console) -> None:
    one = letter(text)
    letters.show_one(one, to)
    to.print(exported(one), soft_wrap=True)


def refused(text: str, to: Console) -> None:
    letters.show_plan(RetryPlan(letter(text), b"", (), text, f"it is {text}"), to)


def running(text: str, to: Console) -> None:
    use = TenantUse(text, 12, cost={"EUR": Decimal(3)})
    reading = Reading(1_780_315_200_000, LedgerSums(received=9), (1.0,), (use,))
    frame = Frame((("store", text),), 1.0, f"trouble {text}")
    to.print(render(reading, frame, to.width, 60))


SCREENS = [
    query,
    one_wide_row,
    catalogue,
    passing,
    standing,
    audited,
    listed,
    shown_whole,
    refused,
    running,
]


def printed(shown: Shown, text: str, width: int) -> str:
    to = terminal.console(file=io.StringIO(), width=width, color_system=None)
    with to.capture() as captured:
        shown(text, to)
    return captured.get()


@pytest.mark.parametrize("width", [80, 4000])
@pytest.mark.parametrize("shown", SCREENS, ids=lambda shown: shown.__name__)
def test_no_screen_is_painted_or_gets_a_line_more(shown: Shown, width: int) -> None:
    text = printed(shown, HOSTILE, width)
    assert not UNSAFE.search(text)
    assert not any(line.startswith("forged") for line in text.splitlines())
    if width > 80:  # nothing is wrapped: each line is one of ours
        assert "\\x1b[31mred" in text
        assert len(text.split("\n")) == len(printed(shown, TAME, width).split("\n"))
        assert "[bold]b[/] :smile:" in text


def test_no_line_of_a_value_looks_like_one_of_ours() -> None:
    one = replace(letter("acme"), value=HOSTILE.encode())
    lines = printed(lambda _, to: letters.show_one(one, to), "", 4000).splitlines()
    assert [line for line in lines if "forged: ok" in line] == ["  forged: ok [bold]b[/] :smile:"]


def test_findings_of_a_check_keep_to_their_lines(tmp_path: Path) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": HOSTILE, "subject": HOSTILE}
    (tmp_path / "events").write_text(json.dumps(event, ensure_ascii=False), encoding="utf-8")
    done = CliRunner().invoke(check, [str(tmp_path / "events")], standalone_mode=False)
    assert done.return_value == 1
    [finding] = done.stdout.splitlines()
    assert not UNSAFE.search(finding)


def test_an_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**_: object) -> None:
        raise UsageError(f"no tenant {HOSTILE}")

    monkeypatch.setattr(main.cli, "main", refuse)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == UsageError.exit_code
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("usage: no tenant a\\x1b[31m")
    assert not UNSAFE.search(line)


def test_json_means_the_same() -> None:
    out = io.StringIO()
    rows.show_json([{HOSTILE: HOSTILE}], out)
    assert not UNSAFE.search(out.getvalue())
    assert json.loads(out.getvalue()) == [{HOSTILE: HOSTILE}]


@given(st.text())
def test_whatever_is_written_is_shown_on_one_line(text: str) -> None:
    shown = printable(text)
    assert "\n" not in shown
    for character in shown:
        assert unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}
    assert printable(shown) == shown
    document = json.dumps(text, ensure_ascii=False)
    assert json.loads(printable_json(document)) == text


def test_names_in_any_script_stay_as_they_are() -> None:
    for name in ("Zoë Müller", "株式会社", "می‌خواهم", "क्‍ष", "👩‍🚀 Inc."):
        assert printable(name) == name


def test_only_one_module_makes_what_is_printed() -> None:
    makes = re.compile(r"^(?:from rich|import rich)", re.MULTILINE)
    made = {
        str(path.relative_to(ROOT / "pipeline"))
        for path in (ROOT / "pipeline").rglob("*.py")
        if makes.search(path.read_text(encoding="utf-8"))
    }
    # The live screen groups what the others' lines and tables are, and draws it again and again.
    assert made == {"process/terminal.py", "embedded/screen.py", "embedded/view.py"}


def test_a_pipe_is_as_wide_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert terminal.console(file=io.StringIO()).width == terminal.PIPE_WIDTH
    monkeypatch.setenv("COLUMNS", "97")
    assert terminal.console(file=io.StringIO()).width == 97


def test_a_row_that_is_too_wide_is_shown_upright() -> None:
    names = [f"cache_creation_input_tokens_{n}" for n in range(6)]
    columns = [Column(name, "UInt64", "tokens" if n else "events") for n, name in enumerate(names)]
    wide = printed(lambda _, to: show_answer(columns, [range(6)], [], to), "", 140).splitlines()
    assert [line.split() for line in wide] == [
        [name, *(["(events)"] if not n else []), str(n)] for n, name in enumerate(names)
    ]
    two = printed(lambda _, to: show_answer(columns, [range(6)] * 2, [], to), "", 140).splitlines()
    assert two[0] == "row 1 of 2"
    assert len(two) == 14
    assert (
        len(printed(lambda _, to: show_answer(columns, [range(6)], [], to), "", 260).splitlines())
        == 2
    )


def test_no_width_breaks_a_partitions_name() -> None:
    source = Source("usage.recipe-actions", 3)
    newest = status.Newest(5, 1.7e9 - 600, 1.7e9 - 600, 1.7e9 - 600)
    line = status.Line(
        Log(*source, "i"), Bounds(0, 10**9), 10**9, 10**9, None, "10.0.0.1 w" + "x" * 60, newest
    )
    group = Group("stable", (Member("w", "10.0.0.1", frozenset([source])),))
    found = status.Status(1.7e9, "usage", group, (line,), "the Python reader reads")

    def shown(width: int) -> list[str]:
        return printed(lambda _, to: status.show(found, to), "", width).splitlines()

    for width in (40, 60, 80, 100, 120, 160, 300):
        assert any("usage.recipe-actions[3]" in line for line in shown(width)), width
        assert all(len(line) <= width for line in shown(width)), width
    assert len(shown(160)) == 6
    assert shown(160)[5].split()[:2] == ["usage.recipe-actions[3]", "1,000,000,000"]
    assert shown(160)[5].rstrip().endswith("…")
    assert shown(80)[4] == "usage.recipe-actions[3]"
    assert shown(80)[5].startswith("    counted to 1,000,000,000, committed 1,000,000,000, ")
