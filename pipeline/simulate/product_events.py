"""What people do in the product: the data of simulated product events."""

from __future__ import annotations

import json
from random import Random

from pipeline.simulate import catalogue
from pipeline.simulate.world import Tenant

PAGES = ("dashboard", "recipes", "connections", "usage", "settings", "members")
NAMES = (
    ("page.viewed", 0.55),
    ("report.exported", 0.08),
    ("recipe.edited", 0.14),
    ("search.used", 0.12),
    ("member.invited", 0.03),
    ("connection.tested", 0.08),
)


class ProductEvents:
    """Makes the data of product events, as JSON text."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._names = [name for name, _ in NAMES]
        self._weights = [share for _, share in NAMES]

    def data(self, tenant: Tenant, user: str) -> str:
        """The data of one event of a user; ``''``: of nobody's."""
        name = self._rng.choices(self._names, self._weights)[0]
        by = f',"user_id":"{user}"' if user else ""
        properties = json.dumps(self._properties(tenant, name), separators=(",", ":"))
        return f'{{"name":"{name}"{by},"properties":{properties}}}'

    def _properties(self, tenant: Tenant, name: str) -> dict[str, object]:
        rng = self._rng
        if name == "report.exported":
            return {
                "format": rng.choice(("csv", "json", "parquet")),
                "rows": rng.randint(1, 50_000),
            }
        if name == "recipe.edited":
            recipe = rng.choice(tenant.recipes).id
            return {"recipe_id": recipe, "change": {"steps": rng.randint(1, 9), "draft": True}}
        if name == "search.used":
            return {"results": rng.randint(0, 60), "duration_ms": round(rng.uniform(5, 400), 1)}
        if name == "connection.tested":
            return {"app": rng.choice(catalogue.APPS), "ok": rng.random() < 0.9}
        return {"page": rng.choice(PAGES)}
