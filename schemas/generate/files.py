"""The generated files, where they stand, and whether they are fresh.

``released/<version>/`` keeps the schemas of each released version, and the checksums of the golden
payloads, as they were: the tests compare with them.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemas.catalogue import CONTRACT, TYPES
from schemas.generate import asyncapi, json_schema

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "golden"
RELEASED = ROOT / "released"


def generated() -> dict[str, str]:
    """Path to text of every generated file."""
    schemas = {f"json/{name}.json": json_schema.of_event(kind) for name, kind in TYPES.items()}
    documents = {**schemas, "asyncapi.json": asyncapi.document()}
    return {path: text_of(document) for path, document in documents.items()}


def text_of(document: Any) -> str:
    """JSON as it is kept."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def stale(folder: Path) -> list[str]:
    """The generated files that a folder lacks, or has otherwise, or has without their being any."""
    wanted = generated()
    there = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in [*folder.glob("json/*.json"), *folder.glob("asyncapi.json")]
    }
    return sorted(
        path for path in wanted.keys() | there.keys() if wanted.get(path) != there.get(path)
    )


def write(folder: Path) -> list[str]:
    """Write the generated files, and into another folder the golden payloads too; their names."""
    files = generated()
    if folder.resolve() != ROOT:
        files |= {
            path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
            for path in golden_files()
        }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sorted(files)


def golden_files() -> Iterator[Path]:
    """Every file of the golden payloads."""
    yield from sorted(path for path in GOLDEN.rglob("*") if path.is_file())


def release() -> Path:
    """Keep today's schemas and golden payloads as those of this contract's version; its folder.

    Raises:
        FileExistsError: that version is released; what it promised does not change.
    """
    folder = RELEASED / CONTRACT
    folder.mkdir(parents=True)
    for path, text in generated().items():
        if path.startswith("json/"):
            (folder / Path(path).name).write_text(text, encoding="utf-8")
    (folder / "golden.sha256").write_text(
        "".join(
            f"{digest(path)}  {path.relative_to(GOLDEN).as_posix()}\n" for path in golden_files()
        )
    )
    return folder


def digest(path: Path) -> str:
    """SHA-256 in hexadecimal, as ``sha256sum -c`` reads it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
