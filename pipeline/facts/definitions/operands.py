"""What a filter compares with, by its operator."""

from decimal import Decimal
from typing import Any

from pipeline.facts.definitions import regexes
from pipeline.facts.definitions.definition import Amount, Date, Operand
from pipeline.facts.definitions.invalid import InvalidDefinition, wrong
from pipeline.facts.definitions.numbers import canonical, comparable
from pipeline.facts.exact import times
from pipeline.facts.exact.fields import number_text
from pipeline.facts.exact.reasons import MISSING
from schemas.metric_definition import MAX_OPERAND, MAX_REGEX, MAX_VALUES

RANGES = ("gt", "gte", "lt", "lte", "between")
"""The operators that compare numbers, or dates."""
LISTS = ("in", "not_in")
EQUALITIES = ("exact", "is_not")
PRESENCE = ("is_set", "is_not_set")

_DATE = 'a date, as {"date": "2026-05-01T00:00:00Z"}'


def read(operator: str, value: Any, field: str) -> tuple[Operand, ...]:
    """The values of a filter; ``value`` is None where there is none. Raises InvalidDefinition."""
    if operator in PRESENCE:
        return ()
    value = MISSING if value is None else value
    if operator == "between":
        return _pair(value, field)
    if operator in LISTS:
        return _list(value, field)
    if operator in RANGES:
        return (_bound(value, field),)
    if operator in EQUALITIES:
        return (_any(value, field),)
    return (_regex(value, field) if operator.endswith("regex") else _part(value, field),)


def _any(value: Any, field: str) -> Operand:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _short(value, field, MAX_OPERAND)
    if isinstance(value, dict):
        return _date(value, field)
    text = number_text(value)
    if text is None:
        raise wrong(field, value, f"a string, a number, true, false, or {_DATE}")
    return _amount(text, field)


def _bound(value: Any, field: str) -> Amount | Date:
    if isinstance(value, dict):
        return _date(value, field)
    text = number_text(value)
    if text is None:
        raise wrong(field, value, f"a number, or {_DATE}")
    return _amount(text, field)


def _amount(text: str, field: str) -> Amount:
    short = _short(text, field, MAX_OPERAND)
    return Amount(canonical(short) or short)


def _pair(value: Any, field: str) -> tuple[Operand, ...]:
    if not isinstance(value, list) or len(value) != 2:
        raise wrong(field, value, "an array of two numbers, or of two dates")
    low, high = (_bound(one, f"{field}[{place}]") for place, one in enumerate(value))
    if type(low) is not type(high):
        raise InvalidDefinition(
            field, "found a number and a date, expected two numbers, or two dates"
        )
    if _order(low) > _order(high):
        raise InvalidDefinition(
            field, f"found {low.text} before {high.text}, expected the lower one first"
        )
    return low, high


def _order(one: Amount | Date) -> Decimal | int:
    return one.milliseconds if isinstance(one, Date) else comparable(one.text)


def _list(value: Any, field: str) -> tuple[Operand, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_VALUES:
        raise wrong(field, value, f"an array of 1 to {MAX_VALUES} values")
    return tuple(_any(one, f"{field}[{place}]") for place, one in enumerate(value))


def _part(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise wrong(field, value, "a string")
    return _short(value, field, MAX_OPERAND)


def _regex(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise wrong(field, value, "a regular expression of RE2, as a string")
    fault = regexes.fault(_short(value, field, MAX_REGEX))
    if fault:
        raise InvalidDefinition(field, f"not a regular expression of RE2: {fault}")
    return value


def _date(value: dict[str, Any], field: str) -> Date:
    text = value.get("date", MISSING)
    milliseconds = times.parse(text) if isinstance(text, str) else None
    if milliseconds is None:
        expected = "an instant by RFC 3339 with an offset or Z, as 2026-05-01T00:00:00Z"
        raise wrong(f"{field}.date", text, expected)
    return Date(text, milliseconds)


def _short(text: str, field: str, limit: int) -> str:
    if len(text) > limit:
        raise InvalidDefinition(field, f"found {len(text)} characters, expected up to {limit:,}")
    return text
