"""A worker that is told to use it (`USAGE_HOOK`) looks at its group often, for a test's sake."""

from __future__ import annotations

from pipeline.protocol.hooks import no_hook
from pipeline.worker.telemetry import group_watch

group_watch.EVERY_SECONDS = 0.5
nothing = no_hook
