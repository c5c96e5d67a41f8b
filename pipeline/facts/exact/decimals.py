"""Decimals by JSON's own grammar, exactly: never through a float, whatever their length."""

import re

_NUMBER = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")
_FAR = 10**9  # an exponent of more digits than this has is as good as infinite


class Unfit(ValueError):
    """Not a number by JSON's grammar, or out of range."""


def scaled(text: str, places: int, limit_digits: int, *, inclusive: bool) -> int:
    """``text`` times 10^``places``, rounded half-even to an integer.

    The number, before rounding, must be at least 0 and below 10^``limit_digits``, or equal to it
    where ``inclusive``. Takes time proportional to the text's length, whatever the exponent.
    Raises Unfit.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise Unfit("not a number")
    sign, whole, fraction, exponent_sign, exponent = match.groups(default="")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return 0
    if sign:
        raise Unfit("negative")
    # The number is 0.digits times 10^point, and its first digit is not 0.
    point = len(digits) - len(fraction) + exponent_of(exponent_sign, exponent)
    if point > limit_digits:
        if inclusive and point == limit_digits + 1 and digits.rstrip("0") == "1":
            return int(10 ** (limit_digits + places))
        raise Unfit("too large")
    return _rounded(digits, point + places)


def exponent_of(sign: str, digits: str) -> int:
    """A number's exponent, by its sign and digits; one of more than nine digits is 10^9."""
    significant = digits.lstrip("0")
    size = int(significant or "0") if len(significant) <= 9 else _FAR
    return -size if sign == "-" else size


def _rounded(digits: str, kept: int) -> int:
    """0.``digits`` times 10^``kept``, rounded half-even."""
    if kept < 0:
        return 0
    whole = int(digits[:kept].ljust(kept, "0") or "0")
    rest = digits[kept:].rstrip("0")
    # As strings of digits these compare like the fractions 0.rest and 0.5.
    if rest > "5" or (rest == "5" and whole % 2):
        whole += 1
    return whole
