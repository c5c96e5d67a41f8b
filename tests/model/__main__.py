"""Print the shortest way to a wrong state without each safeguard, or without those named."""

from __future__ import annotations

import sys

from tests.model.explore import explore
from tests.model.safeguards import SAFEGUARDS, without

for name in sys.argv[1:] or SAFEGUARDS:
    sys.stdout.write(f"Without: {SAFEGUARDS[name].rule} ({name})\n{explore(without(name))}\n\n")
