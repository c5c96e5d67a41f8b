"""A group of commands that helps with misspelt ones."""

from __future__ import annotations

import difflib

import click

MOVED = {"metrics": "docs metrics", "schemas": "docs schemas"}
"""What commands that were are called now."""


class Commands(click.Group):
    """A group that says which command was probably meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a better word for what is not there."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            meant = MOVED.get(args[0]) or next(iter(close), "")
            hint = f"; did you mean {meant!r}?" if meant else ""
            ctx.fail(f"{args[0]!r} is not a command{hint}")
        return super().resolve_command(ctx, args)
