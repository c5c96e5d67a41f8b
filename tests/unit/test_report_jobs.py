"""Jobs in a folder: claimed by one, taken up by another, removed, counted."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clickhouse.reading import Reader
from pipeline.errors import StoreRefused, StoreUnavailable
from pipeline.reports import runner as running
from pipeline.reports.counting import Lines
from pipeline.reports.jobs import MOST_BEGUN, Job, Jobs, State, Status
from pipeline.reports.plan import Part, Report
from pipeline.reports.runner import Runner

NOW = datetime(2026, 5, 17, tzinfo=UTC)
KEPT = timedelta(days=7)
COLUMNS = [{"name": "n", "type": "UInt64", "unit": ""}]


def report(form: str = "csv", *views: str, queries: tuple[str, ...] = ("q",)) -> Report:
    parts = [Part(view, list(queries), COLUMNS, {"since": "x"}) for view in views or ("v",)]
    return Report(form, parts, ["acme"])


class Source:
    """Answers each query with pieces, or an error in their place."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = pieces
        self.asked: list[tuple[str, str]] = []
        self.go_on = asyncio.Event()
        self.go_on.set()

    @asynccontextmanager
    async def stream(self, sql: str, form: str, _: Any) -> AsyncIterator[AsyncIterator[bytes]]:
        self.asked.append((sql, form))

        async def answer() -> AsyncIterator[bytes]:
            for piece in self.pieces:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
                await self.go_on.wait()

        yield answer()


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path / "reports", KEPT)


async def about(_: Job) -> dict[str, Any]:
    return {"made_at": "now"}


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - files change, which tell nobody
        await asyncio.sleep(0.01)


def made(jobs: Jobs, source: Source, *, at_once: int = 2) -> list[str]:
    """Run until nothing waits; returns how jobs ended."""
    ended: list[str] = []

    async def run() -> None:
        maker = Runner(jobs, cast("Reader", source), about, at_once, ended.append, lambda: NOW)
        task = asyncio.create_task(maker.run())
        await until(lambda: not jobs.waiting())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(asyncio.wait_for(run(), 20))
    return ended


def test_a_job_is_made_and_has_its_checksum(jobs: Jobs) -> None:
    job = jobs.create("u", report(), NOW)
    assert made(jobs, Source(b'"n"\n1\n', b"2\n")) == ["done"]
    written = jobs.file(job).read_bytes()
    assert written == b'"n"\n1\n2\n'
    state = jobs.state(job.id)
    assert (state.status, state.rows, state.bytes) == (Status.DONE, 2, len(written))
    assert state.sha256 == hashlib.sha256(written).hexdigest()


def test_several_views_of_csv_are_a_zip(jobs: Jobs) -> None:
    job = jobs.create("u", report("csv", "a", "b"), NOW)
    made(jobs, Source(b'"n"\n1\n'))
    with zipfile.ZipFile(jobs.file(job)) as archive:
        assert archive.namelist() == ["a.csv", "b.csv", "about.json"]
        assert archive.read("b.csv") == b'"n"\n1\n'
        told = json.loads(archive.read("about.json"))
    assert told["made_for"] == "u"
    assert [one["view"] for one in told["views"]] == ["a", "b"]
    assert jobs.state(job.id).rows == 2


def test_a_document_has_every_row_of_every_query(jobs: Jobs) -> None:
    job = jobs.create("u", report("json", "a", "b", queries=("q1", "q2")), NOW)
    made(jobs, Source(b'{"n":1}\n{"n"', b":2}\n"))
    document = json.loads(jobs.file(job).read_bytes())
    rows = [[row["n"] for row in one["rows"]] for one in document["views"]]
    assert rows == [[1, 2, 1, 2]] * 2


def test_only_the_first_query_of_csv_has_a_head(jobs: Jobs) -> None:
    jobs.create("u", report("csv", queries=("q1", "q2")), NOW)
    source = Source(b"1\n")
    made(jobs, source)
    assert source.asked == [("q1", "CSVWithNames"), ("q2", "CSV")]


def test_a_store_that_refuses_fails_the_job_with_its_sentence(jobs: Jobs) -> None:
    job = jobs.create("u", report(), NOW)
    assert made(jobs, Source(b"half", StoreRefused("too many rows"))) == ["failed"]
    state = jobs.state(job.id)
    assert (state.status, state.error) == (Status.FAILED, "too many rows")
    assert not jobs.file(job).exists()
    assert not jobs.part(job).exists()


def test_a_store_that_is_away_is_asked_again(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "FIRST_PAUSE_SECONDS", 0.001)
    job = jobs.create("u", report(), NOW)
    source = Source(StoreUnavailable("away"))
    assert made(jobs, source) == ["failed"]
    assert len(source.asked) == running.TRIES
    assert jobs.state(job.id).error == "away"


def test_a_job_that_ends_its_process_again_and_again_fails(jobs: Jobs) -> None:
    job = jobs.create("u", report(), NOW)
    jobs.note(job.id, State(Status.RUNNING, MOST_BEGUN))
    assert made(jobs, Source(b"")) == ["failed"]
    assert jobs.state(job.id).error == "it was begun 5 times, and never came to its end"


def test_a_job_that_is_removed_is_given_up(jobs: Jobs) -> None:
    async def run() -> None:
        job = jobs.create("u", report(), NOW)
        source = Source(b"1\n")
        source.go_on.clear()
        maker = Runner(jobs, cast("Reader", source), about, 1, pytest.fail, lambda: NOW)
        task = asyncio.create_task(maker.run())
        await until(lambda: bool(source.asked))
        jobs.remove(job.id)
        await until(lambda: not maker._running)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert jobs.find(job.id) is None

    asyncio.run(asyncio.wait_for(run(), 20))


def test_a_job_is_in_one_hand_at_a_time_and_a_dead_one_lets_go(jobs: Jobs) -> None:
    job = jobs.create("u", report(), NOW)
    with held_elsewhere(jobs, job) as holder:
        with jobs.claimed(job.id) as ours:
            assert not ours
        holder.kill()
        holder.wait()
        with jobs.claimed(job.id) as ours:
            assert ours


@contextmanager
def held_elsewhere(jobs: Jobs, job: Job) -> Iterator[subprocess.Popen[str]]:
    code = (
        "import sys, time; from datetime import timedelta; from pathlib import Path\n"
        "from pipeline.reports.jobs import Jobs\n"
        "with Jobs(Path(sys.argv[1]), timedelta(1)).claimed(sys.argv[2]) as ours:\n"
        "    print(ours, flush=True); time.sleep(60)\n"
    )
    arguments = [sys.executable, "-c", code, str(jobs._folder), job.id]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        yield holder
        holder.kill()


def test_what_a_dead_process_began_is_written_anew(jobs: Jobs) -> None:
    job = jobs.create("u", report(), NOW)
    jobs.note(job.id, State(Status.RUNNING, 1, 1000))
    jobs.part(job).write_bytes(b"what the dead one had, which was longer")
    made(jobs, Source(b'"n"\n1\n'))
    assert jobs.file(job).read_bytes() == b'"n"\n1\n'
    assert jobs.state(job.id).begun == 2


def test_jobs_are_their_users_and_are_swept_when_they_are_old(jobs: Jobs) -> None:
    old = jobs.create("u", report(), NOW)
    new = jobs.create("u", report(), NOW + timedelta(days=1))
    jobs.create("other", report(), NOW)
    assert [job.id for job, _ in jobs.of("u")] == [new.id, old.id]
    assert set(jobs.sweep(NOW + KEPT)) >= {old.id}
    assert [job.id for job, _ in jobs.of("u")] == [new.id]
    assert jobs.of("other") == []


@pytest.mark.parametrize("name", ["job.json", "state.json"])
@pytest.mark.parametrize(
    "text", [b"", b"{", b'{"id": 1, "status": 1}', b'{"id": "\xff", "status": "\xff"}']
)
def test_a_job_that_cannot_be_read_stops_nobody_elses(
    jobs: Jobs, name: str, text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    broken, other = jobs.create("u", report(), NOW), jobs.create("u", report(), NOW)
    (jobs._folder / broken.id / name).write_bytes(text)
    assert [job.id for job, _ in jobs.of("u")] == [other.id]
    assert made(jobs, Source(b'"n"\n1\n')) == ["done"]
    assert len([one for one in caplog.records if broken.id in one.getMessage()]) == 1


def test_looking_for_jobs_goes_on_after_any_fault(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "LOOK_SECONDS", 0.001)
    job, look, faults = jobs.create("u", report(), NOW), jobs.waiting, [OSError, ValueError]

    def waiting() -> list[str]:
        if faults and threading.current_thread() is not threading.main_thread():
            raise faults.pop()
        return look()

    monkeypatch.setattr(jobs, "waiting", waiting)
    assert made(jobs, Source(b'"n"\n1\n')) == ["done"]
    assert jobs.state(job.id).status is Status.DONE


@pytest.mark.parametrize("job", ["", "..", "../x", "0" * 31, "0" * 32, "A" * 32, "a/../b"])
def test_no_other_text_is_a_job(jobs: Jobs, job: str) -> None:
    assert jobs.find(job) is None


CELL = st.text(st.sampled_from('ab",\n\r'), max_size=6)


@given(st.lists(st.lists(CELL, min_size=2, max_size=2), max_size=8), st.integers(1, 5))
def test_rows_of_csv_are_counted_whatever_is_in_them(rows: list[list[str]], size: int) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    written = out.getvalue().encode()
    lines = Lines(quoted=True)
    for start in range(0, len(written), size):
        lines.add(written[start : start + size])
    assert lines.rows == len(rows)
