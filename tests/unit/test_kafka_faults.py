"""A broker that does not answer is said in one sentence, which names the setting."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError
from confluent_kafka import KafkaError, KafkaException

from pipeline.clickhouse.client import Store
from pipeline.errors import BrokerError
from pipeline.kafka import group as audit_kafka
from pipeline.kafka import topics
from pipeline.kafka.dead_letters import reading
from pipeline.kafka.dead_letters.selection import LetterSelection
from pipeline.kafka.faults import translate
from pipeline.kafka.reading import LogReader
from pipeline.operate import rewind
from pipeline.operate.audit import fold
from pipeline.operate.audit.ledger import Log
from pipeline.operate.dead_letters import retry
from pipeline.operate.tail import follow
from pipeline.settings import Settings, load
from pipeline.simulate import produce
from pipeline.worker.process import Process

NOWHERE = load({"USAGE_KAFKA": "127.0.0.1:1"})
SENTENCE = r"^Kafka at 127\.0\.0\.1:1 \(USAGE_KAFKA\) does not answer: [^({]+$"


def of_librdkafka(code: int) -> KafkaException:
    return KafkaException(KafkaError(code))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (of_librdkafka(KafkaError._TRANSPORT), "Local: Broker transport failure"),
        (of_librdkafka(KafkaError._ALL_BROKERS_DOWN), "Local: All broker connections are down"),
        (of_librdkafka(KafkaError._TIMED_OUT), "Local: Timed out"),
        (KafkaConnectionError("Unable to bootstrap from [('h', 1)]"), "cannot connect"),
        (TimeoutError(), "TimeoutError"),
        (ConnectionResetError("reset by peer"), "reset by peer"),
    ],
)
def test_a_broker_that_does_not_answer(error: Exception, said: str) -> None:
    told = translate(error, NOWHERE, "the group g cannot be described")
    assert told.message == f"Kafka at 127.0.0.1:1 (USAGE_KAFKA) does not answer: {said}"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            of_librdkafka(KafkaError.GROUP_AUTHORIZATION_FAILED),
            "Broker: Group authorization failed",
        ),
        (GroupAuthorizationFailedError("g"), "[Error 30] GroupAuthorizationFailedError: g"),
    ],
)
def test_what_a_broker_refuses_is_not_its_silence(error: Exception, said: str) -> None:
    told = translate(error, NOWHERE, "the group g cannot be described")
    assert told.message == f"the group g cannot be described: {said}"
    assert translate(error, NOWHERE).message == f"Kafka at 127.0.0.1:1: {said}"


def _tail(settings: Settings) -> None:
    follow.main(settings, follow.Tail())


def _dead_letters(settings: Settings) -> None:
    reading.read(settings, LetterSelection())


def _records(settings: Settings) -> None:
    log = Log("usage.requests", 0, "x")
    with closing(LogReader(settings)) as reader:
        list(fold._Records(settings, reader, log, 0).until(1))


def _rewind(settings: Settings) -> None:
    rewind.rewind(settings, Store.__new__(Store), [])


READING: list[Callable[[Settings], object]] = [
    topics.check,
    audit_kafka.incarnations,
    lambda settings: audit_kafka.committed(settings, []),
    lambda settings: audit_kafka.bounds(settings, ["usage.requests"]),
    audit_kafka.group,
    _records,
    _dead_letters,
    _tail,
    _rewind,
    retry.Resender,
    produce.Sender,
]


@pytest.mark.parametrize("reads", READING)
def test_whoever_reads_says_it_alike(
    reads: Callable[[Settings], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "_TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(fold, "SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(produce, "FIRST_ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(follow, "Interrupts", object)  # the tests' own signals stay as they are
    for module in (audit_kafka, retry):
        monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.5)
    with pytest.raises(BrokerError, match=SENTENCE):
        reads(NOWHERE)


def test_a_broker_that_goes_away_while_a_worker_starts_is_no_crash(
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker = Process(load({}))
    worker._fail(KafkaConnectionError("Unable to bootstrap from []"))
    assert worker._exit_code() == BrokerError.exit_code
    [said] = caplog.records
    assert "USAGE_KAFKA" in said.getMessage()
    assert said.exc_info is None
