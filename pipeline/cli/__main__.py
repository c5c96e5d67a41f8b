"""The program ``usage`` as it is installed: the command line, where its libraries are there too.

The base install is for producers and brings `schemas` only; who then types ``usage`` is told what
to install instead of being shown a traceback.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from pipeline.errors import SettingsError

_OURS = ("pipeline", "agents", "schemas")
_EMBEDDED = "chdb"


def main() -> NoReturn:
    """Run the command line; a library that is not installed is one line on stderr."""
    try:
        from pipeline.cli.main import main as command_line

        command_line()
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if not library or library in _OURS:
            raise
        extra = "embedded" if library == _EMBEDDED else "pipeline"
        print(
            f"usage: the library {library} is not installed, which this command needs: "
            f"pip install 'usage-pipeline[{extra}]'",
            file=sys.stderr,
        )
        sys.exit(SettingsError.exit_code)


if __name__ == "__main__":
    main()
