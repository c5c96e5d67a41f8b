"""Fields of an event's data, one check for each sort; each says what it found and expected.

They all take the decoded object and the field's name, and raise Refused (``invalid_data``).
``null`` means absent everywhere.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.facts.exact.decimals import Unfit, scaled
from pipeline.facts.exact.json_values import Number
from pipeline.facts.exact.reasons import INVALID_DATA, MISSING, Refused, sentence
from schemas.fields import MAX_DURATION_MS, MAX_INTEGER, MAX_TEXT, MAX_TOKENS

Data = Mapping[str, Any]


def wrong(data: Data, name: str, expected: str) -> Refused:
    """The refusal of a field."""
    return Refused(INVALID_DATA, sentence(f"data.{name}", data.get(name, MISSING), expected))


def refused(name: str, what: str) -> Refused:
    """The refusal of a field, in own words: what was found, and expected."""
    return Refused(INVALID_DATA, f"data.{name}: {what}.")


def required_text(data: Data, name: str) -> str:
    """A string of 1 to 1,024 code points."""
    value = data.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_TEXT:
        raise wrong(data, name, f"a string of 1 to {MAX_TEXT:,} characters")
    return value


def optional_text(data: Data, name: str) -> str:
    """A string of up to 1,024 code points; ``''`` where it is absent."""
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise wrong(data, name, f"a string of up to {MAX_TEXT:,} characters, or nothing")
    return value


def choice(data: Data, name: str, allowed: tuple[str, ...]) -> str:
    """One of some strings."""
    value = data.get(name)
    if not isinstance(value, str) or value not in allowed:
        raise wrong(data, name, "one of " + ", ".join(allowed))
    return value


def is_integer(value: Any, least: int, greatest: int) -> bool:
    """Whether a decoded value is an integer of the range; ``5.0``, ``1e2``, ``true`` are not."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= greatest


def required_integer(data: Data, name: str, least: int, greatest: int) -> int:
    """An integer of the range, both ends included."""
    value = data.get(name)
    if not is_integer(value, least, greatest):
        raise wrong(data, name, f"an integer from {least} to {greatest}")
    return int(value or 0)


def optional_integer(data: Data, name: str, least: int, default: int) -> int:
    """An integer from ``least`` to 2^63 - 1; ``default`` where it is absent."""
    return _optional_integer(data, name, (least, MAX_INTEGER, "2^63 - 1"), default)


def tokens(data: Data, name: str) -> int:
    """A number of tokens, 0 to 10^10; 0 where it is absent."""
    return _optional_integer(data, name, (0, MAX_TOKENS, "10^10"), 0)


def _optional_integer(data: Data, name: str, limits: tuple[int, int, str], default: int) -> int:
    """An integer within limits, the last of them as it is said; ``default`` where it is absent."""
    least, greatest, said = limits
    value = data.get(name)
    if value is None:
        return default
    if not is_integer(value, least, greatest):
        raise wrong(data, name, f"an integer from {least} to {said}, or nothing")
    return int(value)


def optional_boolean(data: Data, name: str) -> bool:
    """``true`` or ``false``; false where it is absent."""
    value = data.get(name)
    if value is not None and not isinstance(value, bool):
        raise wrong(data, name, "true or false, or nothing")
    return bool(value)


def optional_object(data: Data, name: str) -> Mapping[str, Any]:
    """An object; an empty one where it is absent."""
    value = data.get(name)
    if value is not None and not isinstance(value, dict):
        raise wrong(data, name, "an object, or nothing")
    return value or {}


def number_text(value: Any) -> str | None:
    """A JSON number's text (of an integer: the canonical one); None if it is not a number."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, int) and not isinstance(value, bool):
        # Anything longer is out of every range, and Python would refuse to write it.
        return str(value) if value.bit_length() < 10_000 else "1e9999"
    return None


def duration_us(data: Data, name: str) -> int:
    """A required number of milliseconds, 0 to 10^9, in whole microseconds, half-even."""
    text = number_text(data.get(name))
    try:
        return scaled(text or "", places=3, limit_digits=9, inclusive=True)
    except Unfit:
        raise wrong(data, name, f"a number from 0 to {MAX_DURATION_MS}") from None
