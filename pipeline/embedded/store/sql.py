"""Just enough of ClickHouse's grammar to carry a statement from HTTP to the engine.

Each statement is one of three kinds, told by its main verb (which a WITH clause may precede) and
by where its data begins. What is not understood here goes to the engine as it is, whose error
message is the right one; nothing is ever added to a statement whose end is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from pipeline.embedded.store.answers import Refusal
from pipeline.embedded.store.limits import refuse
from pipeline.embedded.store.tokens import Token, tokens

_ANSWERING = frozenset({"SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "CHECK", "KILL", "WATCH"})
_READING = frozenset({"SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "SET", "USE"})
_SELECTING = frozenset({"SELECT", "WITH", "FROM"})
_BEFORE_A_NAME = frozenset({"INSERT", "INTO", "TABLE", "FUNCTION"})


class Kind(Enum):
    """What a statement is to the front."""

    READ = "read"  # a SELECT: its answer streams
    DATA = "data"  # an INSERT whose data follows it in a format
    OTHER = "other"  # anything else: its answer is small


@dataclass(frozen=True)
class Statement:
    """One statement, and the places in it that the front needs."""

    kind: Kind
    text: str  # without a trailing semicolon; without the data
    place: int  # where INTO OUTFILE or FROM INFILE goes
    format: str  # its FORMAT, '' if it names none
    data: int  # where its data begins in what was read; its length if there is none
    verb: str = ""  # its main verb
    source: tuple[int, int] | None = None  # from where to where its input() stands, for DATA

    @property
    def streams(self) -> bool:
        """Whether its answer may be large."""
        return self.kind is Kind.READ

    @property
    def answers(self) -> bool:
        """Whether it has an answer, be it without rows."""
        return self.kind is Kind.READ or self.verb in _ANSWERING

    @property
    def reads_only(self) -> bool:
        """Whether it changes nothing outside its session."""
        return self.kind is Kind.READ or self.verb in _READING | _SELECTING

    @property
    def sets(self) -> bool:
        """Whether a session must remember it."""
        return self.verb in {"SET", "USE"}

    def into(self, file: str, default_format: str) -> str:
        """The SELECT, its answer written to ``file``."""
        clause = f" INTO OUTFILE '{file}' TRUNCATE "
        if not self.format:
            clause += f"FORMAT {default_format}"
        return f"{self.text[: self.place]}{clause}{self.text[self.place :]}"

    def from_file(self, file: str) -> str:
        """The INSERT, its data read from ``file``."""
        if self.source is None:
            return f"{self.text[: self.place]} FROM INFILE '{file}' {self.text[self.place :]}"
        start, end = self.source
        return (
            f"{self.text[:start]}file('{file}', '{self.format}', "
            f"{self.text[start:end].partition('(')[2]}{self.text[end : self.place]}"
        )


def parse(text: str) -> Statement:
    """Find out what ``text`` is and where its parts are.

    Raises:
        Refusal: it is empty, more than one statement, or needs what only a real server has.
    """
    coming = tokens(text)
    head, verb = _until_verb(coming)
    if verb == "INSERT":
        return _insert(text, head, coming)
    found = [*head, *coming]
    whole = Statement(Kind.OTHER, text, len(text), "", len(text), verb)
    if found and found[-1].kind == "open":
        return whole
    _one_statement(found)
    if found and found[-1].text == ";":
        found.pop()
    if not found:
        raise Refusal(62, "SYNTAX_ERROR", "Syntax error: Empty query")
    refuse(found)
    end = found[-1].end
    at, name = _format(found)
    kind = Kind.READ if verb in _SELECTING or verb == "(" else Kind.OTHER
    return Statement(kind, text[:end], end if at is None else at, name, len(text), verb)


def _until_verb(coming: Iterator[Token]) -> tuple[list[Token], str]:
    """The tokens up to the main verb, and that verb; a WITH clause may come before it."""
    head: list[Token] = []
    for token in coming:
        head.append(token)
        if head[0].word != "WITH":
            return head, token.word or token.text
        before = head[-2] if len(head) > 1 else token
        if (
            not token.depth
            and token.word in {"SELECT", "FROM", "INSERT"}
            and before.ends_expression
            and before.word not in {"WITH", "RECURSIVE", "AS"}
        ):
            return head, token.word
    return head, head[0].word if head else ""


def _insert(text: str, seen: list[Token], coming: Iterator[Token]) -> Statement:
    """Read an INSERT as far as its data; the data is never looked at."""
    settings: int | None = None
    source: tuple[int, int] | None = None
    selects = False
    for token in coming:
        before = seen[-1]
        seen.append(token)
        if token.kind == "open":
            break
        if source is None and token.text == "(" and before.word == "INPUT" and selects:
            source = before.start, _closing(seen, coming)
            continue
        if token.depth or before.word in _BEFORE_A_NAME or before.text == ".":
            selects |= token.word in _SELECTING and before.text == "("
            continue
        selects |= token.word in _SELECTING
        if token.word == "SETTINGS" and not selects:
            settings = token.start
        if token.word == "VALUES" and not selects:
            refuse(seen)
            _nothing_behind_values(text, token.end)
            place = token.start if settings is None else settings
            written = f"{text[: token.start]}FORMAT Values"
            return Statement(Kind.DATA, written, place, "Values", token.end, "INSERT")
        if token.word != "FORMAT" or (selects and source is None):
            continue
        named = next(coming, None)
        name = _name(named) if named else ""
        if not named or not name:
            seen += [named] if named else []
            continue
        refuse(seen)
        place = token.start if settings is None else settings
        data = _data(text, named.end)
        return Statement(Kind.DATA, text[: named.end], place, name, data, "INSERT", source)
    _one_statement(seen)
    refuse(seen)
    return Statement(Kind.OTHER, text, len(text), "", len(text), "INSERT")


def _nothing_behind_values(text: str, start: int) -> None:
    """Refuse what follows the values' `;`: from a file the engine would pass over it in silence."""
    if text.find(";", start, len(text.rstrip()) - 1) < 0:
        return
    behind = tokens(text[start:])
    ended = any(token.text == ";" for token in behind)
    if ended and next(behind, None):
        raise Refusal(
            27,
            "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
            "Cannot read data after semicolon: an INSERT's values end with it, and it is one "
            "statement a request",
        )


def _closing(seen: list[Token], coming: Iterator[Token]) -> int:
    """Read on to the bracket that closes the last one seen; where it ends."""
    opened = seen[-1].depth
    for token in coming:
        seen.append(token)
        if token.text == ")" and token.depth == opened:
            break
    return seen[-1].end


def _data(text: str, end: int) -> int:
    """As the server does: blanks, then one line end, belong to the statement."""
    if text[end : end + 1] == ";":
        raise Refusal(
            62,
            "SYNTAX_ERROR",
            f"Syntax error: a ';' stands between the format and the data of INSERT, at position "
            f"{end + 1}: leave it out",
        )
    found = re.compile(r"[ \t\f]*(?:\r?\n)?").match(text, end)
    return found.end() if found else end


def _name(token: Token) -> str:
    """The identifier that a token is; '' if it is none."""
    if token.kind == "word":
        return token.text
    return token.text[1:-1] if token.kind == "quoted" and token.text[0] in '`"' else ""


def _format(found: Sequence[Token]) -> tuple[int | None, str]:
    """Where the statement's FORMAT stands and what it names."""
    for at in range(len(found) - 2, 0, -1):
        token, name, before = found[at], _name(found[at + 1]), found[at - 1]
        if token.depth or token.word != "FORMAT" or not name:
            continue
        if name.upper() in {"ASC", "DESC", "NULLS"} or before.word in {"BY", "SELECT", "AS"}:
            continue
        after = found[at + 2] if at + 2 < len(found) else None
        if before.ends_expression and (after is None or after.word == "SETTINGS"):
            return token.start, name
    return None, ""


def _one_statement(found: Sequence[Token]) -> None:
    for at, token in enumerate(found[:-1]):
        if token.text == ";":
            raise Refusal(
                62,
                "SYNTAX_ERROR",
                f"Syntax error (Multi-statements are not allowed): failed at position "
                f"{token.start + 1}: {found[at + 1].text}",
            )
