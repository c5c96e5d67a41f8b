"""Looks for members of the new group protocol in the workers' group.

Such a member (``group.protocol=consumer``) turns the group into one of its own kind. The broker
then takes partitions from the workers and gives them back under the generation and the member id
that they have anyway, so that a lease no longer tells one assignment from the next.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException
from prometheus_client import CollectorRegistry, Gauge

from pipeline.errors import BrokerError, Halted
from pipeline.kafka.group import group
from pipeline.worker.telemetry import metrics

if TYPE_CHECKING:
    from pipeline.settings import Settings

log = logging.getLogger(__name__)

EVERY_SECONDS = 30.0
COORDINATOR_SECONDS = 30.0
RETRY_SECONDS = 0.5
_NO_COORDINATOR_YET = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
)


def refuse_new_protocol(settings: Settings) -> None:
    """Raise `Halted` if the group is one of the new protocol. Blocking.

    Waits for a coordinator that is yet to be found, as joining does; goes on, and says so, where
    the group cannot be described for another reason.
    """
    deadline = time.monotonic() + COORDINATOR_SECONDS
    while True:
        try:
            found = group(settings)
        except BrokerError as error:
            if _may_pass(error) and time.monotonic() < deadline:
                time.sleep(RETRY_SECONDS)
                continue
            log.warning("not looked whether the group is of the new protocol: %s", error)
            return
        if found.is_of_new_protocol:
            raise Halted(f"{_found(settings)}; no worker may join it: {_ADVICE}")
        return


def _may_pass(error: BrokerError) -> bool:
    cause = error.__cause__
    return isinstance(cause, KafkaException) and cause.args[0].code() in _NO_COORDINATOR_YET


class GroupWatch:
    """Looks now and then, says what it sees and shows it."""

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        self._settings = settings
        metric = metrics.NEW_PROTOCOL
        self._gauge = Gauge(metric.name, metric.meaning, registry=registry)
        self._was_seen = False
        # Of its own: a call that hangs must keep nothing else waiting.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="group-watch")

    async def run_forever(self) -> None:
        """Look again and again; a broker that fails is passed over."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await asyncio.sleep(EVERY_SECONDS)
                try:
                    found = await loop.run_in_executor(self._thread, group, self._settings)
                except BrokerError as error:
                    log.debug("the group was not looked at: %s", error)
                else:
                    self.saw(found.is_of_new_protocol)
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def saw(self, is_of_new_protocol: bool) -> None:
        """Take note of what the group is; it is said when it becomes so."""
        if is_of_new_protocol and not self._was_seen:
            log.error("%s; what is counted may go wrong: %s", _found(self._settings), _ADVICE)
        self._was_seen = is_of_new_protocol
        self._gauge.set(is_of_new_protocol)


_ADVICE = (
    "stop it, and all workers until the group is empty; or give the workers a group of their own "
    "(USAGE_GROUP). On the brokers, group.consumer.migration.policy=disabled rules it out"
)


def _found(settings: Settings) -> str:
    return (
        f"the group {settings.group} has a member of the new group protocol "
        "(group.protocol=consumer)"
    )
