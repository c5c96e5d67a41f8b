"""Topics: made, checked and told apart, on a real broker and on the in-process one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from pipeline.errors import BrokerError
from pipeline.kafka import topics
from pipeline.kafka.entry import admin
from pipeline.settings import Settings, load
from tests.support.harness.kafka_broker import KafkaBroker
from tests.support.harness.waiting import until

RUN = "0123456789abcdef"
REQUESTS = topics.TopicSpec("usage.requests")


@pytest.fixture
def real(kafka: KafkaBroker) -> Settings:
    return _settings(kafka.servers)


@pytest.fixture
def in_process() -> Iterator[Settings]:
    broker = Producer({"test.mock.num.brokers": 1, "log_level": 2})
    address = str(next(iter(broker.list_topics(timeout=10).brokers.values()))).split("/")[0]
    broker.list_topics(topics.RUN_PREFIX + RUN, timeout=10)  # asking makes it
    yield _settings(address)
    broker.flush()


@pytest.fixture(params=["real", "in_process"])
def either(request: pytest.FixtureRequest) -> Settings:
    settings = request.getfixturevalue(request.param)
    assert isinstance(settings, Settings)
    return settings


def _settings(servers: str) -> Settings:
    prefix = f"{uuid.uuid4().hex}."
    return load({"USAGE_KAFKA": servers, "USAGE_TOPIC_PREFIX": prefix, "USAGE_PARTITIONS": "3"})


def _made(outcomes: list[topics.TopicReport]) -> list[bool]:
    assert not [o for o in outcomes if o.problems]
    return [outcome.made for outcome in outcomes]


def test_topics_are_made_once(either: Settings) -> None:
    assert _made(topics.create(either)) == [True] * len(topics.ALL)
    assert _made(topics.create(either)) == [False] * len(topics.ALL)
    assert _made(topics.check(either)) == [False] * len(topics.ALL)


def test_missing_topics_are_found(either: Settings) -> None:
    outcomes = topics.check(either)
    assert [o.topic for o in outcomes] == [either.topic(spec.name) for spec in topics.ALL]
    for outcome in outcomes:
        assert outcome.problems == ("does not exist; `usage topics create` makes it",)


def test_only_the_missing_one_is_made(either: Settings) -> None:
    topics.create(either, [REQUESTS])
    made = {o.topic for o in topics.create(either) if o.made}
    assert made == {either.topic(spec.name) for spec in topics.ALL if spec != REQUESTS}


def test_a_topic_made_by_hand_is_measured_against_what_it_must_be(real: Settings) -> None:
    name = real.topic(REQUESTS.name)
    topics.create(real, [REQUESTS])
    wrong = {
        "cleanup.policy": "compact",
        "max.message.bytes": "1000",
        "retention.ms": "60000",
        "retention.bytes": "1000000",
    }
    _alter(real, name, wrong)
    until(lambda: topics.check(real, [REQUESTS])[0].problems, within=20, what="the change")
    more = load(
        {
            "USAGE_KAFKA": real.kafka,
            "USAGE_TOPIC_PREFIX": real.topic_prefix,
            "USAGE_PARTITIONS": "4",
        }
    )
    (outcome,) = topics.create(more, [REQUESTS])
    assert not outcome.made
    said = "; ".join(outcome.problems)
    assert "has 3 partitions; USAGE_PARTITIONS asks for 4" in said
    assert "has cleanup.policy compact, not delete" in said
    assert "has max.message.bytes 1000, less than 2097152" in said
    assert "has retention.ms 60000, less than 604800000" in said
    assert "has retention.bytes 1000000" in said


def test_dead_letters_are_compacted_and_larger(real: Settings) -> None:
    topics.create(real)
    name = real.topic(topics.DEAD_LETTER.name)
    config = topics._configs(admin(real), real, [name])[name]
    assert config["cleanup.policy"] == "compact"
    assert config["max.message.bytes"] == str(4 * 1024 * 1024)


def test_a_recreated_topic_is_another_incarnation(real: Settings, kafka: KafkaBroker) -> None:
    name = real.topic(REQUESTS.name)
    topics.create(real, [REQUESTS])
    first = topics.incarnations(real, [name])
    assert topics.incarnations(real, [name]) == first
    assert len(first[name]) == 22
    kafka.admin.delete_topics([name])[name].result(30)
    until(
        lambda: name not in kafka.admin.list_topics(timeout=10).topics,
        within=30,
        what="the topic's end",
    )
    topics.create(real, [REQUESTS])
    assert topics.incarnations(real, [name])[name] != first[name]


def test_the_in_process_broker_has_one_incarnation_for_a_run(in_process: Settings) -> None:
    topics.create(in_process)
    names = [in_process.topic(spec.name) for spec in topics.COUNTED]
    assert topics.incarnations(in_process, names) == dict.fromkeys(names, RUN)


def test_the_incarnation_of_a_missing_topic_is_an_error(either: Settings) -> None:
    with pytest.raises(BrokerError, match=r"has no topic nothing; `usage topics create` makes it"):
        topics.incarnations(either, ["nothing"])


def test_a_kafka_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "_TIMEOUT_SECONDS", 1.0)
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:1 \(USAGE_KAFKA\) does not answer"):
        topics.check(load({"USAGE_KAFKA": "127.0.0.1:1"}))


def _alter(settings: Settings, topic: str, config: dict[str, str]) -> None:
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in config.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    admin = AdminClient({"bootstrap.servers": settings.kafka, "log_level": 2})
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(30)
