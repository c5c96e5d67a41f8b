"""The pages for people: what they point at is there, and the index has them all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.facts.types import TYPES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "tests" / "README.md"]
    if "node_modules" not in path.parts
)
FOR_CONTRIBUTORS = ("CONTRIBUTING.md", "docs/architecture.md", "tests/README.md")
ROOMS = "agents|deploy|docs|pipeline|schemas|tests"
LINES = 120


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def in_words(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=in_words)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text_of(page))
    local = [target for target in targets if "://" not in target]
    assert [one for one in local if not (page.parent / one).exists()] == []


@pytest.mark.parametrize("page", FOR_CONTRIBUTORS)
def test_paths_that_are_named_exist(page: str) -> None:
    named = re.findall(rf"`((?:{ROOMS})/[\w./-]*)`", text_of(ROOT / page))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_architecture_names_paths_and_every_room() -> None:
    text = text_of(DOCS / "architecture.md")
    assert len(text.splitlines()) <= 120
    assert len(re.findall(rf"`(?:{ROOMS})/", text)) > 50
    rooms = {path.name for path in (ROOT / "pipeline").iterdir() if path.suffix in {"", ".py"}}
    rooms = {name.removesuffix(".py") for name in rooms if not name.startswith("_")}
    [layers] = re.findall(r"\n## Layers\n(.*?)\n## ", text, re.DOTALL)
    assert {name for name in rooms if f"`{name}`" not in layers} == set()


def test_the_index_has_every_page() -> None:
    index = text_of(DOCS / "README.md")
    linked = {(DOCS / target).resolve() for target in re.findall(r"\]\(([^)#]+)\)", index)}
    pages = {path for path in PAGES if DOCS in path.parents} - {DOCS / "README.md"}
    assert sorted(in_words(page) for page in pages - linked) == []


def test_the_readme_counts_the_views_and_names_the_topics() -> None:
    text = text_of(ROOT / "README.md")
    views = list((ROOT / "deploy" / "clickhouse" / "views").glob("[!_]*.sql"))
    assert f"{len(views)} views" in text
    assert [topic for topic in TYPES if topic not in text] == []


def test_the_readme_of_tests_has_every_folder() -> None:
    text = text_of(ROOT / "tests" / "README.md")
    folders = {
        path.parent.relative_to(ROOT / "tests").as_posix()
        for path in (ROOT / "tests").rglob("*.py")
    } - {".", "support"}
    assert [folder for folder in sorted(folders) if f"`{folder}/`" not in text] == []


GENERATED = {"settings.md", "metrics.md", "views.md", "tables.md", "benchmarks.md"}


def long_lines(text: str) -> list[str]:
    """Lines of prose that are not wrapped; tables, code and headings are as long as they must."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [
        line
        for line in prose.splitlines()
        if len(line) > LINES
        and not line.lstrip().startswith(("|", "#"))
        and " " in re.sub("`[^`]*`", "", line.strip())
    ]


@pytest.mark.parametrize("page", [p for p in PAGES if p.name not in GENERATED], ids=in_words)
def test_prose_is_wrapped(page: Path) -> None:
    assert long_lines(text_of(page)) == []
