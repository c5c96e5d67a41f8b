"""Rejected events on a real broker: found, corrected, sent again, and counted once each."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline.cli.main import cli
from pipeline.errors import BrokerError
from pipeline.kafka.dead_letters.letter import parse
from pipeline.operate.dead_letters.plan import RetryPlan
from pipeline.operate.dead_letters.retry import Resender
from pipeline.protocol.chunks import Source
from tests.support.harness.hooks import environment
from tests.support.harness.produce import BATCH, REQUESTS, STRUCTURED, Headers
from tests.support.harness.recount import read_log
from tests.support.harness.scene import DEAD_LETTER, Scene

DATA = {"operation": "chat", "model": "m", "status_code": 200, "duration_ms": 5, "user_id": "u"}
BINARY: Headers = [
    ("content-type", b"application/json"),
    ("ce_specversion", b"1.0"),
    ("ce_id", b"binary-1"),
    ("ce_source", b"//test"),
    ("ce_type", b"usage.request.v1"),
    ("ce_subject", b"acme"),
    ("traceparent", b"00-1"),
]


def event(id_: str, tenant: str = "acme", **data: Any) -> dict[str, Any]:
    """Without `time`: it happened when it arrived."""
    return {
        "specversion": "1.0",
        "id": id_,
        "source": "//test",
        "type": "usage.request.v1",
        "subject": tenant,
        "data": DATA | data,
    }


def encoded(*events: dict[str, Any]) -> bytes:
    return json.dumps(events[0] if len(events) == 1 else events).encode()


def dead_letter(scene: Scene, *arguments: str) -> Result:
    """Run the command here: a process for each would take most of the test's time."""
    done = CliRunner().invoke(
        cli, ["dead-letter", *arguments], env=scene.environment(), standalone_mode=False
    )
    assert done.exception is None, done.exception
    return done


def listed(scene: Scene, *options: str) -> list[dict[str, Any]]:
    output = dead_letter(scene, "list", "--json", *options).stdout
    return [json.loads(line) for line in output.splitlines()]


def requests(scene: Scene) -> dict[str, int]:
    """How many count, by user."""
    with scene.connect() as store:
        rows = store.query("SELECT user_id, sum(requests) FROM requests_1m GROUP BY user_id")
    return {user: int(count) for user, count in rows}


def origin(scene: Scene, partition: int, offset: int, index: int | None = None) -> str:
    at = f"{scene.topic(REQUESTS)}:{partition}:{offset}"
    return at if index is None else f"{at}:{index}"


def send_all_kinds(scene: Scene) -> None:
    """One of each form that is wrong, in partition 1; offsets 0 to 3."""
    sender = scene.sender()
    wrong = event("one", user_id="corrected", status_code="200")
    sender.send(REQUESTS, "acme", encoded(wrong), STRUCTURED, 1)
    binary = json.dumps(DATA | {"user_id": "binary", "duration_ms": -1}).encode()
    sender.send(REQUESTS, "acme", binary, BINARY, 1)
    batch = encoded(
        event("good", user_id="good"),
        event("element", "globex", user_id="element", model=""),
        event("good 2", user_id="good"),
    )
    sender.send(REQUESTS, "acme", batch, BATCH, 1)
    sender.send(REQUESTS, "acme", b'{"id":"\xff"}', [], 1)
    sender.flush()


def corrected(line: dict[str, Any]) -> dict[str, Any]:
    """What an operator makes of an exported line."""
    if "value_base64" in line:
        assert base64.b64decode(line["value_base64"]) == b'{"id":"\xff"}'
        del line["value_base64"]
        return line | {"value": event("once malformed", user_id="once malformed")}
    value = json.loads(line["value"])
    data = value.get("data", value)
    data |= {"status_code": 200, "model": "m", "duration_ms": 5}
    return line | {"value": json.dumps(value)}


def test_corrected_events_count_once_whatever_their_form(scene: Scene) -> None:
    scene.set_up(partitions=2)
    scene.worker()
    send_all_kinds(scene)
    scene.settle()
    assert requests(scene) == {"good": 2}

    origins = [
        origin(scene, 1, 0),
        origin(scene, 1, 1),
        origin(scene, 1, 2, 1),
        origin(scene, 1, 3),
    ]
    assert [one["origin"] for one in listed(scene)] == origins
    assert [one["reason"] for one in listed(scene)] == ["invalid_data"] * 3 + ["malformed"]
    for options, chosen in (
        (("--reason", "malformed"), origins[3:]),
        (("--tenant", "globex"), origins[2:3]),
        (("--tenant", "", "--tenant", "globex"), origins[2:]),
        (("--topic", REQUESTS, "--type", "usage.request.v1"), origins[:3]),
        (("--topic", "usage.events"), []),
        (("--until", "1h"), []),
        (("--since", "1h", "--limit", "1"), origins[3:]),
    ):
        assert [one["origin"] for one in listed(scene, *options)] == chosen
    shown = dead_letter(scene, "show", origins[1], origins[3]).stdout
    for text in ("data.duration_ms", "traceparent", '"duration_ms": -1', "ff 22 7d", "malformed"):
        assert text in shown
    assert "4 dead letters" in dead_letter(scene, "list").stdout

    export = dead_letter(scene, "export").stdout
    lines = [json.loads(line) for line in export.splitlines()]
    file = scene.folder / "corrected.ndjson"
    file.write_text("".join(f"{json.dumps(corrected(line))}\n" for line in lines))
    as_it_was = dead_letter(scene, "retry", "--all")
    assert as_it_was.return_value == 1, "what would be rejected again is refused"
    assert "data.status_code: found the string '200'" in as_it_was.output
    dry = dead_letter(scene, "retry", "--file", str(file), "--dry-run")
    assert "4 would be sent" in dry.stderr
    assert requests(scene) == {"good": 2}

    assert "4 sent" in dead_letter(scene, "retry", "--file", str(file)).stderr
    scene.settle()
    once = {"good": 2, "corrected": 1, "binary": 1, "element": 1, "once malformed": 1}
    assert requests(scene) == once
    letters = listed(scene)
    assert all(one["retried_offset"] >= 4 for one in letters)
    log = scene.settle()[scene.topic(REQUESTS), 1]
    [sent] = [r for r in log.records if r.offset == letters[1]["retried_offset"]]
    headers = dict(sent.headers)
    assert sent.key == "acme"
    assert headers["ce_time"].decode() == letters[1]["time"], "when it first arrived"
    assert headers["traceparent"] == b"00-1"
    assert headers["dl_retry_of"].decode() == origins[1]
    second = dead_letter(scene, "retry", "--file", str(file))
    assert second.return_value == 1, "they are named, and were sent before"
    assert "0 sent, 0 refused, 4 were sent before" in second.stderr
    assert dead_letter(scene, "retry", "--all").return_value == 0

    dead_letter(scene, "retry", "--again", "--file", str(file))
    scene.check()
    assert requests(scene) == once, "a second copy is a duplicate"
    sets_aside_what_the_topic_cannot_take(scene)


def sets_aside_what_the_topic_cannot_take(scene: Scene) -> None:
    """Compressed, a source topic takes it."""
    size = 6 << 20
    sender = scene.sender(**{"message.max.bytes": str(2 * size)})
    sender.send(REQUESTS, "acme", b" " * size, [], 0)
    sender.flush()
    scene.settle()
    [cut] = [one for one in listed(scene) if one["size_bytes"] == size]
    assert cut["reason"] == "malformed"
    refused = dead_letter(scene, "retry", "--force", cut["origin"])
    assert refused.return_value == 1
    assert "of its 6,291,456 bytes are kept" in " ".join(refused.stdout.split())


def test_a_retry_that_dies_sends_all_or_nothing(scene: Scene) -> None:
    scene.set_up(partitions=1)
    scene.worker()
    sender = scene.sender()
    steps = ("retry_send", "retry_mark", "retry_commit")
    for step in steps:
        early = event(step, user_id=step) | {"time": "2031-01-01T00:00:00Z"}
        sender.send(REQUESTS, "acme", encoded(early), STRUCTURED, 0)
    sender.flush()
    scene.await_received(3)
    for offset, step in enumerate(steps):
        key = origin(scene, 0, offset)
        file = scene.folder / f"{step}.ndjson"
        file.write_text(json.dumps({"origin": key, "value": event(step, user_id=step)}))
        retry = ("dead-letter", "retry", "--file", str(file))
        dying = scene.start(*retry, **environment(f"after:{step}"))
        assert dying.wait() == -9, dying.tail()
        was_sent = step == "retry_commit"
        [letter] = [one for one in listed(scene) if one["origin"] == key]
        assert (letter["retried_at"] is not None) == was_sent
        assert dead_letter(scene, *retry[1:]).return_value == int(was_sent)
    scene.check()
    assert requests(scene) == dict.fromkeys(steps, 1)
    log = scene.settle()[scene.topic(REQUESTS), 0]
    sent = [dict(record.headers).get("dl_retry_of") for record in log.records]
    assert sent.count(None) == len(steps) == len(sent) - len(steps), "none was sent twice"


def test_a_tombstone_takes_a_dead_letter_away_and_a_newer_one_replaces_it(scene: Scene) -> None:
    """Written as a worker does; a replay writes it once more, and its mark stays."""
    scene.partitions = 1
    scene.create_topics()
    scene.kafka.create_topics([scene.topic(DEAD_LETTER)], 1, {"cleanup.policy": "compact"})
    names = ("reason", "message", "topic", "partition", "offset", "timestamp")
    now = str(time.time_ns() // 1_000_000)

    def put(offset: int, message: str, value: bytes | None) -> None:
        texts = ("malformed", message, scene.topic(REQUESTS), "0", str(offset), now)
        headers: Headers = [
            (f"dl_{n}", t.encode()) for n, t in zip(names, texts, strict=True) if value is not None
        ]
        sender.send(DEAD_LETTER, origin(scene, 0, offset), value, headers, 0)

    sender = scene.sender()
    put(0, "first", b"{")
    put(1, "gone", b"{")
    put(1, "gone", None)
    sender.send(DEAD_LETTER, "a stranger", b"?", [], 0)
    sender.flush()
    assert [one["message"] for one in listed(scene)] == ["first"]
    file = scene.folder / "corrected.ndjson"
    file.write_text(json.dumps({"origin": origin(scene, 0, 0), "value": event("1")}))
    dead_letter(scene, "retry", "--file", str(file))
    put(0, "second", b"{")
    sender.flush()
    [one] = listed(scene)
    assert one["message"] == "second"
    assert one["retried_offset"] == 0


def test_a_second_retry_ends_the_first(scene: Scene) -> None:
    scene.partitions = 1
    scene.create_topics()
    scene.kafka.create_topics([scene.topic(DEAD_LETTER)], 1, {"cleanup.policy": "compact"})
    rejected = b"{"
    names = ("reason", "message", "topic", "partition", "offset", "timestamp")
    texts = ("malformed", "m", scene.topic(REQUESTS), "0", "0", "1000")
    headers = [(f"dl_{n}", t.encode()) for n, t in zip(names, texts, strict=True)]
    letter = parse(origin(scene, 0, 0), headers, rejected, Source(scene.topic(DEAD_LETTER), 0))
    assert letter is not None
    plan = RetryPlan(letter, rejected, [], "acme")
    first = Resender(scene.loaded())
    second = Resender(scene.loaded())
    with pytest.raises(BrokerError, match="another `usage dead-letter retry` has begun"):
        list(first.send([plan]))
    assert [offset for some in second.send([plan]) for _, offset in some]
    log = read_log(scene.kafka, [scene.topic(REQUESTS)])
    assert sum(len(part.records) for part in log.values()) == 1
