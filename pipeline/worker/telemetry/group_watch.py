"""Looks for members of the new group protocol in the workers' group.

Such a member (``group.protocol=consumer``) turns the group into one of its own kind. The broker
then takes partitions from the workers and gives them back under the generation and the member id
that they have anyway, so that a lease no longer tells one assignment from the next.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge

from pipeline.errors import BrokerError, Halted
from pipeline.kafka.group import group
from pipeline.worker.telemetry import metrics

if TYPE_CHECKING:
    from pipeline.settings import Settings

log = logging.getLogger(__name__)

EVERY_SECONDS = 30.0


def refuse_new_protocol(settings: Settings) -> None:
    """Raise `Halted` if the group is one of the new protocol. Blocking; raises `BrokerError`."""
    if group(settings).is_of_new_protocol:
        raise Halted(f"{_found(settings)}; no worker may join it: {_ADVICE}")


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
