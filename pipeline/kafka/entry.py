"""Getting in to Kafka, and why it does not let us: neither client says that where it fails."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.errors import BrokerError
from pipeline.kafka.clients import confluent_config

if TYPE_CHECKING:
    from pipeline.settings import Settings

PROBE_SECONDS = 3.0
"""How long an answer is waited for; a refusal comes at once."""

_ASKED: list[Settings] = []
_TRY_SECONDS = 0.25
_SUFFIX = re.compile(r" \(after [0-9]+ms in state \w+.*\)$")
_THREAD = re.compile(r"^.*?\w+://\S+: (?=[A-Z])")


def require(settings: Settings) -> None:
    """See that Kafka lets us in, once in a process, before it is asked for anything.

    A client that is refused tries on until its time is up.

    Raises:
        BrokerError: it does not, and says why.
    """
    if settings.kafka_security == "plaintext" or settings in _ASKED:
        return
    refused = refusal(settings)
    if refused:
        raise BrokerError(f"Kafka at {settings.kafka} (USAGE_KAFKA) {refused}")
    _ASKED.append(settings)


def admin(settings: Settings) -> AdminClient:
    """A client for questions about topics and groups, which prints nothing by itself.

    What goes wrong is raised; librdkafka's own lines on stderr would only say it again.

    Raises:
        BrokerError: as `require`.
    """
    require(settings)
    return AdminClient(confluent_config(settings) | {"log_level": 2})


def refusal(settings: Settings) -> str:
    """Ask once more, by librdkafka, whose errors beside the answer have the reason.

    Returns:
        A sentence's end that names the settings at fault; ``''`` where it is not them: nobody
        answers at all, or somebody does by now.
    """
    heard: list[KafkaError] = []
    client = AdminClient(confluent_config(settings) | {"log_level": 0, "error_cb": heard.append})
    end = time.monotonic() + PROBE_SECONDS
    while not heard and time.monotonic() < end:
        try:
            client.list_topics(timeout=_TRY_SECONDS)
        except KafkaException:
            client.poll(0)
        else:
            return ""
    return next((why for error in heard if (why := _why(error, settings))), "")


def _why(error: KafkaError, settings: Settings) -> str:
    text = _SUFFIX.sub("", _THREAD.sub("", error.str()))
    if error.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001 - public in all but name
        who = f"USAGE_KAFKA_USER is {settings.kafka_user!r}, with USAGE_KAFKA_PASSWORD"
        return f"does not let us in: {text} ({who} and {settings.kafka_sasl_mechanism})"
    if error.code() == KafkaError._SSL:  # noqa: SLF001
        return f"cannot be spoken to by TLS: {text} (USAGE_KAFKA_CA, _CERT and _KEY)"
    return ""
