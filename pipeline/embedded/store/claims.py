"""Deduplication tokens whose rows never arrived: what a killed MergeTree leaves behind, put right.

A table that is not replicated writes "this token came in as part P" to its deduplication log and
then renames the part into place. Killed in between, it starts with the token taken and the part
gone: a retry is dropped, its rows are lost for good, and nothing says so. (Seen with 26.9 whenever
the process was killed on the log's write: `docs/decisions/tokens-without-rows.md`.)

So before the engine opens the files, every token at the end of a log whose part is nowhere gets
the record that the engine itself writes when a part is dropped. Only the last can be such tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

TAIL_BYTES = 1 << 20
"""Of each log: some ten thousand tokens, where the inserts under way at once are a few dozen."""

_ADD, _DROP = "1", "2"
_PART = re.compile(r"(?P<partition>.+)_(?P<first>\d+)_(?P<last>\d+)_\d+(?:_\d+)?")


class Part(NamedTuple):
    """Which blocks of which table partition a part holds."""

    partition: str
    first: int
    last: int

    def covers(self, other: Part) -> bool:
        """Whether it is, or was merged from, the other one."""
        return (
            self.partition == other.partition
            and self.first <= other.first
            and other.last <= self.last
        )


class Claim(NamedTuple):
    """One line of a log: a token, and the part that its rows are said to be in."""

    part_name: str
    token: str


def release(engine: Path) -> int:
    """Free the tokens without rows of every table under a folder; returns how many.

    The engine must be stopped. Works on a stopped ClickHouse server's data folder too.
    """
    return sum(_release(logs) for logs in sorted(engine.rglob("deduplication_logs")))


def dangling(lines: Iterable[str], parts: Iterable[Part]) -> list[Claim]:
    """The claims among a log's last lines that stand, and whose part is not there."""
    standing: dict[str, Claim] = {}
    for line in lines:
        operation, _, rest = line.partition("\t")
        part_name, _, token = rest.partition("\t")
        if operation == _ADD:
            standing[token] = Claim(part_name, token)
        else:
            standing.pop(token, None)
    present = list(parts)
    return [claim for claim in standing.values() if not _is_there(claim, present)]


def _is_there(claim: Claim, present: list[Part]) -> bool:
    part = _part(claim.part_name)
    return part is None or any(one.covers(part) for one in present)


def _release(logs: Path) -> int:
    files = sorted(logs.glob("deduplication_log_*.txt"), key=_number)
    lines = [line for file in files[-2:] for line in _tail(file)]
    claims = dangling(lines, _parts(logs.parent))
    if claims:
        with files[-1].open("a", encoding="utf-8") as log:
            log.writelines(f"{_DROP}\t{claim.part_name}\t{claim.token}\n" for claim in claims)
    return len(claims)


def _number(log: Path) -> int:
    return int(log.stem.rpartition("_")[2])


def _tail(log: Path) -> list[str]:
    """The whole lines among a log's last bytes."""
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL_BYTES))
        text = file.read().decode(errors="replace")
    lines = text.split("\n")[:-1]
    return lines if size <= TAIL_BYTES else lines[1:]


def _parts(table: Path) -> Iterator[Part]:
    for entry in table.iterdir():
        part = _part(entry.name) if entry.is_dir() else None
        if part and not entry.name.startswith(("tmp", "delete")):
            yield part


def _part(name: str) -> Part | None:
    match = _PART.fullmatch(name)
    return Part(match["partition"], int(match["first"]), int(match["last"])) if match else None
