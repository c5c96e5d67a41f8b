"""Why an event is rejected, and the sentence that says so."""

from collections.abc import Mapping
from typing import Any

MALFORMED = "malformed"
INVALID_ENVELOPE = "invalid_envelope"
UNKNOWN_TYPE = "unknown_type"
INVALID_DATA = "invalid_data"
TOO_EARLY = "too_early"
TOO_LATE = "too_late"
INTERNAL = "internal"

REASONS = (MALFORMED, INVALID_ENVELOPE, UNKNOWN_TYPE, INVALID_DATA, TOO_EARLY, TOO_LATE, INTERNAL)
"""In the order in which they apply."""

_SHOWN = 60  # code points of a value that a message quotes


class Refused(Exception):
    """An event that the contract refuses. ``str()`` is the sentence."""

    def __init__(self, reason: str, message: str, tenant: str = "", type_: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.tenant = tenant
        self.type = type_


class Missing:
    """Stands for a field that is not there."""


MISSING = Missing()


def shown(value: Any) -> str:
    """``value``, as JSON decoding gave it, in a few words."""
    if value is MISSING:
        return "nothing"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        text = value if len(value) <= _SHOWN else value[:_SHOWN] + "…"
        length = f" ({len(value)} characters)" if len(value) > _SHOWN else ""
        return f"the string {text!r}{length}"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "an array"
    return f"the number {_shortened(value)}"


def _shortened(number: Any) -> str:
    # Python refuses to write integers of more than 4,300 digits as decimals.
    text = hex(number) if isinstance(number, int) and number.bit_length() > 10_000 else str(number)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def sentence(field: str, found: Any, expected: str) -> str:
    """The sentence: which field, what was found, what was expected."""
    return f"{field}: found {shown(found)}, expected {expected}."
