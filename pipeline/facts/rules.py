"""Everything that decides what a given log comes to, in one object with a digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace

from pipeline.facts.definitions import regexes
from pipeline.facts.zones import VERSION
from pipeline.settings.sections import RuleSettings

_DEFAULTS = RuleSettings()


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules by which records become facts.

    Equal rules give equal facts for equal logs; the digest is kept with each intent, so that a
    chunk is never replayed under others.
    """

    contract: str = "3"
    """Raise it with any change of the code that changes what some log comes to. Up to 2, product
    events were counted the same, but not kept."""

    too_early_seconds: int = _DEFAULTS.too_early_seconds
    """An event may be at most this much later than its record's timestamp."""

    too_late_seconds: int = _DEFAULTS.too_late_seconds
    """An event may be at most this much earlier than its record's timestamp."""

    max_record_bytes: int = 1_048_576
    """Size of a record's value."""

    max_depth: int = 32
    """Nesting of a record's value; the outermost container is 1."""

    max_batch_elements: int = 10_000

    duplicate_window: int = _DEFAULTS.duplicate_window
    """For how many offsets an event's id is remembered."""

    task_rule_set: int = 1
    """Which recipe actions are tasks (row A1 of the list of numbers): a version of
    `recipe_actions.TASK_RULES`."""

    zones: str = VERSION
    """The release of the time zone database, by which an unknown zone is told."""

    regexes: str = regexes.VERSION
    """The release of RE2's package, by which a metric's regular expression is refused."""

    def digest(self) -> str:
        """16 hex digits, different for different rules."""
        said = {name: value for name, value in asdict(self).items() if value != ""}
        text = json.dumps(said, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def before_events_were_kept(rules: Rules) -> Rules:
    """The rules of the release that counted as these do, and did not keep product events yet."""
    return replace(rules, contract="2", regexes="")


def rules_of(settings: RuleSettings) -> Rules:
    """Return the rules that decide what a log comes to."""
    return Rules(
        too_early_seconds=settings.too_early_seconds,
        too_late_seconds=settings.too_late_seconds,
        duplicate_window=settings.duplicate_window,
    )
