"""``python -m pipeline.embedded.store --path DIR --port N``: the same as ``usage store``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.embedded.store.process import main
from pipeline.errors import UsageError
from pipeline.process.printable import printable


def run() -> int:
    """Read the two options and run the store until it is told to end."""
    options = argparse.ArgumentParser(prog="usage store")
    options.add_argument("--path", type=Path, required=True)
    options.add_argument("--port", type=int, default=8123)
    chosen = options.parse_args()
    try:
        return main(chosen.path, chosen.port)
    except UsageError as error:
        print(f"usage: {printable(str(error))}", file=sys.stderr)
        return error.exit_code


sys.exit(run())
