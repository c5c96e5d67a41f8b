"""What is wrong with a definition: a sentence that begins with the field's path."""

from typing import Any

from pipeline.facts.exact.json_values import Number, compact
from pipeline.facts.exact.reasons import MISSING

_SHOWN = 60  # code points of a value that a sentence quotes


class InvalidDefinition(ValueError):
    """A definition that is refused. ``str()`` is the sentence, without a full stop."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(f"{field}: {what}" if field else what)
        self.field = field
        """Its path, ``filters[2].value``; ``''`` of what no field is to blame for."""
        self.what = what


def wrong(field: str, found: Any, expected: str) -> InvalidDefinition:
    """The refusal of a value: ``interval_days: found 14, expected 7, 30 or 90``."""
    return InvalidDefinition(field, f"found {shown(found)}, expected {expected}")


def shown(value: Any) -> str:
    """A decoded value in a few words: as JSON, long ones cut."""
    if value is MISSING:
        return "nothing"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    if isinstance(value, int) and value.bit_length() > 10_000:
        return "a number of thousands of digits"  # Python would not write it
    written = value.text if isinstance(value, Number) else compact(value)
    return written if len(written) <= _SHOWN else f"{written[:_SHOWN]}… ({len(written)} characters)"


def one_of(values: tuple[Any, ...], last: str = "or") -> str:
    """``7, 30 or 90``."""
    *most, end = map(str, values)
    return f"{', '.join(most)} {last} {end}" if most else end
