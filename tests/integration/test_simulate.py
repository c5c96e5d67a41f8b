"""What the simulator says that it sent is what is in the log, and what is counted."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from tests.support.harness.recount import read_log, recount
from tests.support.harness.scene import Scene

HISTORY = (
    *("--duration", "1y", "--speed-up", "31536000", "--rate", "6000", "--tenants", "6"),
    *("--late", "0.05", "--duplicates", "0.04", "--malformed", "0.04"),
    *("--events", "0.15", "--changes", "0.05"),
)


def truth(scene: Scene) -> list[dict[str, Any]]:
    with (scene.folder / "truth.ndjson").open() as lines:
        return [json.loads(line) for line in lines]


def said_sent(said: str) -> Counter[str]:
    """How many it says that it sent: events, by kind, by topic."""
    kinds, topics = said[said.index("sent ") :].replace(",", "").splitlines()[:2]
    found = [(name, number) for number, name in re.findall(r"(\d+) ([a-z]{3,})", kinds)]
    found += re.findall(r"(\S+) (\d+)", topics)
    return Counter({name: int(number) for name, number in found})


def kind_of(scene: Scene, topic: str) -> str:
    return topic.removeprefix(scene.prefix)


def test_a_year_of_history_is_counted_as_its_truth_says(scene: Scene) -> None:
    scene.set_up(partitions=2, retention_ms="-1")
    scene.worker()
    said = scene.run("simulate", *HISTORY, "--truth", str(scene.folder / "truth.ndjson"), within=90)
    lines = truth(scene)
    assert said_sent(said) == Counter(
        name for line in lines for name in ("events", line["kind"], kind_of(scene, line["topic"]))
    )
    assert "announced" in {line["kind"] for line in lines}
    log = read_log(scene.kafka, scene.topics)
    records = {(t, p, r.offset): r for (t, p), part in log.items() for r in part.records}
    assert len(lines) == len(records) > 6000
    for line in lines:
        record = records[line["topic"], line["partition"], line["offset"]]
        assert record.timestamp == line["timestamp"]
        if "event" in line:
            assert json.loads(record.value or b"") == line["event"]
    year_ms = 365 * 86_400_000
    times = [line["timestamp"] for line in lines]
    assert 0.95 * year_ms < max(times) - min(times) <= year_ms

    expected = recount([log], scene.prefix, 1_000_000)
    totals = {
        outcome: sum(total[outcome] for total in expected.ledger.values())
        for outcome in ("counted", "duplicate", "rejected")
    }
    bad = sum("reason" in line for line in lines)
    repeated = sum(line["duplicate"] for line in lines)
    assert bad > 100 < repeated
    assert totals == {
        "counted": len(lines) - bad - repeated,
        "duplicate": repeated,
        "rejected": bad,
    }
    due = {
        f"{line['topic']}:{line['partition']}:{line['offset']}": line["reason"]
        for line in lines
        if "reason" in line
    }
    assert {key: letter.reason for key, letter in expected.dead_letters.items()} == due
    scene.check()


def test_history_that_kafka_would_delete_is_refused(scene: Scene) -> None:
    scene.partitions = 1
    scene.create_topics(retention_ms="604800000")
    refused = scene.start("simulate", *HISTORY)
    assert refused.wait() == 64
    assert "keeps records for 168 hours" in refused.output()
    stamped = scene.run("simulate", "--stamp-now", *HISTORY)
    assert "sent" in stamped
