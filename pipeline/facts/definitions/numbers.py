"""Numbers to compare with: any of JSON's, also those that a leaf cannot hold exactly."""

import re
from decimal import Decimal
from typing import NamedTuple

from pipeline.facts.exact.decimals import exponent_of
from pipeline.facts.exact.leaves import MAX_FRACTION, MAX_WHOLE, number_leaf

_NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")


class Bound(NamedTuple):
    """One end of a range, as a decimal of up to 18 places."""

    text: str
    included: bool


def canonical(text: str) -> str | None:
    """A JSON number as leaves have it; None if it has more than 38 + 18 digits."""
    leaf = number_leaf(text)
    return leaf[1:] if leaf.startswith("n") else None


def comparable(text: str) -> Decimal:
    """A JSON number, to be compared; exponents beyond 10^9 are that."""
    sign, digits, exponent = _parts(text)
    return Decimal((int(sign == "-"), tuple(map(int, digits or "0")), exponent))


def lower(text: str, included: bool) -> Bound:
    """The lower end that lets the same exact numbers through: a number's, whatever its length."""
    exact = canonical(text)
    if exact is not None:
        return Bound(exact, included)
    floor, whole = _floor(text)
    return Bound(floor, whole)  # what has a rest lies above its floor


def upper(text: str, included: bool) -> Bound:
    """The upper end; see `lower`."""
    exact = canonical(text)
    return Bound(_floor(text)[0], True) if exact is None else Bound(exact, included)


def _floor(text: str) -> tuple[str, bool]:
    """The greatest decimal of 18 places that is not above a number, and whether it is beyond all.

    No exact number reaches 10^38, so whatever lies beyond is that.
    """
    sign, digits, exponent = _parts(text)
    if len(digits) + exponent > MAX_WHOLE:
        return f"{sign}1{'0' * MAX_WHOLE}", True
    kept = max(0, len(digits) + exponent + MAX_FRACTION)
    units = int(digits[:kept] or "0")
    units = -units - 1 if sign else units  # there is a rest, or it were exact
    written = str(abs(units)).rjust(MAX_FRACTION + 1, "0")
    whole, fraction = written[:-MAX_FRACTION], written[-MAX_FRACTION:]
    return f"{'-' if units < 0 else ''}{whole}.{fraction}", False


def _parts(text: str) -> tuple[str, str, int]:
    """Sign, digits without leading zeros, and exponent."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"not a number of JSON: {text[:60]}")
    sign, whole, fraction, exponent_sign, exponent = match.groups(default="")
    digits = (whole + fraction).lstrip("0")
    return sign, digits, exponent_of(exponent_sign, exponent) - len(fraction)
