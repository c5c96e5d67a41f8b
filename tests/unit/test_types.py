"""The registry of event types: one entry is all that is needed for a type to be counted."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple, cast

import pytest
from clickhouse_connect.driver.ctypes import RespBuffCls
from clickhouse_connect.driver.query import QueryContext
from clickhouse_connect.driver.transform import NativeTransform
from msgspec import Struct

from pipeline.clickhouse.client import Prepared
from pipeline.clickhouse.schema import retention
from pipeline.clickhouse.shards import Shards
from pipeline.facts import Rules, heads, reader
from pipeline.facts.bulk.columns import Values
from pipeline.facts.event_type import EventType, LiveSums
from pipeline.facts.exact import fields
from pipeline.facts.exact.decide import Counted, Decider
from pipeline.facts.exact.origin import Origin
from pipeline.facts.judge import Judge
from pipeline.facts.rollups import Rollup
from pipeline.facts.types import TYPES
from pipeline.kafka import topics
from pipeline.operate.audit.fold import Folded, counts_of
from pipeline.operate.audit.ledger import Log, Row
from pipeline.protocol.chunks import Plan, Source
from pipeline.protocol.fetched import Fetched
from pipeline.protocol.ledger import Ledger
from pipeline.protocol.partition import Chunk, Partition
from pipeline.protocol.sealed import Group
from pipeline.settings import load
from pipeline.worker.app import UsageApp
from schemas.catalogue import TYPES as CONTRACT
from schemas.fields import Count, Text
from tests.support.harness.no_server import NoServer
from tests.support.harness.reads import made

NOW_MS = 1_790_000_000_000
MINUTE = NOW_MS // 60_000 * 60


# A made-up type ------------------------------------------------------------------------------


class Visit(NamedTuple):
    """One visit of a page."""

    minute: heads.Minute
    tenant: heads.Name
    page: heads.Name
    seconds: heads.Count


class CommonVisit(Struct, gc=False):
    """A visit of the common form."""

    page: Text
    seconds: Count = None


class Visits:
    """Columns of visits."""

    form: ClassVar[type[Struct]] = CommonVisit

    def __init__(self, data: Sequence[Any]) -> None:
        self._data = data
        self.odd: set[int] = set()

    def columns(self, rule_set: int) -> dict[str, Values]:
        """See ``Bulk``."""
        return {
            "page": [d.page for d in self._data],
            "seconds": [d.seconds or 0 for d in self._data],
        }


def row(data: fields.Data, origin: Origin) -> Visit:
    """The row of a valid visit."""
    return Visit(
        minute=origin.minute,
        tenant=origin.tenant,
        page=fields.required_text(data, "page"),
        seconds=fields.optional_integer(data, "seconds", 0, 0),
    )


SUMMED = Rollup(
    "usage.visits", "visits_15m", "visits_1m", "visits", ("seconds",), ("tenant", "page")
)
VISITS = EventType(
    name="visits",
    topic="usage.visits",
    type="usage.visit.v1",
    head=heads.head_of("visits_in", Visit),
    row=row,
    bulk=Visits,
    live=LiveSums(requests=1, input_tokens="seconds"),
    rollup=SUMMED,
)


class Record(NamedTuple):
    offset: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int = NOW_MS


def visit(id_: str, page: Any = "home", **attributes: str) -> bytes:
    event = {"specversion": "1.0", "id": id_, "source": "s", "type": VISITS.type, "subject": "t"}
    return json.dumps(event | attributes | {"data": {"page": page, "seconds": 7}}).encode()


@pytest.fixture
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TYPES, VISITS.topic, VISITS)


def folded() -> Chunk:
    """Four visits (one the slow way, one a repeat), one without a page, one of another type."""
    values = [
        visit("1"),
        visit("2", datacontenttype="application/json; charset=utf-8"),
        visit("3", "help"),
        visit("1"),
        visit("4", None),
        visit("5", type="usage.request.v1"),
    ]
    source = Source(VISITS.topic, 0)
    partition = Partition(source, "i", reader(VISITS.topic, Rules()), Plan(0))
    records = [Record(offset, value) for offset, value in enumerate(values)]
    made(partition.adding(Fetched(source, 0, 0, len(records), records)))
    chunk = partition.seal()
    assert chunk is not None
    return chunk


def rows(block: Prepared | None) -> list[tuple[Any, ...]]:
    """What a block's bytes hold, as the driver reads them; instants in epoch seconds."""
    assert block is not None
    source = SimpleNamespace(gen=iter([block.body]), close=lambda: None, exception_tag=None)
    read: Any = RespBuffCls
    context = QueryContext(query_formats={"DateTime": "int"})
    found = NativeTransform.parse_response(read(source), context)
    return list(cast("Any", found).result_rows)


@pytest.mark.usefixtures("_known")
def test_a_type_is_counted_by_its_entry_alone() -> None:
    chunk = folded()
    facts, outcomes = Ledger(Shards([NoServer()]), "me", "r").prepare(Group.of([chunk]))
    assert rows(facts.block) == [
        (MINUTE, "t", "home", 7),
        (MINUTE, "t", "home", 7),
        (MINUTE, "t", "help", 7),
    ]
    assert facts.block is not None
    assert (facts.block.table, facts.block.columns) == ("visits_in", list(Visit._fields))
    of, none = (MINUTE, "usage.visits", 0, "t"), (0, 0, 0, 0, 0)
    assert rows(outcomes.block) == [
        (*of, "", "rejected", "unknown_type", 1, *none),
        (*of, "usage.visit.v1", "counted", "", 3, 3, 0, 21, 0, 0),
        (*of, "usage.visit.v1", "duplicate", "", 1, *none),
        (*of, "usage.visit.v1", "rejected", "invalid_data", 1, *none),
    ]


@pytest.mark.usefixtures("_known")
def test_the_fast_way_gives_what_the_exact_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    decided: list[int] = []
    decide = Decider.decide

    def noted(self: Decider, record: Any, value: bytes) -> Any:
        decided.append(record.offset)
        return decide(self, record, value)

    monkeypatch.setattr(Decider, "decide", noted)
    fast = folded().facts
    assert decided == [1, 4, 5]  # only the unusual ones
    monkeypatch.setitem(TYPES, VISITS.topic, replace(VISITS, bulk=None))
    exact = folded().facts
    assert decided[3:] == [0, 1, 2, 3, 4, 5]
    assert (fast.columns, fast.outcomes) == (exact.columns, exact.outcomes)


@pytest.mark.usefixtures("_known")
def test_topics_and_tables_are_those_of_all_types() -> None:
    counted = runpy.run_path(str(topics.__file__))["COUNTED"]
    assert [one.name for one in counted] == [*(one.name for one in topics.COUNTED), VISITS.topic]
    kept = runpy.run_path(str(retention.__file__))
    assert kept["MINUTE_TABLES"] == (*retention.MINUTE_TABLES, "visits_1m")
    assert kept["QUARTER_HOUR_TABLES"] == (*retention.QUARTER_HOUR_TABLES, "visits_15m")


@pytest.mark.usefixtures("_known")
def test_its_agent_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def register(app: UsageApp) -> None:
        @app.reads(VISITS.topic)
        async def visits(batch: Fetched) -> None: ...

    monkeypatch.setitem(
        sys.modules, "agents.visits", cast("Any", SimpleNamespace(register=register))
    )
    app = UsageApp(load({}), lambda _: None)
    assert app.register_agents() == sorted(TYPES)


@pytest.mark.usefixtures("_known")
def test_the_audit_and_the_check_of_single_events_know_it() -> None:
    chunk = folded()
    ledger_row = Row(Log(VISITS.topic, 0, "i"), 0, 6, "chunk", counts_of(chunk.facts), "r")
    audited = Folded()
    audited.add(ledger_row, chunk.facts)
    quarter = MINUTE // 900 * 900
    assert audited.sums == {
        VISITS.topic: {(quarter, "t", "home"): [2, 14], (quarter, "t", "help"): [1, 7]}
    }
    [verdict] = Judge(Rules()).verdicts(VISITS.topic, visit("1"), (), NOW_MS)
    assert isinstance(verdict, Counted)
    assert verdict.row == Visit(MINUTE, "t", "home", 7)


# What is checked when an entry is made -------------------------------------------------------


def without_bulk_column(self: Visits, rule_set: int) -> dict[str, Values]:
    return {"seconds": [], "page": []}


def unsaid(data: fields.Data, origin: Origin) -> tuple[Any, ...]:
    return row(data, origin)


def of_another_head(data: fields.Data, origin: Origin) -> heads.ProductEvent:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ("row", {"row": unsaid}),
        ("row", {"row": of_another_head}),
        ("bulk", {"bulk": type("Swapped", (Visits,), {"columns": without_bulk_column})}),
        ("row", {"head": heads.PRODUCT_EVENTS}),
        ("live sums", {"live": LiveSums(tasks="task")}),
        ("rollup", {"rollup": replace(SUMMED, key=("tenant", "pages"))}),
        ("rollup", {"rollup": replace(SUMMED, measures=("tokens",))}),
        ("rollup", {"rollup": replace(SUMMED, kind="usage.events")}),
    ],
)
def test_columns_that_differ_are_told_at_once(part: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=rf"the {part} of usage\.visit\.v1"):
        replace(VISITS, **wrong)


def test_the_registry_is_the_contracts() -> None:
    """What producers are told of (`schemas.catalogue`) is what is counted, no more and no less."""
    assert {one.type: one.topic for one in TYPES.values()} == {
        one.name: one.topic for one in CONTRACT.values()
    }
