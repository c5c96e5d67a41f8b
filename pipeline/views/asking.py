"""Asks a view, plainly where that will do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.errors import StoreRefused
from pipeline.views.catalogue import not_plain

if TYPE_CHECKING:
    from pipeline.clickhouse.client import Store
    from pipeline.views.call import Value
    from pipeline.views.catalogue import View


def rows(
    store: Store, view: View, values: Mapping[str, Value], ending: str = "", metric: str = ""
) -> list[tuple[Any, ...]]:
    """The view's rows.

    ``ending``: what follows in the query, as its WHERE; ``metric``: the only one that it leaves.

    Raises:
        StoreRefused: the view does not answer that.
    """
    if (found := _by_day(store, view, values, ending, metric)) is not None:
        return found
    if plain := view.asked_plainly(values, metric):
        try:
            return store.query(f"SELECT * FROM {plain} {ending}")  # noqa: S608 - quoted
        except StoreRefused as refused:
            if not not_plain(refused.reason):
                raise
    return store.query(f"SELECT * FROM {view.asked(values)} {ending}")  # noqa: S608 - quoted


def _by_day(
    store: Store, view: View, values: Mapping[str, Value], ending: str, metric: str
) -> list[tuple[Any, ...]] | None:
    """Rows of the same, from days that were added up before; None where these do not answer it."""
    by_day = view.asked_by_day(values, metric)
    if by_day is None:
        return None
    try:
        asked = by_day.asked(*store.query(by_day.which)[0])
        return store.query(f"SELECT * FROM {asked} {ending}") if asked else None  # noqa: S608
    except StoreRefused:  # what is wrong with it is said of the question itself
        return None
