"""What holds for all tests: fixtures with real parts, and how tests are shared among processes.

The fixtures cost nothing until asked for.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# On a busy machine any example may take long: that is no property of what is tested.
settings.register_profile(
    "busy", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy")

pytest_plugins = ["tests.support.harness.fixtures", "tests.support.harness.by_both"]

LONG = (
    "tests/model/",
    "tests/fault/test_breakages.py",
    "tests/fault/test_crashes.py",
    "tests/fault/test_duplicates.py",
    "tests/fault/test_ending.py",
    "tests/fault/test_kafka_faults.py",
    "tests/fault/test_kill_at_each_step.py",
    "tests/fault/test_outage.py",
    "tests/fault/test_store_faults.py",
    "tests/fault/test_zombies.py",
    "tests/integration/test_audit.py",
    "tests/integration/test_worker.py",
)
"""Where tests are long and share nothing but what every process has: each may run anywhere."""


class Shares(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """A file's tests in one process, for their fixtures' sake, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith(LONG) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Shares:
    """Be asked by pytest-xdist, under ``-n``, for what shares out the tests."""
    config.option.loadscopereorder = False  # it would put files of few, long tests last
    return Shares(config, log)
