"""Bounded labels: the first K tenants, or a list's, have series; the rest share ``other``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import repeat

OTHER = "other"

Summed = tuple[int, ...]
"""Sums as `pipeline.facts.interface` orders them. Never changed in place: copies of a table of them
share them, and to Python's collector, which walks through lists, they are nothing."""


class Labels:
    """Decides which tenants have series of their own.

    Admission is sticky: a tenant keeps its series, however many come after it, until its place is
    freed. Windows free the places of tenants that are in none of them; counters never do.
    """

    def __init__(self, limit: int, allowed: Collection[str] = ()) -> None:
        self._limit = limit
        self._allowed = frozenset(allowed)
        self._admitted: set[str] = set()

    def label(self, tenant: str) -> str:
        """Return the tenant's label: its id where there is a place for it, else ``other``."""
        if tenant in self._admitted:
            return tenant
        if tenant == OTHER or not self._may_enter(tenant):
            return OTHER
        self._admitted.add(tenant)
        return tenant

    def release(self, present: Iterable[str]) -> set[str]:
        """Free the places of all tenants but those present; returns who has left."""
        left = self._admitted.difference(present)
        self._admitted -= left
        return left

    def grouped(self, by_tenant: Mapping[str, Summed], of_all: Summed) -> dict[str, Summed]:
        """Return sums by label, from those by tenant and their total; looks at labels alone.

        Tenants without a label by now are ``other``: `label` admits.
        """
        grouped = {t: by_tenant[t] for t in self._admitted if t in by_tenant}
        if len(grouped) < len(by_tenant):
            labelled = map(sum, zip(*grouped.values(), strict=True)) if grouped else repeat(0)
            grouped[OTHER] = tuple(n - known for n, known in zip(of_all, labelled, strict=False))
        return grouped

    def _may_enter(self, tenant: str) -> bool:
        if self._allowed:
            return tenant in self._allowed
        return len(self._admitted) < self._limit
