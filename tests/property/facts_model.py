"""The contract's model of one record (`tests/support/contract/events.py`) as rows of the heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.contract.events import (
    ENTITIES,
    EVENTS,
    RECIPE_ACTIONS,
    REQUESTS,
    TYPES,
    Read,
    read_record,
)

ZONES = {"UTC", "Asia/Kathmandu", "America/St_Johns", "US/Pacific"}  # that the strategies know
PARTITION = 5

_COLUMNS = {
    REQUESTS: (
        "team_id agent_id token_id user_id model operation failed duration_us input_tokens "
        "output_tokens cache_read_input_tokens cache_creation_input_tokens "
        "reasoning_output_tokens unmetered cost_nanos currency"
    ),
    RECIPE_ACTIONS: "recipe_id app rule_set task failed",
    EVENTS: "user_id name time properties",
    ENTITIES: (
        "deleted attributes name kind external_id subscription timezone billing_anchor_day email "
        "role team_id owner_user_id service_account_id status recommended cloned_from app"
    ),
}
"""Of a head's row, behind those that place it."""


@dataclass
class Rec:
    """A record, as the consumer gives it."""

    offset: int
    timestamp: int
    headers: Sequence[tuple[str, bytes]]
    value: bytes | None


@dataclass
class Out:
    """One event: its row if it counts, else the reason and the field that the sentence names."""

    reason: str = ""
    tenant: str = ""
    type: str = ""
    names: str = ""
    index: int | None = None
    value: bytes = b""
    time: int = 0
    row: list[Any] = field(default_factory=list)
    identity: tuple[str, str, str] = ("", "", "")
    """Of a valid event: its tenant, source and id."""
    data: bytes = b""
    """Of a valid event: the bytes of its data, as they were sent."""

    def known_type(self, topic: str) -> str:
        """As the ledger has it: ``''`` for what the topic does not know."""
        return self.type if self.type == TYPES[topic] else ""


def model(topic: str, record: Rec) -> list[Out]:
    """Every event of a record that is not a tombstone."""
    assert record.value is not None
    found = read_record(topic, record.value, record.headers, record.timestamp)
    return [_out(topic, record, record.value, read) for read in found]


def _out(topic: str, record: Rec, value: bytes, read: Read) -> Out:
    out = Out(read.reason, read.tenant, read.type, read.names, read.index, time=read.time_ms)
    out.value = value if read.index is None else b""
    if read.outcome == "counted":
        out.identity, out.data = read.identity, read.sent.encode()
        out.row = _row(topic, record, read)
    return out


def _row(topic: str, record: Rec, read: Read) -> list[Any]:
    data = read.data | {"rule_set": 1, "time": read.time_ms}
    if topic == REQUESTS:
        data["cost_nanos"] = data["cost_nanos"] or 0
    rest = [data[name] for name in _COLUMNS[topic].split()]
    if topic == ENTITIES:
        place = [read.time_ms, record.timestamp, PARTITION, record.offset, read.index or 0]
        return [read.tenant, data["entity"], data["entity_id"], *place, *rest]
    return [read.time_ms // 60_000 * 60, read.tenant, *rest]
