"""Run a command that dies with whoever started it: ``python launch.py command argument…``.

A test run that is killed with -9 cannot end its children, so the kernel does (Linux only).
It must be started from the main thread: the kernel watches the thread, not the process.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.execvp(sys.argv[1], sys.argv[1:])
