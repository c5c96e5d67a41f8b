"""What a group's rows are sent as: columns that are yet to be encoded, or a block that is."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.facts.added_up import Named, added_up
from pipeline.facts.columns import Arrays, Column, joined
from pipeline.facts.compiled.facts import CompiledFacts
from pipeline.facts.compiled.library import bugs_as_errors
from pipeline.facts.interface import Facts

_encoding = threading.Lock()
"""Held while a block is made, of whatever topic: for milliseconds, in which it takes twice its
memory."""


class Block(NamedTuple):
    """Rows in ClickHouse's Native format, uncompressed: as `pipeline.clickhouse.native` writes."""

    columns: Named
    rows: int
    body: bytes


class Rows(NamedTuple):
    """Rows by column."""

    columns: Named
    data: Sequence[Column | Arrays]


def sent(facts: Sequence[Facts]) -> Block | Rows:
    """Return the rows of one topic's facts, added up where they can be: the same bytes either way.

    A block where all are the compiled reader's, whose columns then never come to Python.
    """
    compiled = [one for one in facts if isinstance(one, CompiledFacts)]
    if len(compiled) == len(facts):
        with _encoding, bugs_as_errors():
            columns, rows, body = compiled[0].library.sent([one.chunk for one in compiled])
        return Block(tuple(columns), rows, body)
    return rows_of(facts)


def rows_of(facts: Sequence[Facts]) -> Rows:
    """Return the rows of any reader's facts by column, added up where they can be."""
    head = facts[0].head
    columns = zip(*(one.columns for one in facts), strict=True)
    return Rows(
        *added_up(
            head,
            [joined(some, kind) for some, (_, kind) in zip(columns, head.columns, strict=True)],
        )
    )
