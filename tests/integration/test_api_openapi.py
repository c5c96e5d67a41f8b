"""The OpenAPI document: whole, and all that may be asked by it is answered as it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pipeline.access.roles import ALL, Role
from pipeline.api.application import ROUTES
from tests.support.harness.api import Served
from tests.support.harness.api_world import api_over_a_world
from tests.support.harness.store import EmbeddedStore

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ENDLESS = "/v1/live"
OF_KAFKA = {
    ("/v1/metrics/{id}", "PUT"),
    ("/v1/dead-letters", "GET"),
    ("/v1/dead-letters/{origin}", "GET"),
    ("/v1/lag", "GET"),
}
"""They are 503 here, as the document says: there is no Kafka."""


@pytest.fixture(scope="module")
def api(store: EmbeddedStore) -> Iterator[Served]:
    """Provide an API over a small world."""
    with api_over_a_world(store.port, events=100) as served:
        yield served


def test_every_route_and_view_is_in_it(api: Served) -> None:
    paths = api.get("/v1/openapi.json", who=api.let(Role.ADMIN, ALL)).json["paths"]
    for view in api.api.views.by_name():
        assert f"/v1/views/{view}" in paths
    documented = {(method.upper(), path) for path, of in paths.items() for method in of}
    for route in ROUTES:
        if route.path != "/v1/views/{view}":
            assert (route.method, route.path) in documented


@pytest.mark.timeout(900)
@pytest.mark.parametrize("role", [Role.ADMIN, Role.OPERATOR])
def test_whatever_is_asked_is_answered_as_it_says(api: Served, role: Role) -> None:
    who = api.let(role, ALL)
    document = api.get("/v1/openapi.json", who=who).json
    base = f"http://127.0.0.1:{api.port}"
    wrong = []
    for operation in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(operation, Ok), operation
        found = operation.ok()
        if found.path == ENDLESS:
            continue

        is_of_kafka = (found.path, found.method.upper()) in OF_KAFKA
        ask = asking(found, base, who, CHECKS[1:] if is_of_kafka else CHECKS)
        try:
            ask()
        except (AssertionError, BaseExceptionGroup) as error:
            wrong.append(f"{found.label}: {error} {getattr(error, 'exceptions', '')}")
    assert not wrong, "\n\n".join(wrong)


def asking(operation: Any, base: str, who: str, checks: list[Any]) -> Callable[[], None]:
    """Ask an operation in several ways, and hold each answer against the document."""

    @settings(
        max_examples=6,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        headers = {"Authorization": f"Bearer {who}"}
        case.call_and_validate(base_url=base, headers=headers, checks=checks, timeout=60)

    return cast("Callable[[], None]", ask)
