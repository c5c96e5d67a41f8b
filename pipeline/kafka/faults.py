"""What the two Kafka clients raise, as one of ours: that no broker answers, or what was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, NodeNotReadyError
from aiokafka.errors import KafkaError as AIOKafkaError
from confluent_kafka import KafkaError, KafkaException

from pipeline.errors import BrokerError
from pipeline.kafka.entry import refusal

if TYPE_CHECKING:
    from pipeline.settings import Settings

_UNANSWERED_CODES = {
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - these are public in all but name
    KafkaError._RESOLVE,  # noqa: SLF001
    KafkaError._TIMED_OUT,  # noqa: SLF001
    KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001
    KafkaError._TRANSPORT,  # noqa: SLF001
}
_UNANSWERED = (KafkaConnectionError, KafkaTimeoutError, NodeNotReadyError, OSError, TimeoutError)


def unanswered(settings: Settings, why: str) -> BrokerError:
    """The error of a broker that does not answer; it names the setting."""
    return BrokerError(f"Kafka at {settings.kafka} (USAGE_KAFKA) does not answer: {why}")


def translate(error: Exception, settings: Settings, what: str = "") -> BrokerError:
    """Say as one of ours what a client raised; where none answers it is asked why, for moments.

    Args:
        error: of either client, or of the socket.
        settings: where Kafka is.
        what: a sentence's beginning, for when a broker did answer: ``topic x was not made``.
    """
    if isinstance(error, _UNANSWERED) or _code(error) in _UNANSWERED_CODES:
        refused = refusal(settings)
        if refused:
            return BrokerError(f"Kafka at {settings.kafka} (USAGE_KAFKA) {refused}")
        return unanswered(settings, words(error))
    return BrokerError(f"{what or f'Kafka at {settings.kafka}'}: {words(error)}")


def may_pass(error: AIOKafkaError) -> bool:
    """Whether another attempt may meet no such error: nothing was refused for what it is."""
    return error.retriable or isinstance(error, KafkaTimeoutError)


def words(error: Exception) -> str:
    """What is wrong, without the client's names for it."""
    if isinstance(error, KafkaException):
        return str(error.args[0].str())
    if isinstance(error, KafkaConnectionError):  # its own words list the client's addresses
        return "cannot connect"
    return str(error) or type(error).__name__


def _code(error: Exception) -> int | None:
    return error.args[0].code() if isinstance(error, KafkaException) else None
