"""How busy the world is: a day's curve, a week's shape, and a slow breathing of minutes."""

import math

REGIONS: tuple[tuple[str, int, float], ...] = (
    ("americas", -5, 0.45),
    ("europe", 1, 0.35),
    ("asia", 8, 0.20),
)
"""Name, hours ahead of UTC, share of the tenants."""

HOUR_MS = 3_600_000

_DAY = (
    0.30, 0.25, 0.22, 0.20, 0.22, 0.30, 0.45, 0.75, 1.25, 1.75, 1.95, 1.90,
    1.55, 1.70, 1.90, 1.85, 1.65, 1.35, 1.00, 0.85, 0.75, 0.65, 0.50, 0.38,
)  # fmt: skip
_WEEK = (1.15, 1.22, 1.22, 1.18, 1.05, 0.55, 0.63)  # Monday first
_MEAN = sum(_DAY) / 24 * sum(_WEEK) / 7
_HOURS = tuple(day * hour / _MEAN for day in _WEEK for hour in _DAY)
_EPOCH_HOUR = 3 * 24  # 1970-01-01 was a Thursday


def activity(region: int, time_ms: int) -> float:
    """How busy a region is at a time, against its mean over the week, which is 1."""
    hours = time_ms / HOUR_MS + REGIONS[region][1] + _EPOCH_HOUR
    whole = math.floor(hours)
    part = hours - whole
    return _HOURS[whole % 168] * (1 - part) + _HOURS[(whole + 1) % 168] * part


def breathing(time_ms: int) -> float:
    """A wave of a minute and one of some minutes around 1: no live stream is level."""
    seconds = time_ms / 1000
    return 1 + 0.10 * math.sin(seconds / 7.5) + 0.07 * math.sin(seconds / 33.0 + 1.0)
