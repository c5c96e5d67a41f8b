"""The topics: what they must be like, making and checking them, and telling incarnations apart."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.cimpl import NewTopic

from pipeline.errors import BrokerError, Halted
from pipeline.facts.types import TYPES
from pipeline.kafka.entry import admin
from pipeline.kafka.faults import translate
from pipeline.settings import Settings
from schemas.catalogue import DEAD_LETTER_TOPIC

RUN_PREFIX = "__run."
"""The in-process broker has no topic ids; the rest of a topic's name is its run's id."""

EMBEDDED = "embedded"
"""Stands for the id of its cluster: what a run of it has not counted is gone with it."""

EMBEDDED_KEEPS_BYTES = 5 * 1024 * 1024
"""What the in-process broker keeps of a partition; older batches are dropped, read or not."""

_MIB = 1024 * 1024
_TIMEOUT_SECONDS = 20.0
_POLL_SECONDS = 0.05
_ID_LETTERS = 22
_NO_ID = "A" * _ID_LETTERS  # a Uuid of zeros; the class itself does not compare


@dataclass(frozen=True)
class TopicSpec:
    """One topic as this program needs it; ``name`` is without the prefix of the settings."""

    name: str
    max_message_bytes: int = 2 * _MIB
    compacted: bool = False
    in_order: bool = False
    """What its events come to depends on all before them: one partition, that keeps everything."""
    single: bool = False
    """It is small: one partition."""

    def partitions(self, settings: Settings) -> int:
        """How many partitions it is made with."""
        return 1 if self.in_order or self.single else settings.partitions

    def config(self, settings: Settings) -> dict[str, str]:
        """Kafka's topic configuration. A compacted topic keeps the newest of each key for good."""
        for_good = self.compacted or self.in_order
        retention = -1 if for_good else settings.retention_hours * 3_600_000
        return {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "max.message.bytes": str(self.max_message_bytes),
            "retention.ms": str(retention),
        }


DEAD_LETTER = TopicSpec(DEAD_LETTER_TOPIC, max_message_bytes=4 * _MIB, compacted=True)

COUNTED = tuple(TopicSpec(topic, in_order=one.state is not None) for topic, one in TYPES.items())
"""The topics that workers read."""

ALL = (*COUNTED, DEAD_LETTER)

GROWTH = TopicSpec("usage.topic-growth", compacted=True, single=True)
"""How topics have grown (`pipeline.kafka.growth`); made when the first of them does."""


class TopicReport(NamedTuple):
    """One topic: its name as Kafka knows it, whether it was made, and what is wrong with it."""

    topic: str
    made: bool
    problems: tuple[str, ...] = ()


def create(settings: Settings, specs: Iterable[TopicSpec] = ALL) -> list[TopicReport]:
    """Make the topics that do not exist; those that do are checked and left as they are.

    Raises:
        BrokerError: Kafka could not be reached or refused.
    """
    client = admin(settings)
    specs = list(specs)
    there = _partition_counts(client, settings)
    missing = [spec for spec in specs if settings.topic(spec.name) not in there]
    if _run_id(there):
        for spec in missing:  # it knows no CreateTopics; asking about a topic makes it
            _list_topics(client, settings, settings.topic(spec.name))
        return [TopicReport(settings.topic(spec.name), spec in missing) for spec in specs]
    new = [
        NewTopic(
            settings.topic(spec.name),
            num_partitions=spec.partitions(settings),
            replication_factor=settings.replication,
            config=spec.config(settings),
        )
        for spec in missing
    ]
    made = {topic for topic, future in _create(client, new) if _was_made(settings, topic, future)}
    _await(client, settings, {one.topic for one in new})
    return [
        TopicReport(topic, topic in made, () if topic in made else problems)
        for topic, _, problems in check(settings, specs)
    ]


def check(settings: Settings, specs: Iterable[TopicSpec] = ()) -> list[TopicReport]:
    """Compare the topics with what they must be like; each problem is a sentence's end.

    Without ``specs`` all of them, and the one of announcements where it is.

    Raises:
        BrokerError: Kafka could not be reached or refused.
    """
    client = admin(settings)
    there = _partition_counts(client, settings)
    specs = list(specs) or [*ALL, *([GROWTH] if settings.topic(GROWTH.name) in there else [])]
    names = [settings.topic(spec.name) for spec in specs]
    configs: dict[str, dict[str, str]] = {}
    if not _run_id(there):  # the in-process broker has no configuration to ask for
        configs = _configs(client, settings, [name for name in names if name in there])
    return [
        TopicReport(
            name, False, tuple(_problems(spec, settings, there.get(name), configs.get(name)))
        )
        for spec, name in zip(specs, names, strict=True)
    ]


def retentions(settings: Settings, names: Iterable[str]) -> dict[str, int]:
    """How many ms the topics (full names) keep records; -1 is for good.

    Of the in-process broker, which forgets by size only, -1 too.

    Raises:
        BrokerError: Kafka could not be reached, or a topic does not exist.
    """
    client = admin(settings)
    names = list(names)
    if _run_id(_partition_counts(client, settings)):
        return dict.fromkeys(names, -1)
    configs = _configs(client, settings, names)
    return {name: int(found["retention.ms"]) for name, found in configs.items()}


def incarnations(settings: Settings, topics: Iterable[str]) -> dict[str, str]:
    """What tells a topic from one of the same name that was deleted: Kafka's id of it.

    Args:
        settings: where Kafka is.
        topics: names as Kafka knows them, prefix included.

    Returns:
        For each topic 22 characters of base64; of the in-process broker, its run's id.

    Raises:
        BrokerError: Kafka could not be reached, or a topic does not exist.
        Halted: this Kafka has no topic ids.
    """
    client = admin(settings)
    topics = list(topics)
    there = _partition_counts(client, settings)
    missing = sorted(set(topics) - there.keys())
    if missing:
        raise BrokerError(
            f"Kafka at {settings.kafka} has no topic {', '.join(missing)}; "
            "`usage topics create` makes it"
        )
    run = _run_id(there)
    if run:
        return dict.fromkeys(topics, run)
    found = client.describe_topics(TopicCollection(topics), request_timeout=_TIMEOUT_SECONDS)
    ids = {topic: _result(settings, topic, future).topic_id for topic, future in found.items()}
    if any(one is None or str(one) == _NO_ID for one in ids.values()):
        raise Halted(
            f"Kafka at {settings.kafka} tells no topic ids, which keep a recreated topic's events "
            "apart from the old one's; Kafka 3.1 or newer does"
        )
    return {topic: str(one) for topic, one in ids.items()}


def is_embedded(incarnation: str) -> bool:
    """Whether an incarnation is one of the in-process broker, not of a Kafka with topic ids."""
    return len(incarnation) != _ID_LETTERS


def broker_is_embedded(settings: Settings) -> bool:
    """Whether this Kafka is the in-process broker. Raises BrokerError."""
    return _run_id(partition_counts(settings)) is not None


def described(client: Any, settings: Settings, topic: str, seconds: float) -> Any:
    """What a client is told of one topic (full name): confluent-kafka's ``TopicMetadata``.

    It is asked twice where the first answer is an error: the in-process broker makes a topic when
    it is asked for, and says so only afterwards.

    Raises:
        BrokerError: Kafka could not be reached, or has no such topic.
    """
    for _ in range(2):
        found = _list_topics(client, settings, topic, seconds).topics[topic]
        if found.error is None:
            return found
    raise BrokerError(
        f"topic {topic} at {settings.kafka}: {found.error.str()}; `usage topics create` makes it"
    )


def _list_topics(
    client: Any, settings: Settings, topic: str | None = None, seconds: float | None = None
) -> Any:
    which = () if topic is None else (topic,)
    try:
        return client.list_topics(*which, timeout=seconds or _TIMEOUT_SECONDS)
    except KafkaException as error:
        raise translate(error, settings) from error


def partition_counts(settings: Settings) -> dict[str, int]:
    """How many partitions each topic (full name) has. Raises BrokerError."""
    return _partition_counts(admin(settings), settings)


def cluster_id(settings: Settings) -> str:
    """What tells this Kafka from any other; `EMBEDDED` for all runs of the in-process broker.

    Empty where it does not tell. Raises BrokerError.
    """
    found = _list_topics(admin(settings), settings)
    return EMBEDDED if _run_id(found.topics) else found.cluster_id or ""


def require_may_see(settings: Settings, topic: str, listed: Iterable[str]) -> None:
    """Make sure that a topic (full name) that is not among those listed is not there.

    Kafka lists only what one may know of. It is asked for by a call that never makes it.

    Raises:
        Halted: we may not know whether it is there.
        BrokerError: Kafka could not be reached; or it is there by now.
    """
    if _run_id(listed):  # it keeps nothing secret
        return
    client = admin(settings)
    found = client.describe_topics(TopicCollection([topic]), request_timeout=_TIMEOUT_SECONDS)
    try:
        found[topic].result()
    except KafkaException as error:
        code = error.args[0].code()
        if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            who = settings.kafka_user or "who is not logged in"
            raise Halted(
                f"Kafka at {settings.kafka} does not let {who} know whether there is a topic "
                f"{topic}, which says how topics have grown: repeats would count again without; "
                "allow Describe and Read on it, whether or not it is there"
            ) from error
        if code != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise translate(error, settings, f"Kafka did not describe topic {topic}") from error
    else:
        raise BrokerError(f"Kafka at {settings.kafka} lists no {topic}, which is there; try again")


def _partition_counts(client: AdminClient, settings: Settings) -> dict[str, int]:
    listed = _list_topics(client, settings).topics
    return {name: len(topic.partitions) for name, topic in listed.items()}


def _run_id(names: Iterable[str]) -> str | None:
    """The id of the in-process broker's run; None: this is a real Kafka."""
    return next((n.removeprefix(RUN_PREFIX) for n in names if n.startswith(RUN_PREFIX)), None)


def _create(client: AdminClient, new: list[NewTopic]) -> Iterator[tuple[str, Future[None]]]:
    if new:  # the client refuses an empty list
        yield from client.create_topics(new, request_timeout=_TIMEOUT_SECONDS).items()


def _was_made(settings: Settings, topic: str, future: Future[None]) -> bool:
    """Whether we made it: another process may have done so at the same moment."""
    try:
        future.result()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise translate(error, settings, f"Kafka did not make topic {topic}") from error
    return True


def _await(client: AdminClient, settings: Settings, made: set[str]) -> None:
    """Wait until the brokers serve what was made: they learn of it a moment after it is."""
    end = time.monotonic() + _TIMEOUT_SECONDS
    while made:
        listed = _list_topics(client, settings).topics
        led = {
            name
            for name in made & listed.keys()
            if all(p.leader >= 0 for p in listed[name].partitions.values())
        }
        if led == made:
            return
        if time.monotonic() > end:
            raise BrokerError(f"Kafka made {', '.join(sorted(made - led))}, but does not serve it")
        time.sleep(_POLL_SECONDS)


def _configs(
    client: AdminClient, settings: Settings, names: list[str]
) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    found = client.describe_configs(resources, request_timeout=_TIMEOUT_SECONDS)
    return {
        resource.name: {
            k: str(entry.value) for k, entry in _result(settings, resource.name, future).items()
        }
        for resource, future in found.items()
    }


def _problems(
    spec: TopicSpec, settings: Settings, partitions: int | None, config: dict[str, str] | None
) -> Iterator[str]:
    if partitions is None:
        yield "does not exist; `usage topics create` makes it"
        return
    if config is None:
        return
    # More partitions than asked for are fine: work spreads further.
    if spec.in_order and partitions > 1:
        yield f"has {partitions} partitions, not 1: what its events come to depends on their order"
    if spec.single and partitions > 1:
        yield f"has {partitions} partitions, not 1: only the first is read"
    if partitions < spec.partitions(settings):
        yield f"has {partitions} partitions; USAGE_PARTITIONS asks for {settings.partitions}"
    wanted = spec.config(settings)
    if config["cleanup.policy"] != wanted["cleanup.policy"]:
        yield f"has cleanup.policy {config['cleanup.policy']}, not {wanted['cleanup.policy']}"
    if int(config["max.message.bytes"]) < spec.max_message_bytes:
        yield (
            f"has max.message.bytes {config['max.message.bytes']}, less than "
            f"{spec.max_message_bytes}: larger events cannot be sent"
        )
    if not spec.compacted:
        yield from _retention_problems(int(wanted["retention.ms"]), config)


def _retention_problems(wanted_ms: int, config: dict[str, str]) -> Iterator[str]:
    """What Kafka deletes before it was read is lost; -1 is without a limit."""
    kept_ms = int(config["retention.ms"])
    if wanted_ms < 0 <= kept_ms:
        yield f"has retention.ms {kept_ms}, not -1: it is read from its first record on"
    elif 0 <= kept_ms < wanted_ms:
        yield f"has retention.ms {kept_ms}, less than {wanted_ms} (USAGE_RETENTION_HOURS)"
    if int(config["retention.bytes"]) >= 0:
        yield (
            f"has retention.bytes {config['retention.bytes']}: a burst would delete events "
            "sooner than their time; -1 is without a limit"
        )


def _result(settings: Settings, topic: str, future: Future[Any]) -> Any:
    try:
        return future.result()
    except KafkaException as error:
        raise translate(error, settings, f"Kafka did not describe topic {topic}") from error
