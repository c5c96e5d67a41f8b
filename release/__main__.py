"""``python -m release [FOLDER]``: build all that a release has into a folder; `make dist`."""

from __future__ import annotations

import sys
from pathlib import Path

from release.build import Unbuildable, build


def main() -> int:
    """Build, and print what came of it; the exit code tells whether all went well."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "dist")
    try:
        for path in build(folder):
            sys.stdout.write(f"{path}\n")
    except Unbuildable as error:
        sys.stderr.write(f"release: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
