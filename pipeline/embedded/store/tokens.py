"""ClickHouse's lexer, as far as a statement's parts are told by it.

Text is bytes read as Latin-1, so that positions are byte offsets and data behind a statement may
be anything. Follows ClickHouse's `src/Parsers/Lexer.cpp`: comments nest, `$` is part of a word,
and typographic quotes and blanks count as quotes and blanks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_UTF8_BLANKS = rb"\xc2\xa0|\xe2\x80[\x80-\x8b\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80|\xef\xbb\xbf"
_TOKEN = re.compile(
    rf"""(?P<space>\s+|--[^\n]*|\#[\ !][^\n]*|{_UTF8_BLANKS.decode("latin-1")})
      | (?P<quoted>'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*"
                  |\$(?P<tag>\w*)\$.*?\$(?P=tag)\$
                  |\xe2\x80\x98.*?\xe2\x80\x99|\xe2\x80\x9c.*?\xe2\x80\x9d)
      | (?P<open>['`"].*)
      | (?P<word>[A-Za-z_][\w$]*)
      | (?P<number>\d[\w.]*)
      | (?P<sign>.)""",
    re.DOTALL | re.VERBOSE | re.ASCII,
)
_COMMENT = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True)
class Token:
    """One token: `quoted`, `word`, `number`, `sign`, or `open`, a quote or comment with no end."""

    kind: str
    text: str
    start: int
    end: int
    depth: int

    @property
    def word(self) -> str:
        """Its letters in upper case if it may be a keyword, else ''."""
        return self.text.upper() if self.kind == "word" else ""

    @property
    def ends_expression(self) -> bool:
        """Whether an expression may end with it, so that a keyword may follow."""
        return self.kind != "sign" or self.text in {")", "]", "}", "*"}


def tokens(text: str) -> Iterator[Token]:
    """The tokens of ``text``, one at a time, without blanks and comments.

    A bracket's own depth is that of what surrounds it.
    """
    at = depth = 0
    while True:
        if text.startswith("/*", at):
            start, at = at, _after_comment(text, at)
            if at < 0:
                yield Token("open", text[start:], start, len(text), depth)
                return
            continue
        match = _TOKEN.match(text, at)
        if match is None:  # the end: any character is a sign
            return
        at = match.end()
        kind = next(name for name in _KINDS if match[name] is not None)
        if kind == "space":
            continue
        if match[0] in {")", "]", "}"}:
            depth -= 1
        yield Token(kind, match[0], match.start(), at, depth)
        if match[0] in {"(", "[", "{"}:
            depth += 1


_KINDS = ("space", "quoted", "open", "word", "number", "sign")


def _after_comment(text: str, start: int) -> int:
    """Where a comment that begins at ``start`` ends; -1 if it does not."""
    depth = 0
    for mark in _COMMENT.finditer(text, start):
        depth += 1 if mark[0] == "/*" else -1
        if not depth:
            return mark.end()
    return -1
