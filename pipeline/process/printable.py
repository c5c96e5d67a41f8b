"""The one way that text which others wrote gets to a terminal or a log's line. Pure.

Producers choose tenants, ids, names and messages; a client of Kafka chooses its own name. What they
wrote is shown, but moves no cursor, paints nothing, turns no line round and begins none.
"""

from __future__ import annotations

import re
import unicodedata

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls, formats (marks of direction among them), lone surrogates, line separators."""
_JOINERS = frozenset("\u200c\u200d")  # formats, but some scripts cannot be written without them
_LAST_OF_LATIN_1, _LAST_OF_BMP = 0xFF, 0xFFFF
_UNSAFE_IN_JSON = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""Text of one line on which a terminal shows every character: ``\x1b``, ``\n``, ``\u202e``."""
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def printable_json(text: str) -> str:
    """JSON that means the same, in which no string does anything to a terminal."""
    return _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _ESCAPED_CATEGORIES or character in _JOINERS:
        return character
    number = ord(character)
    if number <= _LAST_OF_LATIN_1:
        return _SHORT.get(character, f"\\x{number:02x}")
    return f"\\u{number:04x}" if number <= _LAST_OF_BMP else f"\\U{number:08x}"
