"""What people do in the product: the data of simulated product events.

Their properties are like those of real products: nested, of mixed types (a status that is now and
then a string, a duration that is not one), with keys that have dots, and sometimes not there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from pipeline.simulate import catalogue
from pipeline.simulate.world import Tenant

PAGES = ("dashboard", "recipes", "connections", "usage", "settings", "members")
PLANS = ("free", "team", "business", "enterprise")
REGIONS = ("eu-central", "us-east", "us-west", "ap-south")
PATHS = ("/v1/search", "/v1/documents", "/v1/answers", "/v1/exports")
STATUSES = ((200, 0.91), (201, 0.03), (400, 0.02), (404, 0.02), (429, 0.01), (500, 0.01))

Properties = dict[str, object]


class ProductEvents:
    """Makes the data of product events, as JSON text."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        kinds: tuple[tuple[str, float, Callable[[Tenant], Properties]], ...] = (
            ("page.viewed", 0.25, self._viewed),
            ("api_request", 0.30, self._called),
            ("api_call", 0.10, self._called),  # what older clients send
            ("invoice.paid", 0.07, self._paid),
            ("report.exported", 0.06, self._exported),
            ("recipe.edited", 0.08, self._edited),
            ("search.used", 0.07, self._searched),
            ("member.invited", 0.02, lambda _: {}),
            ("connection.tested", 0.05, self._tested),
        )
        self._names = [name for name, _, _ in kinds]
        self._weights = [share for _, share, _ in kinds]
        self._properties = {name: properties for name, _, properties in kinds}

    def data(self, tenant: Tenant, user: str) -> str:
        """The data of one event of a user; ``''``: of nobody's."""
        name = self._rng.choices(self._names, self._weights)[0]
        by = f',"user_id":"{user}"' if user else ""
        properties = json.dumps(self._properties[name](tenant), separators=(",", ":"))
        return f'{{"name":"{name}"{by},"properties":{properties}}}'

    def _viewed(self, _: Tenant) -> Properties:
        return {"page": self._rng.choice(PAGES), "referrer": self._rng.choice((None, "", "mail"))}

    def _called(self, tenant: Tenant) -> Properties:
        """An API call: status and duration are numbers, but for clients that know no better."""
        rng = self._rng
        [status] = rng.choices(*zip(*STATUSES, strict=True))
        dice = rng.random()
        found: Properties = {
            "status": str(status) if dice < 0.02 else status,
            "duration_ms": self._duration(),
            "endpoint": {"path": rng.choice(PATHS), "method": rng.choice(("GET", "POST"))},
            "region": rng.choice(REGIONS),
            "plan": _plan(tenant),
            "cached": rng.random() < 0.2,
            "client.version": f"2.{rng.randint(0, 9)}.{rng.randint(0, 20)}",
        }
        if dice > 0.99:
            del found["status"]  # a client that gave up
        if rng.random() < 0.3:
            found["tags"] = rng.sample(("batch", "beta", "internal", "retry"), 2)
        return found

    def _duration(self) -> object:
        """Milliseconds: mostly a number, sometimes one in a string, rarely none at all."""
        took = round(self._rng.lognormvariate(4.2, 0.9), 3)
        return self._rng.choices((took, str(took), "timeout", None), (0.96, 0.02, 0.01, 0.01))[0]

    def _paid(self, tenant: Tenant) -> Properties:
        """An invoice: the amount in cents of its currency, sometimes written for people."""
        rng = self._rng
        cents = rng.choice((4_900, 12_950, 49_900, 120_000)) + rng.randint(0, 99)
        amount = rng.choices(
            (cents / 100, f"{cents / 100:.2f}", f"{cents // 100:,} €", None),
            (0.93, 0.04, 0.02, 0.01),
        )[0]
        return {
            "amount": amount,
            "currency": tenant.currency if rng.random() < 0.7 else rng.choice(("EUR", "USD")),
            "account": {"plan": _plan(tenant), "seats": rng.randint(1, 400), "address": {}},
            "lines": [{"sku": rng.choice(("seat", "usage")), "quantity": rng.randint(1, 40)}],
            "due": f"2026-{rng.randint(1, 12):02d}-15T00:00:00Z",
        }

    def _exported(self, _: Tenant) -> Properties:
        rng = self._rng
        return {"format": rng.choice(("csv", "json", "parquet")), "rows": rng.randint(1, 50_000)}

    def _edited(self, tenant: Tenant) -> Properties:
        recipe = self._rng.choice(tenant.recipes).id
        return {"recipe_id": recipe, "change": {"steps": self._rng.randint(1, 9), "draft": True}}

    def _searched(self, _: Tenant) -> Properties:
        rng = self._rng
        return {"results": rng.randint(0, 60), "duration_ms": round(rng.uniform(5, 400), 1)}

    def _tested(self, _: Tenant) -> Properties:
        return {"app": self._rng.choice(catalogue.APPS), "ok": self._rng.random() < 0.9}


def _plan(tenant: Tenant) -> str:
    """A tenant's plan: the larger it is, the dearer."""
    return PLANS[-1] if len(tenant.recipes) > 12 else PLANS[len(tenant.recipes) % 3]
