"""Topics: made, checked and told apart, on a real broker and on the in-process one."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from pipeline.errors import BrokerError, Halted, SettingsError
from pipeline.kafka import growth, partitions, topics
from pipeline.kafka.entry import admin
from pipeline.operate.grow import grow
from pipeline.protocol.chunks import Source
from pipeline.protocol.lineage import Change
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


def test_what_cannot_grow_is_refused_and_nothing_is_done(real: Settings) -> None:
    topics.create(real)
    for names, wanted, said in (
        ([], 4, "usage.requests has 3 partitions, and 4 is no multiple of that"),
        ([], 2, "has 3 partitions, and Kafka cannot take any away"),
        (["usage.metric-definitions"], 6, "keeps one partition: what its events come to"),
        (["usage.dead-letter"], 6, "a letter takes the place of an older one"),
        (["usage.request"], 6, "usage.request is not a topic that workers read; those that can"),
    ):
        with pytest.raises(SettingsError, match=said):
            list(grow(real, names, wanted, 0))
    counts = topics.partition_counts(real)
    assert counts[real.topic("usage.requests")] == 3
    assert real.topic(topics.GROWTH.name) not in counts
    with pytest.raises(SettingsError, match="does not exist; `usage topics create` makes it"):
        list(grow(_settings(real.kafka), [], 6, 0))


def test_the_in_process_broker_does_not_grow(in_process: Settings) -> None:
    topics.create(in_process)
    with pytest.raises(SettingsError, match="is the in-process one, whose topics do not grow"):
        list(grow(in_process, [], 6, 0))


def test_a_topic_grows_twice_and_what_comes_meanwhile_is_told(
    real: Settings, kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics.create(real)
    name = real.topic(REQUESTS.name)
    send(kafka, name, 0, 5)
    [made] = grow(real, [REQUESTS.name], 6, 0)
    assert made == (name, 3, 6, True, {})
    assert list(grow(real, [REQUESTS.name], 6, 0)) == [(name, 3, 6, False, {})]
    add = partitions.add

    def added_late(*asked: Any) -> None:
        send(kafka, name, 4, 2)  # by who was not stopped, behind the announcement
        add(*asked)

    monkeypatch.setattr(partitions, "add", added_late)
    assert list(grow(real, [REQUESTS.name], 12, 0)) == [(name, 6, 12, True, {4: 2})]
    ids = topics.incarnations(real, [name])
    with pytest.raises(BrokerError, match=f"Kafka does not give topic {name} 12 partitions: "):
        partitions.may_add(admin(real), real, name, 12)
    chain = (Change(3, 6, (5, 0, 0)), Change(6, 12, (5, 0, 0, 0, 0, 0)))
    assert growth.changes(real, ids) == {name: chain}
    assert growth.changes(real, {name: "A" * 22}) == {}  # of the topic that it was before
    with pytest.raises(BrokerError, match=r"does not know .*\[12\] yet"):
        growth.changes(real, ids, [Source(name, 12)])
    assert not [one for one in topics.check(real) if one.problems]


def test_a_topic_that_is_sent_to_does_not_grow(
    real: Settings, kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics.create(real)
    name = real.topic(REQUESTS.name)
    monkeypatch.setattr(time, "sleep", lambda _: send(kafka, name, 1, 2))
    with pytest.raises(BrokerError, match=r"somebody sends to .*: 2 records came within 0 s"):
        list(grow(real, [REQUESTS.name], 6, 0))
    monkeypatch.undo()
    one = Producer({"bootstrap.servers": kafka.servers, "transactional.id": name})
    one.init_transactions(30)
    one.begin_transaction()
    one.produce(name, b"", partition=0)
    one.flush(30)
    with pytest.raises(BrokerError, match="a transaction is open in "):
        list(grow(real, [REQUESTS.name], 6, 0))
    one.abort_transaction(30)
    assert topics.partition_counts(real)[name] == 3


def test_what_is_no_announcement_halts(real: Settings, kafka: KafkaBroker) -> None:
    """A newer release's, say: to go on without it could count repeats again."""
    topics.create(real, [topics.GROWTH])
    ids = {real.topic(REQUESTS.name): "A" * 22}
    for value in (b"{}", b"[", b'{"partitions_before": 2, "partitions": 3, "ends": [0, 0]}'):
        send(kafka, real.topic(topics.GROWTH.name), 0, 1, value)
        with pytest.raises(Halted, match="is no announcement of this release"):
            growth.changes(real, ids)
    send(kafka, real.topic(topics.GROWTH.name), 0, 1, None)  # taken back
    assert growth.changes(real, ids) == {}


def send(
    kafka: KafkaBroker, topic: str, partition: int, records: int, value: bytes | None = b""
) -> None:
    producer = Producer({"bootstrap.servers": kafka.servers})
    for _ in range(records):
        producer.produce(topic, value, b"key", partition=partition)
    assert not producer.flush(30)


def _alter(settings: Settings, topic: str, config: dict[str, str]) -> None:
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in config.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    admin = AdminClient({"bootstrap.servers": settings.kafka, "log_level": 2})
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(30)
