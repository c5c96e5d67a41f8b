"""Rows D1–D7: requests, response times, tokens, ranks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tests.support.oracle.calendar import bucket_of, buckets, to_datetime, to_ms
from tests.support.oracle.log import Request
from tests.support.oracle.world import Rows, World, between, ranked

COMPLETION = ("chat", "text_completion", "generate_content")
EMBEDDING = ("embeddings",)


@dataclass(frozen=True)
class Within:
    """A quantile of few values has several usual definitions: any of them, within 5 %, is right."""

    least: float
    greatest: float

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, float):
            return NotImplemented
        return self.least * 0.95 <= other <= self.greatest * 1.05

    __hash__ = None  # type: ignore[assignment]


def quantile(values: Sequence[int], q: float) -> Within | None:
    """A quantile of durations in µs, in ms; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    places = (q * (len(ordered) - 1), q * len(ordered) - 1)
    low = max(0, math.floor(min(places)))
    high = min(len(ordered) - 1, math.ceil(max(places)))
    return Within(ordered[low] / 1000, ordered[high] / 1000)


def _requests(
    world: World, since: datetime, until: datetime, tenant: str, token: str
) -> list[Request]:
    found = between(world.requests, *world.range(since, until), tenant)
    return [one for one in found if token in ("", one.token)]


def _times(requests: Sequence[Request], operations: tuple[str, ...]) -> list[object]:
    """Average and quantiles in ms, failures included; NULL where there are no requests."""
    durations = [one.duration_us for one in requests if one.operation in operations]
    average = sum(durations) / len(durations) / 1000 if durations else None
    return [average, *(quantile(durations, q) for q in (0.5, 0.95, 0.99))]


def request_summary(
    world: World, since: datetime, until: datetime, tenant: str, token: str
) -> Rows:
    """D3, D4, D5: requests, failed ones, response times, tokens (cached, reasoning: parts)."""
    requests = _requests(world, since, until, tenant, token)
    return [
        (
            len(requests),
            sum(one.failed for one in requests),
            sum(one.is_unmetered for one in requests),
            *_times(requests, COMPLETION),
            *_times(requests, EMBEDDING),
            sum(one.input for one in requests),
            sum(one.output for one in requests),
            sum(one.input + one.output for one in requests),
            sum(one.cache_read for one in requests),
            sum(one.cache_creation for one in requests),
            sum(one.reasoning for one in requests),
        )
    ]


def organizations(world: World, as_of: datetime, tenant: str) -> Rows:
    """D1: who is registered, and who was seen: a request, an action or a product event."""
    until = to_ms(as_of)
    standing = world.standing(until)
    events = (world.requests, world.actions, world.products)
    seen = {one.tenant for of in events for one in between(of, 0, until, tenant)}
    registered = {one for one in standing.tenants() if tenant in ("", one)}
    return [
        (
            who,
            standing.name("tenant", who, who),
            standing.text("tenant", who, who, "kind") or "customer",
            who in registered,
        )
        for who in seen | registered
    ]


def requests_over_time(
    world: World, since: datetime, until: datetime, tz: str, grain: str, tenant: str, token: str
) -> Rows:
    """D2: requests, failed ones and tokens of each bucket, empty ones too."""
    by_bucket: dict[int, list[Request]] = {}
    for one in _requests(world, since, until, tenant, token):
        by_bucket.setdefault(bucket_of(one.time, tz, grain), []).append(one)
    rows: Rows = []
    for at in buckets(to_ms(since), to_ms(until), tz, grain):
        requests = by_bucket.get(at, [])
        failed = sum(one.failed for one in requests)
        tokens = sum(one.input for one in requests), sum(one.output for one in requests)
        rows.append((to_datetime(at), len(requests), failed, *tokens))
    return rows


def _top(requests: Sequence[Request], k: int, key_of: Callable[[Request], tuple[str, ...]]) -> Rows:
    """(rank, key …, requests, input, output, total tokens), most requests first."""
    groups: dict[tuple[str, ...], list[Request]] = {}
    for one in requests:
        groups.setdefault(key_of(one), []).append(one)
    return ranked(
        (
            (
                len(of),
                (
                    *key,
                    len(of),
                    sum(one.input for one in of),
                    sum(one.output for one in of),
                    sum(one.input + one.output for one in of),
                ),
            )
            for key, of in groups.items()
        ),
        k,
    )


def top_tenants(world: World, since: datetime, until: datetime, k: int) -> Rows:
    """D6: the organizations with most requests."""
    name = world.standing(to_ms(until)).name
    rows = _top(_requests(world, since, until, "", ""), k, lambda one: (one.tenant,))
    return [(rank, who, name("tenant", who, who), *rest) for rank, who, *rest in rows]


def top_tokens(world: World, since: datetime, until: datetime, k: int, tenant: str) -> Rows:
    """D6: the tokens with most requests, each with its owner's e-mail and its service account."""
    standing = world.standing(to_ms(until))
    found = _requests(world, since, until, tenant, "")
    rows: Rows = []
    for rank, who, token, *rest in _top(found, k, lambda one: (one.tenant, one.token)):
        owner = standing.text("token", who, token, "owner_user_id")
        account = standing.text("token", who, token, "service_account_id")
        rows.append(
            (
                rank,
                who,
                token,
                standing.name("token", who, token),
                *rest,
                standing.text("user", who, owner, "email") if owner else "",
                standing.name("service_account", who, account) if account else "",
            )
        )
    return rows


def top_users(
    world: World, since: datetime, until: datetime, k: int, tenant: str, token: str
) -> Rows:
    """D6: the users with most requests; requests without a user are a group ''."""
    found = _requests(world, since, until, tenant, token)
    return _top(found, k, lambda one: (one.tenant, one.user))


def requests_by_model(
    world: World, since: datetime, until: datetime, tenant: str, token: str
) -> Rows:
    """D7: the requests of every model in the catalogue, 0 too, and of others that had any."""
    standing = world.standing(to_ms(until))
    counts = {model: 0 for _, model, _ in standing.standing("model")}
    for one in _requests(world, since, until, tenant, token):
        counts[one.model] = counts.get(one.model, 0) + 1
    return [(model, standing.name("model", "*", model), n) for model, n in counts.items()]
