"""The fixtures of tests with real parts; ``tests/conftest.py`` makes them known."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.harness.kafka_broker import KafkaBroker
from tests.support.harness.scene import Scene
from tests.support.harness.store import EmbeddedStore


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """Provide one real broker for all tests; each has its own topics and group."""
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    if broker.process.is_running:
        broker.kill9()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    """Provide one embedded store for all tests; each has its own database."""
    with _started(tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture
def scene(
    request: pytest.FixtureRequest, kafka: KafkaBroker, store: EmbeddedStore, tmp_path: Path
) -> Iterator[Scene]:
    """Provide topics, group, database and workers of the test's own.

    A parameter says what reads (`tests.support.harness.by_both`).
    """
    scene = Scene(kafka, store, tmp_path)
    reader = getattr(request, "param", None)
    if reader is not None:
        scene.settings["USAGE_READER"] = reader
    yield scene
    scene.end()
    if store.process.is_running:
        scene.drop()


@pytest.fixture
def lone_scene(kafka: KafkaBroker, tmp_path: Path) -> Iterator[Scene]:
    """Provide a scene with a store of its own, which the test may kill and replace."""
    with _started(tmp_path) as store:
        scene = Scene(kafka, store, tmp_path)
        yield scene
        scene.end()


@contextmanager
def _started(folder: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(folder)
    store.start()
    try:
        yield store
    finally:
        if store.process.is_running:
            store.kill9()
