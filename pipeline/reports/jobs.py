"""Reports as jobs, kept in a folder: asked for, made by one process at a time, kept for days.

A job is a folder of its own: ``job.json`` (what was asked for, which never changes), ``state.json``
(what became of it), ``lock``, and, when all of it is written, the file under its final name. The
lock is the operating system's: a process that dies lets go of it, and another takes the job up and
writes the file from its beginning. So there is never a half file, and API processes that share the
folder share the jobs.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

import msgspec

from pipeline.reports.plan import Report
from pipeline.reports.writing import file_type

log = logging.getLogger(__name__)

_ID = re.compile(r"[0-9a-f]{32}")
MOST_BEGUN = 5
"""So often a job is begun before it counts as failed: what ends its process might be the job."""


class Status(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        """Whether nothing more becomes of it."""
        return self in (Status.DONE, Status.FAILED)


class Job(msgspec.Struct, frozen=True):
    """A report that somebody asked for."""

    id: str
    user: str
    """Who asked for it, and alone may see it."""
    created: datetime
    report: Report

    @property
    def file_name(self) -> str:
        """The file's name, as a reader may store it."""
        views = "-".join(part.view for part in self.report.parts[:1])
        more = f"-and-{len(self.report.parts) - 1}-more" if len(self.report.parts) > 1 else ""
        return f"{views}{more}-{self.created:%Y%m%d-%H%M%S}.{file_type(self.report)[0]}"

    @property
    def media_type(self) -> str:
        """The media type of the file."""
        return file_type(self.report)[1]


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a job so far."""

    status: Status = Status.QUEUED
    begun: int = 0
    """How often it was begun."""
    rows: int = 0
    """Written so far; of a workbook's sheets and a zip's files together."""
    bytes: int = 0
    """Size of the file, when it is done."""
    sha256: str = ""
    ended: datetime | None = None
    error: str = ""
    """Why it failed, in a sentence."""


class Jobs:
    """The jobs in a folder. Its methods read and write small files."""

    def __init__(self, folder: Path, keep: timedelta) -> None:
        self._folder = folder
        self._keep = keep
        self._unreadable: set[str] = set()
        """Told once: they are looked at every few seconds."""

    def create(self, user: str, report: Report, now: datetime) -> Job:
        """Keep a new job; it waits for a process that makes it."""
        job = Job(secrets.token_hex(16), user, now, report)
        # Under another name until it is whole: whoever looks for jobs meets no half one.
        new = self._folder / f".{job.id}"
        new.mkdir(parents=True, mode=0o700)
        _write(new / "job.json", job)
        _write(new / "state.json", State())
        new.rename(self._folder / job.id)
        return job

    def find(self, job: str) -> tuple[Job, State] | None:
        """A job by its id, and how it stands; None where there is none that can be read."""
        if not _ID.fullmatch(job):
            return None
        try:
            found = msgspec.json.decode((self._folder / job / "job.json").read_bytes(), type=Job)
            return found, self.state(job)
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, msgspec.MsgspecError) as error:
            # One folder that somebody changed by hand must not stop everybody's reports.
            if job not in self._unreadable:
                self._unreadable.add(job)
                where = self._folder / job
                log.warning("the report in %s cannot be read (%s); remove the folder", where, error)
            return None

    def state(self, job: str) -> State:
        """How a job stands. Raises FileNotFoundError where it was removed."""
        return msgspec.json.decode((self._folder / job / "state.json").read_bytes(), type=State)

    def of(self, user: str) -> list[tuple[Job, State]]:
        """Somebody's jobs, the newest first."""
        found = [one for one in map(self.find, self._ids()) if one and one[0].user == user]
        return sorted(found, key=lambda one: one[0].created, reverse=True)

    def waiting(self) -> list[str]:
        """The ids of jobs that are not over, the oldest first; they may be in somebody's hands."""
        found = [one for one in map(self.find, self._ids()) if one and not one[1].status.is_over]
        return [job.id for job, _ in sorted(found, key=lambda one: one[0].created)]

    def file(self, job: Job) -> Path:
        """Where the file of a job is that is done."""
        return self._folder / job.id / f"file.{file_type(job.report)[0]}"

    def part(self, job: Job) -> Path:
        """The path of the file while it is being written."""
        return self.file(job).with_suffix(".part")

    def expires(self, job: Job) -> datetime:
        """When a job and its file are removed."""
        return job.created + self._keep

    @contextmanager
    def claimed(self, job: str) -> Iterator[bool]:
        """Hold a job for the block; false where another process, or another task, has it."""
        try:
            lock = (self._folder / job / "lock").open("wb")
        except FileNotFoundError:
            yield False
            return
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def note(self, job: str, state: State) -> bool:
        """Write down how a job stands; false where it was removed meanwhile."""
        try:
            _write(self._folder / job / "state.json", state)
        except FileNotFoundError:
            return False
        return True

    def finish(self, job: Job, out: IO[bytes], state: State) -> bool:
        """Give a file its final name, then say that the job is done; false where it was removed."""
        out.flush()
        os.fsync(out.fileno())
        try:
            self.part(job).rename(self.file(job))
        except FileNotFoundError:
            return False
        return self.note(job.id, state)

    def remove(self, job: str) -> None:
        """Remove a job and its file; whoever makes it stops."""
        gone = self._folder / f".{job}.{secrets.token_hex(4)}"
        with contextlib.suppress(FileNotFoundError):
            (self._folder / job).rename(gone)
            shutil.rmtree(gone, ignore_errors=True)

    def sweep(self, now: datetime) -> list[str]:
        """Remove what was kept for its time; returns the ids."""
        old = [
            found[0].id
            for found in map(self.find, self._ids())
            if found and self.expires(found[0]) <= now
        ]
        for job in old:
            self.remove(job)
        return old

    def _ids(self) -> list[str]:
        try:
            return [path.name for path in self._folder.iterdir() if _ID.fullmatch(path.name)]
        except FileNotFoundError:
            return []


def _write(path: Path, document: Any) -> None:
    """Write a file whole or not at all."""
    new = path.with_suffix(f".{secrets.token_hex(4)}")
    with new.open("wb") as file:
        file.write(msgspec.json.encode(document))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
