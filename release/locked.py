"""What is pinned, read from the three locks: Python's, the crate's, the page's."""

from __future__ import annotations

import base64
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from packaging.requirements import Requirement

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class Pinned(NamedTuple):
    """One package at one version."""

    ecosystem: str
    """As package URLs name it: ``pypi``, ``cargo``, ``npm``."""
    name: str
    version: str
    hashes: tuple[str, ...]
    """Of its files, as hexadecimal digits: SHA-256 of each, of npm's one file SHA-512."""
    needs: tuple[str, ...] = ()
    """Names of packages of the same lock, where the lock says so."""
    when: str = ""
    """The marker under which it is installed; empty: always."""


def requirements(text: str) -> Iterator[Pinned]:
    """Yield what a lock of pip's pins, with the hash of each file of it."""
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        wanted = Requirement(line.split(" --hash=", 1)[0])
        [pin] = wanted.specifier
        hashes = tuple(_HASH.findall(line))
        marker = str(wanted.marker or "")
        yield Pinned("pypi", wanted.name, pin.version, hashes, when=marker)


def crates(text: str, manifest: str) -> Iterator[Pinned]:
    """Yield the crates of ``crates.txt`` that the manifest's library is built of, tests' not."""
    lines = {(words := line.split())[0]: words for line in text.splitlines()}
    open_names = list(_wanted(tomllib.loads(manifest)))
    seen: set[str] = set()
    while open_names:
        name = open_names.pop()
        if name in seen:
            continue
        seen.add(name)
        open_names += _needs(lines[name])
    for name in sorted(seen):
        _, version, checksum, *_ = lines[name]
        yield Pinned("cargo", name, version, (checksum,), _needs(lines[name]))


def _wanted(manifest: Mapping[str, object]) -> Iterator[str]:
    """The names under ``[dependencies]``, of all targets."""
    for key, table in manifest.items():
        if key == "dependencies" and isinstance(table, dict):
            yield from table
        elif key == "target" and isinstance(table, dict):
            for one in table.values():
                yield from _wanted(one)


def _needs(line: list[str]) -> tuple[str, ...]:
    return tuple(name.partition("@")[0] for name in line[3:])


def page(text: str) -> Iterator[Pinned]:
    """Yield what ``package-lock.json`` pins and the page's files contain, tools not."""
    for path, one in json.loads(text)["packages"].items():
        if not path or one.get("dev") or one.get("peer"):
            continue
        algorithm, _, digest = one["integrity"].partition("-")
        if algorithm != "sha512":
            raise ValueError(f"{path}: expected a SHA-512, found {algorithm}")
        hexadecimal = base64.b64decode(digest).hex()
        name = path.rpartition("node_modules/")[2]
        yield Pinned(
            "npm", name, one["version"], (hexadecimal,), tuple(one.get("dependencies", ()))
        )
