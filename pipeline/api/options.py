"""The parameters of a request: those of the answer, and those of the question. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.api.problems import Problem
from pipeline.errors import UsageError
from pipeline.views import formats
from pipeline.views.catalogue import meant
from pipeline.views.formats import CSV, JSON, Format

DEFAULT_ROWS = 10_000
MOST_ROWS = 1_000_000
OF_ANSWER = ("format", "columns", "limit", "cursor", "spreadsheet")
_WHOLE = re.compile(r"\d{1,9}")


@dataclass(frozen=True)
class Options:
    """How an answer is wanted."""

    format: Format
    columns: str = ""
    """As given: names with commas between."""
    limit: int | None = None
    """Rows; None: all of them."""
    cursor: str = ""
    spreadsheet: bool = False


def once(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Parameters by name.

    Raises:
        Problem: 400, one is repeated: which of them is meant, nobody can say.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise Problem(400, f"{name} is given more than once", parameter=name)
        found[name] = value
    return found


def read(
    given: Mapping[str, str], accept: Sequence[str], known: Sequence[Format]
) -> tuple[Options, dict[str, str]]:
    """How the answer is wanted, and the parameters that are left for the question.

    Raises:
        Problem: 400, an option that is wrong; 406, no format of ours is accepted.
    """
    form = _format(given.get("format"), accept, known)
    rest = {name: value for name, value in given.items() if name not in OF_ANSWER}
    options = Options(
        form,
        given.get("columns", ""),
        _limit(given.get("limit"), form),
        given.get("cursor", ""),
        flag(given.get("spreadsheet", "0"), "spreadsheet"),
    )
    if options.spreadsheet and form is not CSV:
        raise Problem(400, "spreadsheet is for format=csv only", parameter="spreadsheet")
    return options, rest


def continued(options: Options, columns: tuple[str, ...]) -> Options:
    """The options of a page that goes on with another's rows, in its columns.

    Raises:
        Problem: 400, other columns are named.
    """
    named = tuple(name.strip() for name in options.columns.split(","))
    if options.columns and named != columns:
        raise Problem(400, "cursor holds other columns than columns names", parameter="columns")
    return replace(options, columns=",".join(columns), cursor="")


def only(given: Mapping[str, str], known: Sequence[str], what: str) -> None:
    """Refuse parameters that are not there.

    Raises:
        Problem: 400, names the first of them and the one that was probably meant.
    """
    for name in given:
        if name not in known:
            has = f"it takes {', '.join(known)}" if known else "it takes no parameters"
            raise Problem(
                400, f"{what} takes no {name!r}{meant(name, known)}; {has}", parameter=name
            )


def _format(name: str | None, accept: Sequence[str], known: Sequence[Format]) -> Format:
    if name is not None:
        try:
            return formats.named(name, known)
        except UsageError as error:
            raise Problem(400, error.message, parameter="format") from None
    form = formats.accepted(accept, known)
    if form is None:
        types = ", ".join(one.media_type for one in known)
        raise Problem(406, f"what is accepted is none of {types}; or ask with format=")
    return form


def _limit(text: str | None, form: Format) -> int | None:
    if text is None:
        return DEFAULT_ROWS if form is JSON else None
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= MOST_ROWS:
        raise Problem(
            400, f"limit {text!r} is no whole number from 1 to {MOST_ROWS:,}", parameter="limit"
        )
    return int(text)


def flag(text: str, name: str) -> bool:
    """A parameter that is 0 or 1. Raises Problem."""
    if text not in ("0", "1"):
        raise Problem(400, f"{name} {text!r} is neither 0 nor 1", parameter=name)
    return text == "1"
