"""The API reads its catalogue of views again where they changed, and only then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.api.catalogue import Views
from pipeline.clickhouse.client import Store
from pipeline.views import catalogue
from tests.support.harness.clickhouse_parts import migrated_database
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.waiting import until


@pytest.fixture
def migrated(store: EmbeddedStore) -> Iterator[Store]:
    """Provide the pipeline's tables and views, empty."""
    with migrated_database(store.port) as connected:
        yield connected


def test_views_are_read_again_where_they_changed_and_only_then(
    migrated: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = 0
    names = catalogue.names

    def counted(store: Store) -> dict[str, catalogue.View]:
        nonlocal read
        read += 1
        return names(store)

    monkeypatch.setattr(catalogue, "names", counted)
    monkeypatch.setattr(catalogue, "YOUNG_SECONDS", 3600)  # however slow this run is
    views = Views(migrated)
    views.read()
    views.read()
    assert (read, views.generation) == (3, 1)  # to describe them too; and again, while young
    monkeypatch.setattr(catalogue, "YOUNG_SECONDS", 0)
    until(lambda: catalogue.state(migrated) is not None, within=10, what="views that are old")
    views.read()
    views.read()
    assert (read, views.generation) == (4, 1)

    migrated.command("CREATE OR REPLACE VIEW ledger AS SELECT 1 AS one COMMENT 'B1\nOne.\none x'")
    views.read()
    assert (read > 4, views.generation) == (True, 2)
    assert [column.name for column in views.by_name()["ledger"].columns] == ["one"]
