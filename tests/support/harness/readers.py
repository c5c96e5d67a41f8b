"""The readers that tests of what is read run with: the reference, and the compiled one."""

from __future__ import annotations

from typing import Any, cast

from pipeline.facts import Rules
from pipeline.facts.compiled.library import Library, find
from pipeline.facts.readers import Readers
from tests.support.harness import stand_in

PYTHON = Readers(None, "the reference")
_FOUND = find(Rules().contract).library
IS_BUILT = _FOUND is not None
COMPILED = Readers(_FOUND or cast("Library", cast("Any", stand_in)), "built, or what stands in")
"""Where the library is not built, the way to it is tested with a stand-in."""

KINDS = [PYTHON, COMPILED]

BUILT = KINDS if IS_BUILT else [PYTHON]
"""Without what stands in, to which no record is common."""

SETTINGS = [one.kind for one in BUILT]
"""Values of `USAGE_READER` that a worker starts with here."""
