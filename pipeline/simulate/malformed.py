"""Events as broken producers send them, each with the reason for which it must be rejected."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple


class Breakage(NamedTuple):
    """One way to break a valid event: the reason of its rejection, and what does it."""

    reason: str
    apply: Callable[[str], bytes]


def _replace(reason: str, *pairs: tuple[str, str]) -> Breakage:
    """Replace the first of the texts that the event holds; raises ValueError if it holds none."""

    def apply(text: str) -> bytes:
        for old, new in pairs:
            if old in text:
                return text.replace(old, new, 1).encode()
        raise ValueError(f"none of {[old for old, _ in pairs]} in {text}")

    return Breakage(reason, apply)


BREAKAGES: tuple[Breakage, ...] = (
    Breakage("malformed", lambda text: text[: len(text) * 2 // 3].encode()),
    Breakage("malformed", lambda text: text.replace('"source":"', '"source":"\0', 1).encode()),
    Breakage("malformed", lambda text: text.encode().replace(b'"id":"', b'"id":"\xff', 1)),
    _replace("invalid_envelope", ('"specversion":"1.0"', '"specversion":"0.3"')),
    _replace("invalid_envelope", ('"subject":"', '"tenant":"')),
    _replace("unknown_type", (".v1", ".v9")),
    _replace(
        "invalid_data",
        ('"entity_id":', '"entity_name":'),
        ('"data":{"name":', '"data":{"title":'),
        ('"model":', '"modell":'),
        ('"recipe_id":', '"recipe":'),
    ),
    _replace(
        "invalid_data",
        ('"status_code":', '"status_code":9'),
        ('"step":', '"step":1.'),
        ('"entity":"', '"entity":"un'),
        ('"properties":', '"properties":1,"more":'),
    ),
    _replace(
        "invalid_data",
        ('"operation":', '"operation":7,"of":'),
        ('"job_id":', '"job":'),
        ('"attributes":', '"attributes":"none","more":'),
        ('"name":', '"name":["several"],"also":'),
    ),
    _replace("too_early", ('"time":"20', '"time":"21')),
    _replace("too_late", ('"time":"20', '"time":"19')),
)


def break_event(rng: Random, text: str) -> tuple[str, bytes]:
    """A broken copy of a valid event, and the reason for which it must be rejected."""
    breakage = BREAKAGES[int(rng.random() * len(BREAKAGES))]
    return breakage.reason, breakage.apply(text)
