"""Lets tests of facts and of workers run with both readers, the compiled one where it is built.

A module of ``FACTS`` finds each reader in turn behind the name ``reader`` that it imports; the
``scene`` of a module of ``WORKERS`` starts workers with each. All other workers read with what a
user's would, the faults too.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.harness import golden
from tests.support.harness.readers import BUILT, SETTINGS

FACTS = {
    "tests.property.test_schemas",
    "tests.unit.test_cloudevents_sdk",
    "tests.unit.test_encoding",
    "tests.unit.test_facts_contract",
    "tests.unit.test_facts_things",
    "tests.unit.test_golden",
    "tests.unit.test_set_aside",
    "tests.unit.test_simulate_contract",
}
WORKERS = {
    "tests.integration.test_dead_letters",
    "tests.integration.test_duplicates",
    "tests.integration.test_live_gauges",
    "tests.integration.test_odd_batches",
    "tests.integration.test_refused_values",
    "tests.integration.test_worker",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Be asked by pytest what a test runs with."""
    module = metafunc.module.__name__
    if module in FACTS:
        metafunc.parametrize("reads", BUILT, indirect=True, ids=str, scope="module")
    elif module in WORKERS and "scene" in metafunc.fixturenames:
        metafunc.parametrize("scene", SETTINGS, indirect=True)


@pytest.fixture(autouse=True, scope="module")
def reads(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the module, and golden payloads, be read with the parameter, where there is one."""
    kind = getattr(request, "param", None)
    with pytest.MonkeyPatch.context() as patch:
        if kind is not None:
            for module in (request.module, golden):
                patch.setattr(module, "reader", kind.reader, raising=False)
        yield
