"""Views answer the same whatever settings a session brings, and to sessions that may set none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from pipeline.clickhouse.client import Store
from pipeline.clickhouse.schema import views
from pipeline.views import catalogue
from pipeline.views.call import call
from tests.support.contract.views import VIEWS
from tests.support.harness.clickhouse_parts import migrated_database
from tests.support.harness.store import EmbeddedStore
from tests.support.harness.view_check import cases
from tests.support.harness.view_store import fill
from tests.support.harness.view_world import FIRST, ViewWorld, rows_in_memory

OTHERS: dict[str, Any] = {
    "aggregate_functions_null_for_empty": 1,
    "any_join_distinct_right_table_keys": 1,
    "cast_keep_nullable": 1,
    "date_time_overflow_behavior": "throw",
    "decimal_check_overflow": 0,
    "empty_result_for_aggregation_by_empty_set": 1,
    "enable_extended_results_for_datetime_functions": 1,
    "final": 1,
    "function_date_trunc_return_type_behavior": 1,
    "group_by_use_nulls": 1,
    "join_default_strictness": "ANY",
    "join_use_nulls": 1,
    "least_greatest_legacy_null_behavior": 1,
    "precise_float_parsing": 0,
    "prefer_column_name_to_alias": 1,
    "session_timezone": "America/St_Johns",
    "transform_null_in": 1,
    "union_default_mode": "DISTINCT",
    "use_variant_as_common_type": 1,
}


@pytest.fixture(scope="module")
def world(store: EmbeddedStore) -> Iterator[Store]:
    """Provide the tables and views, and a small world in them."""
    with migrated_database(store.port, USAGE_KEEP_MINUTE_ROWS="0") as connected:
        made = ViewWorld(11, 2, duplicates=0.05, last=FIRST + timedelta(days=90))
        fill(connected, rows_in_memory(made.messages(1_500)))
        yield connected


def test_every_setting_of_the_views_is_tried() -> None:
    assert set(OTHERS) == set(views.SETTINGS)


@pytest.fixture(scope="module")
def answers(world: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Provide a question to each view, and what a session with ClickHouse's defaults is told."""
    asked = (f"SELECT * FROM {call(view, cases(view, 1)[0])}" for view in VIEWS)
    return {sql: world.query(sql) for sql in asked}


@pytest.mark.parametrize("settings", [OTHERS, {"readonly": 1}], ids=["others", "readonly"])
def test_views_answer_the_same(
    world: Store, answers: dict[str, list[tuple[Any, ...]]], settings: dict[str, Any]
) -> None:
    assert any(answers.values())
    for sql, answer in answers.items():
        assert world.query(sql, settings=settings) == answer, sql


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_that_is_opened_answers_as_it_does_by_name(world: Store, view: str) -> None:
    known = catalogue.names(world)[view]
    for values in cases(view, 3):
        by_name = world.query(f"SELECT * FROM {call(view, values)}")
        opened = f"SELECT * FROM {known.asked(values)}"
        assert world.query(opened) == by_name, values
        assert world.query(opened, settings=OTHERS) == by_name, values
