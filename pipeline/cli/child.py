"""``python -m pipeline.cli.child FD …``: ``usage …``, never outliving its parent.

FD is the reading end of a pipe that only the parent can write to. The parent's end, however it
comes, closes the pipe; then this process ends too. Works wherever there are pipes, unlike a
parent-death signal, which only Linux has.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

GRACE_SECONDS = 5.0


def main() -> None:
    """Watch the pipe, and be the command line."""
    watch(int(sys.argv[1]))
    sys.argv = ["usage", *sys.argv[2:]]
    from pipeline.cli.main import main as command_line

    command_line()


def watch(pipe: int) -> None:
    """From now on, end this process when the pipe's other end is closed."""
    threading.Thread(target=_end_with_parent, args=(pipe,), daemon=True).start()


def _end_with_parent(pipe: int) -> None:
    while os.read(pipe, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
