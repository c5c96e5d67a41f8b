"""Workers that notice within a second when a topic has more partitions; set by USAGE_HOOK.

In production it may take a minute, which a test does not wait for.
"""

from __future__ import annotations

import os

from pipeline.worker.transport import thread

ENVIRONMENT = {"USAGE_HOOK": "tests.support.harness.fresh:nothing"}

if os.environ.get("USAGE_HOOK") == ENVIRONMENT["USAGE_HOOK"]:  # in a worker, not in a test
    thread.METADATA_MAX_AGE_MS = 500


def nothing(when: str, step: str) -> None:
    """Do nothing at the protocol's own steps."""
