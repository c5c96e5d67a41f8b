"""The fixtures of tests with real parts; ``tests/conftest.py`` makes them known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.kafka_broker import KafkaBroker
from tests.harness.scene import Scene
from tests.harness.store import EmbeddedStore


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """Provide one real broker for all tests; each has its own topics and group."""
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    if broker.process.is_running:
        broker.kill9()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """Provide an embedded store of the test's own."""
    store = EmbeddedStore(tmp_path)
    store.start()
    yield store
    if store.process.is_running:
        store.kill9()


@pytest.fixture
def scene(kafka: KafkaBroker, store: EmbeddedStore, tmp_path: Path) -> Iterator[Scene]:
    """Provide topics, group, store and workers of the test's own."""
    scene = Scene(kafka, store, tmp_path)
    yield scene
    scene.end()
