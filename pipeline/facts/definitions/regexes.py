"""Regular expressions as ClickHouse takes them: RE2's own judgement.

One that RE2 refuses would fail a whole view, for every metric and customer: so none gets in.
Another release of RE2 may refuse others: its version is among the rules
(:class:`pipeline.facts.Rules`).
"""

from functools import lru_cache
from importlib import metadata

import re2

VERSION = metadata.version("google-re2")
"""Of the package, which brings RE2 along: ``1.1.20251105``."""


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True  # as ClickHouse's `match`
    return options


_OPTIONS = _options()


@lru_cache(maxsize=1024)
def fault(pattern: str) -> str:
    """Why a pattern is no regular expression of RE2; ``''`` if it is one."""
    try:
        re2.compile(pattern, _OPTIONS)
    except UnicodeEncodeError:
        return "it holds half a surrogate pair"
    except re2.error as error:
        (said,) = error.args
        return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return ""
