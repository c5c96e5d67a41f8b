"""The simulated stream: decided by its seed, its shares right, its shape a day's and a week's."""

from __future__ import annotations

import json
from collections import Counter
from itertools import chain, islice
from typing import Any

import pytest

from pipeline.simulate import shape, until
from pipeline.simulate.stream import RECENT, Message, Options, stream
from pipeline.simulate.world import build_world

MONDAY_NOON_MS = 1_780_315_200_000  # 2026-06-01T12:00:00Z
ALL = Options(rate=1000, late=0.1, duplicates=0.05, malformed=0.08)


def messages(
    count: int, options: Options = ALL, *, seed: int = 7, run: str = "run"
) -> list[Message]:
    blocks = stream(build_world(seed, 20), options, run=run, start_ms=MONDAY_NOON_MS)
    return list(islice(chain.from_iterable(blocks), count))


def event(message: Message) -> dict[str, Any]:
    return dict(json.loads(message.value))


def test_a_seed_decides_everything() -> None:
    assert messages(3000) == messages(3000)
    assert messages(100) != messages(100, seed=8)


def test_runs_differ_in_nothing_but_the_ids_of_events() -> None:
    one, other = messages(2000, run="aaa"), messages(2000, run="bbb")
    assert [m.value.replace(b"aaa-", b"bbb-") for m in one] == [m.value for m in other]
    ids = [{event(m)["id"] for m in run if m.kind in {"new", "late"}} for run in (one, other)]
    assert not ids[0] & ids[1]


def test_shares_are_those_asked_for() -> None:
    found = Counter(m.kind for m in messages(40_000))
    assert found["late"] / 40_000 == pytest.approx(0.1, rel=0.05)
    assert found["duplicate"] / 40_000 == pytest.approx(0.05, rel=0.05)
    assert found["malformed"] / 40_000 == pytest.approx(0.08, rel=0.05)


def test_without_shares_every_event_is_new_and_has_an_id_of_its_own() -> None:
    found = messages(5000, Options(rate=1000))
    assert {m.kind for m in found} == {"new"}
    assert len({event(m)["id"] for m in found}) == 5000


def test_a_duplicate_is_a_valid_event_sent_again_soon_after() -> None:
    last_seen: dict[tuple[str, bytes, bytes], int] = {}
    for place, m in enumerate(messages(20_000)):
        if m.kind == "duplicate":
            assert place - last_seen[m.topic, m.key, m.value] < 20 * RECENT
        elif m.kind != "malformed":
            last_seen[m.topic, m.key, m.value] = place


def test_the_key_is_the_tenant() -> None:
    assert all(event(m)["subject"].encode() == m.key for m in messages(1000) if not m.reason)


def test_only_late_events_are_older_than_their_sending() -> None:
    for m in messages(5000, Options(rate=1000, late=0.3)):
        age_ms = m.at_ms - milliseconds(event(m)["time"])
        assert (0 < age_ms <= 2 * 24 * shape.HOUR_MS) if m.kind == "late" else age_ms == 0


def test_requests_are_believable() -> None:
    options = Options(rate=1000, actions=0, events=0, changes=0)
    found = [event(m)["data"] for m in messages(20_000, options)]
    operations = Counter(data["operation"] for data in found)
    assert {"chat", "text_completion", "generate_content", "embeddings", "rerank"} <= set(
        operations
    )
    failed = [data for data in found if data["status_code"] >= 400]
    assert 0.01 < len(failed) / len(found) < 0.04
    assert all(data["error_type"] for data in failed)
    assert any("cost" not in data for data in found), "some run on own machines, without a price"
    assert any("user_id" not in data for data in found), "some are services"
    for data in found:
        assert data.get("cache_read_input_tokens", 0) <= data["input_tokens"]
        assert data.get("reasoning_output_tokens", 0) <= data["output_tokens"]


def test_a_tenant_pays_in_one_currency() -> None:
    found: dict[bytes, set[str]] = {}
    for m in messages(20_000, Options(rate=1000, actions=0)):
        data = event(m)["data"]
        if "cost" in data:
            found.setdefault(m.key, set()).add(data.get("currency", "USD"))
    assert all(len(currencies) == 1 for currencies in found.values())
    assert {"EUR"} in found.values()


def test_recipes_have_every_kind_of_step_and_everything_that_happens_to_one() -> None:
    found = [event(m)["data"] for m in messages(30_000, Options(rate=1000, actions=1))]
    assert {data["kind"] for data in found} == {"trigger", "control", "action", "call"}
    assert {data["outcome"] for data in found} == {"succeeded", "failed", "skipped"}
    assert any(data.get("iteration", 0) > 0 for data in found)
    assert any(data.get("items", 1) > 1 for data in found)
    assert any(data.get("rerun") for data in found)


def test_product_events_have_nested_mixed_missing_and_wrong_properties() -> None:
    options = Options(rate=1000, actions=0, events=0.9, changes=0)
    kinds: dict[tuple[str, str], Counter[str]] = {}
    for m in messages(12_000, options):
        data = event(m)["data"]
        if "properties" in data:
            for name in ("status", "duration_ms", "amount", "endpoint", "account", "tags"):
                kind = type(data["properties"].get(name)).__name__
                kinds.setdefault((data["name"], name), Counter())[kind] += 1
    for name in ("api_request", "api_call"):
        assert set(kinds[name, "status"]) == {"int", "str", "NoneType"}
        assert set(kinds[name, "duration_ms"]) == {"float", "str", "NoneType"}
        assert set(kinds[name, "endpoint"]) == {"dict"}
        assert set(kinds[name, "tags"]) == {"list", "NoneType"}
        assert kinds[name, "status"]["int"] > 0.9 * kinds[name, "status"].total()
    assert set(kinds["invoice.paid", "amount"]) == {"float", "str", "NoneType"}
    assert set(kinds["invoice.paid", "account"]) == {"dict"}


def test_tenants_are_unequal() -> None:
    ranked = [n for _, n in Counter(m.key for m in messages(20_000)).most_common()]
    assert len(ranked) == 20
    assert ranked[0] > 5 * ranked[10]


def test_a_larger_world_contains_the_smaller_one() -> None:
    assert build_world(3, 50).tenants[:10] == build_world(3, 10).tenants


def test_every_tenant_has_an_id_of_its_own() -> None:
    assert len({tenant.id for tenant in build_world(1, 1500).tenants}) == 1500


@pytest.mark.parametrize("tenants", [0, -1, 10**6])
def test_a_world_has_a_size(tenants: int) -> None:
    with pytest.raises(ValueError, match="tenants"):
        build_world(1, tenants)


def test_a_week_has_its_mean_and_a_day_its_curve() -> None:
    monday_ms = MONDAY_NOON_MS - 12 * shape.HOUR_MS
    for region, (_, ahead, _) in enumerate(shape.REGIONS):
        begin_ms = monday_ms - ahead * shape.HOUR_MS  # midnight there
        week = [shape.activity(region, begin_ms + h * shape.HOUR_MS) for h in range(168)]
        assert sum(week) / 168 == pytest.approx(1)
        assert week[10] > 5 * week[3]
        assert week[10] > 1.5 * week[5 * 24 + 10], "a Saturday is quieter than a Monday"


def test_the_rate_follows_the_day_unless_it_is_steady() -> None:
    def sent_in_a_minute(start_ms: int, *, steady: bool) -> int:
        options = Options(rate=50, steady=steady)
        blocks = stream(build_world(1, 20), options, run="run", start_ms=start_ms)
        return sum(map(len, until(blocks, start_ms + 60_000)))

    night_ms = MONDAY_NOON_MS - 7 * shape.HOUR_MS
    noon, night = (sent_in_a_minute(at, steady=False) for at in (MONDAY_NOON_MS, night_ms))
    assert noon > 1.5 * night
    assert sent_in_a_minute(night_ms, steady=True) in range(2998, 3002)


def milliseconds(text: str) -> int:
    from datetime import datetime

    return round(datetime.fromisoformat(text).timestamp() * 1000)
