"""Just enough of ClickHouse's grammar to carry a statement from HTTP to the engine.

Text is bytes read as Latin-1, so that positions are byte offsets and data after an INSERT's
``FORMAT`` may be anything. What is not understood here goes to the engine as it is, whose error
message is the right one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from pipeline.embedded.store.answers import Refusal

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|\#[\ !][^\n]*|/\*.*?\*/)
      | (?P<quoted>'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*"
                  |\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<number>\d[\w.]*)
      | (?P<sign>.)""",
    re.DOTALL | re.VERBOSE | re.ASCII,
)

# Table functions and engines that reach outside the store: files, other hosts, programs.
_REACHING = frozenset(
    """file filecluster url urlcluster s3 s3cluster gcs azureblobstorage remote remotesecure
    cluster clusterallreplicas executable python mysql postgresql mongodb redis sqlite odbc jdbc
    hdfs hdfscluster iceberg deltalake hudi arrowflight kafka nats rabbitmq""".split()  # noqa: SIM905
)
_ACCESS = frozenset({"USER", "ROLE", "QUOTA", "POLICY", "PROFILE"})
_READING = frozenset({"SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "SET", "USE"})
_SYSTEM = frozenset({"SHUTDOWN", "KILL", "SUSPEND", "LISTEN", "RESTART", "REPLICA", "FAILPOINT"})


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
    first: str = ""  # its first word

    @property
    def streams(self) -> bool:
        """Whether its answer may be large."""
        return self.kind is Kind.READ

    @property
    def reads_only(self) -> bool:
        """Whether it changes nothing outside its session."""
        return self.kind is Kind.READ or self.first in _READING

    @property
    def sets(self) -> bool:
        """Whether a session must remember it."""
        return self.first in {"SET", "USE"}

    def into(self, file: str, default_format: str) -> str:
        """The SELECT, its answer written to ``file``."""
        clause = f" INTO OUTFILE '{file}' TRUNCATE "
        if not self.format:
            clause += f"FORMAT {default_format}"
        return f"{self.text[: self.place]}{clause}{self.text[self.place :]}"

    def from_file(self, file: str) -> str:
        """The INSERT, its data read from ``file``."""
        return f"{self.text[: self.place]} FROM INFILE '{file}' {self.text[self.place :]}"


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int
    depth: int

    @property
    def word(self) -> str:
        return self.text.upper() if self.kind == "word" else ""


def parse(text: str) -> Statement:
    """Find out what ``text`` is and where its parts are.

    Raises:
        Refusal: it is empty, more than one statement, or needs what only a real server has.
    """
    tokens = _tokens(text)
    first = next(tokens, None)
    if first is None:
        raise Refusal(62, "SYNTAX_ERROR", "Syntax error: Empty query")
    if first.word == "INSERT":
        return _insert(text, tokens)
    rest = [first, *tokens]
    _one_statement(rest)
    if rest[-1].text == ";":
        rest.pop()
    if not rest:
        raise Refusal(62, "SYNTAX_ERROR", "Syntax error: Empty query")
    _refuse(rest)
    end = rest[-1].end
    at, name = _format(rest)
    kind = (
        Kind.READ if first.word in {"SELECT", "WITH", "FROM"} or first.text == "(" else Kind.OTHER
    )
    return Statement(kind, text[:end], end if at is None else at, name, len(text), first.word)


def _tokens(text: str) -> Iterator[_Token]:
    depth = 0
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "sign"
        if match["quoted"] is not None:
            kind = "quoted"
        if kind == "space":
            continue
        if match[0] in {")", "]", "}"}:
            depth -= 1
        yield _Token(kind, match[0], match.start(), match.end(), depth)
        if match[0] in {"(", "[", "{"}:
            depth += 1


def _insert(text: str, tokens: Iterator[_Token]) -> Statement:
    """Read an INSERT as far as its data; the data is never looked at."""
    seen: list[_Token] = []
    settings: int | None = None
    for token in tokens:
        seen.append(token)
        if token.depth:
            continue
        if token.word in {"SELECT", "WITH"}:
            seen.extend(tokens)
            _one_statement(seen)
            break
        if token.word == "VALUES":
            break
        if token.word == "SETTINGS":
            settings = token.start
        if token.word == "FORMAT":
            name = next(tokens, None)
            if name is None or name.kind != "word" or name.word == "VALUES":
                break
            _refuse(seen)
            end = name.end
            place = token.start if settings is None else settings
            return Statement(Kind.DATA, text[:end], place, name.text, _data(text, end))
    _refuse(seen)
    return Statement(Kind.OTHER, text, len(text), "", len(text))


def _data(text: str, end: int) -> int:
    """As the server does: blanks, then one line end, belong to the statement."""
    found = re.compile(r"[ \t\f]*(?:;[ \t\f]*)?(?:\r?\n)?").match(text, end)
    return found.end() if found else end


def _format(tokens: Sequence[_Token]) -> tuple[int | None, str]:
    """Where the statement's FORMAT stands and what it names."""
    for at in range(len(tokens) - 2, 0, -1):
        token, name, before = tokens[at], tokens[at + 1], tokens[at - 1]
        if token.depth or token.word != "FORMAT" or name.kind != "word":
            continue
        if name.word in {"ASC", "DESC", "NULLS"} or before.word in {"BY", "SELECT", "AS"}:
            continue
        after = tokens[at + 2] if at + 2 < len(tokens) else None
        if before.text not in {",", "."} and (after is None or after.word == "SETTINGS"):
            return token.start, name.text
    return None, ""


def _one_statement(tokens: Sequence[_Token]) -> None:
    for at, token in enumerate(tokens[:-1]):
        if token.text == ";":
            raise Refusal(
                62,
                "SYNTAX_ERROR",
                f"Syntax error (Multi-statements are not allowed): failed at position "
                f"{token.start + 1}: {tokens[at + 1].text}",
            )


def _refuse(tokens: Sequence[_Token]) -> None:
    """Refuse, with a sentence, what only a real server has or what would leave the store."""
    words = [token.word for token in tokens]
    first, second = [*words, "", ""][:2]
    what = ""
    if first == "KILL":
        what = "no KILL QUERY: close the connection of the query instead"
    elif first in {"GRANT", "REVOKE"} or (
        first in {"CREATE", "ALTER", "DROP"} and _ACCESS & set(words[1:4])
    ):
        what = "no users, roles or grants"
    elif first in {"BACKUP", "RESTORE"}:
        what = "no BACKUP: end it and copy its folder"
    elif first == "SYSTEM" and _SYSTEM & set(words[1:]):
        what = f"no SYSTEM {second}"
    else:
        what = _outside(tokens, words)
    if what:
        raise Refusal(48, "NOT_IMPLEMENTED", f"The embedded store has {what}")


def _outside(tokens: Sequence[_Token], words: Sequence[str]) -> str:
    for at, word in enumerate(words):
        following = words[at + 1] if at + 1 < len(words) else ""
        sign = tokens[at + 1].text if at + 1 < len(tokens) else ""
        before = words[at - 1] if at else ""
        if word == "ON" and following == "CLUSTER":
            return "no clusters: leave ON CLUSTER out"
        if (word, following) in {("INTO", "OUTFILE"), ("FROM", "INFILE")}:
            return f"no {word} {following}: send and take the data over HTTP"
        is_engine = tokens[at - 1].text == "=" and at > 1 and words[at - 2] == "ENGINE"
        if word.startswith("REPLICATED") and is_engine:
            return "no replication: leave Replicated out of the engine's name"
        if word.lower() in _REACHING and (sign == "(" or is_engine) and before != "INTO":
            return f"no {tokens[at].text}: it reaches nothing outside its own folder"
    return ""
