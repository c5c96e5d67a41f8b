"""Many instants at a time, in epoch milliseconds.

Streams mostly hold times of one shape (same length, same day, same offset): those are read as a
matrix of digits. Any other mixture is read one by one, through small caches of the times' parts.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.facts.exact import times

Instants = NDArray[np.int64]

_DIGITS_TO_0 = bytes.maketrans(b"123456789", b"000000000")
_SHAPE = re.compile(rb"0000-00-00[Tt]00:00:00(?:\.(?P<fraction>0{1,9}))?(?P<offset>[Zz]|[+-]00:00)")
_CLOCK = ((11, 36_000_000), (12, 3_600_000), (14, 600_000), (15, 60_000), (17, 10_000), (18, 1000))
_FRACTION = ((20, 100), (21, 10), (22, 1))
_CACHED = 100_000  # parts of times


class _Shape(NamedTuple):
    places: list[int]
    """Where the digits of the clock and of the milliseconds stand."""
    weights: Instants
    """The milliseconds that a one in each of these places is."""
    offset: int
    """Where the offset from UTC begins."""


def instants(texts: Sequence[str | None], arrivals: Instants) -> tuple[Instants, list[int]]:
    """Epoch ms of each text, of its arrival where it is None; and the places of invalid ones."""
    found = _uniform(texts)
    return _one_by_one(texts, arrivals) if found is None else (found, [])


def _uniform(texts: Sequence[str | None]) -> Instants | None:
    """Epoch ms of times of one shape, day and offset; None if they are not of one."""
    try:
        line = "".join(texts).encode("ascii")  # type: ignore[arg-type]
        lengths = set(map(len, texts))  # type: ignore[arg-type]
    except (TypeError, UnicodeEncodeError):
        return None
    if len(lengths) != 1:
        return None
    width = lengths.pop()
    form = line[:width].translate(_DIGITS_TO_0)
    shape = _shape(form)
    if shape is None or line.translate(_DIGITS_TO_0) != form * len(texts):
        return None
    return _read(np.frombuffer(line, np.uint8).reshape(-1, width), shape)


@lru_cache(maxsize=64)
def _shape(form: bytes) -> _Shape | None:
    match = _SHAPE.fullmatch(form)
    if match is None:
        return None
    digits = _CLOCK + _FRACTION[: len(match["fraction"] or b"")]
    weights = np.array([weight for _, weight in digits], np.int64)
    return _Shape([place for place, _ in digits], weights, match.start("offset"))


def _read(matrix: NDArray[np.uint8], shape: _Shape) -> Instants | None:
    """``matrix``: a row of ASCII per time, all of one shape."""
    first = matrix[0]
    for constant in (slice(0, 10), slice(shape.offset, None)):
        if not (matrix[:, constant] == first[constant]).all():
            return None
    digits = matrix[:, shape.places] - np.uint8(ord("0"))
    past_day = (digits[:, 0] * np.uint8(10) + digits[:, 1] > 23).any()
    if past_day or (digits[:, 2] > 5).any() or (digits[:, 4] > 5).any():
        return None
    offset = first[shape.offset :].tobytes().decode()
    midnight = times.parse(f"{first[:10].tobytes().decode()}T00:00:00{offset}")
    return None if midnight is None else midnight + digits @ shape.weights


def _one_by_one(texts: Sequence[str | None], arrivals: Instants) -> tuple[Instants, list[int]]:
    found: list[int] = arrivals.tolist()
    invalid = []
    for place, text in enumerate(texts):
        if text is not None:
            instant = _instant(text)
            if instant is None:
                invalid.append(place)
            else:
                found[place] = instant
    return np.array(found, np.int64), invalid


def _instant(text: str) -> int | None:
    """As ``times.parse``: the second, the milliseconds and what follows come from caches."""
    second = _second(text[:19])
    if second is None:
        return None
    if text[19:20] != ".":
        rest = _rest(text[19:])
        return None if rest is None else second + rest
    milliseconds, rest = _milliseconds(text[19:23]), _rest_of_fraction(text[23:])
    if milliseconds is None or rest is None:
        return times.parse(text)
    return second + milliseconds + rest


@lru_cache(maxsize=_CACHED)
def _second(text: str) -> int | None:
    """The instant of a time written as ``2026-05-01T12:34:56``, in UTC; None where it is none."""
    return times.parse(text + "Z")


@lru_cache(maxsize=_CACHED)
def _rest(text: str) -> int | None:
    """What the end of a time adds, as ``Z`` or ``+05:30``, in ms."""
    return times.parse("1970-01-01T00:00:00" + text)


@lru_cache(maxsize=2000)
def _milliseconds(text: str) -> int | None:
    """The milliseconds of ``.123``, no less and no more."""
    return times.parse(f"1970-01-01T00:00:00{text}Z") if len(text) == 4 else None


@lru_cache(maxsize=_CACHED)
def _rest_of_fraction(text: str) -> int | None:
    """What adds ``456Z``, ``Z`` or ``+05:30`` after three digits, in ms."""
    return times.parse("1970-01-01T00:00:00.000" + text)
