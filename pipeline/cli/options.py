"""Options that several commands have, and the types of their values."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from pipeline.errors import UsageError
from pipeline.process import times

AS_JSON = click.option("--json", "as_json", is_flag=True, help="For programs.")
ROLES = click.Choice(["viewer", "manager", "admin", "operator"])
SCOPE = "Organizations with commas between, or '*' for all."
BY = "command line"
"""Who made a grant or a key, where it was made here."""

PORT = click.IntRange(1, 65_535)


class Instant(click.ParamType):
    """A time as `pipeline.process.times` reads it (days in UTC), in epoch milliseconds."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, _ctx: click.Context | None
    ) -> int:
        """Read it. Raises UsageError by the option's name."""
        if isinstance(value, int):
            return value
        name = param.opts[0] if param else self.name
        return times.milliseconds(times.instant(str(value), name=name, now=datetime.now(UTC)))


class Duration(click.ParamType):
    """A length of time as `pipeline.process.times` reads it, in seconds."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read it, or fail as click does."""
        if isinstance(value, float):
            return value
        name = param.opts[0] if param else self.name
        try:
            return times.duration(str(value), name=name).total_seconds()
        except UsageError as error:
            self.fail(error.message, param, ctx)
