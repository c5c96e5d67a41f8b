"""A report by way of the API: asked for, waited for, fetched, gone on with, and checked."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
import urllib3
from urllib3.exceptions import HTTPError

from pipeline.cli.remote import address_of, refusal
from pipeline.errors import StoreUnavailable, UsageError
from pipeline.reports.plan import Wanted

LOOK_SECONDS = 0.5
TRIES = 5
_TIMEOUT = urllib3.Timeout(connect=5, read=60)
_PIECE_BYTES = 1 << 18

Say = Callable[[dict[str, Any], int], None]
"""Told how a report stands, and how many bytes of its file are here."""


class Reports:
    """The reports of one caller at one API.

    Every method raises StoreUnavailable (trying again may help), StoreRefused (it is not theirs),
    UsageError (what was asked for is wrong).
    """

    def __init__(self, url: str, key: str, pause: Callable[[float], None] = time.sleep) -> None:
        self._url = address_of(url)
        self._headers = {"Authorization": f"Bearer {key}"}
        self._pool = urllib3.PoolManager(retries=False, timeout=_TIMEOUT)
        self._pause = pause

    def ask(self, wanted: Wanted) -> dict[str, Any]:
        """Ask for a report; returns how it stands."""
        body = msgspec.json.encode(wanted)
        headers = {"Content-Type": "application/json"}
        return self._json("POST", "/v1/reports", HTTPStatus.ACCEPTED, headers=headers, body=body)

    def wait(self, report: str, say: Say) -> dict[str, Any]:
        """Wait until a report is done. Raises UsageError where it fails."""
        while True:
            found = self._json("GET", f"/v1/reports/{report}", HTTPStatus.OK)
            say(found, 0)
            if found["status"] == "failed":
                raise UsageError(f"report {report} failed: {found['error']}")
            if found["status"] == "done":
                return found
            self._pause(LOOK_SECONDS)

    def fetch(self, found: dict[str, Any], out: Path, say: Say) -> None:
        """Fetch the file of a report that is done; what is here of it already is gone on with.

        The file has its name only when it is whole and its SHA-256 is what the API said.
        """
        part = out.with_name(f"{out.name}.part")
        for left in reversed(range(TRIES)):
            try:
                self._go_on(found, part, say)
                break
            except StoreUnavailable:
                if not left:
                    raise
                self._pause(LOOK_SECONDS)
        digest = _sha256(part)
        if digest != found["sha256"]:
            part.unlink()
            raise StoreUnavailable(
                f"what came of report {found['id']} has the SHA-256 {digest}, "
                f"not {found['sha256']}; fetch it again"
            )
        part.replace(out)

    def _go_on(self, found: dict[str, Any], part: Path, say: Say) -> None:
        here = part.stat().st_size if part.exists() else 0
        if here > found["bytes"]:
            part.unlink()
            here = 0
        if here == found["bytes"] and part.exists():
            return
        headers = {**self._headers, **({"Range": f"bytes={here}-"} if here else {})}
        url = f"{self._url}{found['file']}"
        try:
            answer = self._pool.request("GET", url, headers=headers, preload_content=False)
            if answer.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                raise refusal(self._url, answer.status, answer.read(1 << 16))
            mode = "ab" if answer.status == HTTPStatus.PARTIAL_CONTENT else "wb"
            with part.open(mode) as file:
                for piece in answer.stream(_PIECE_BYTES):
                    file.write(piece)
                    say(found, file.tell())
                size = file.tell()
        except (HTTPError, OSError) as error:
            raise StoreUnavailable(f"the API at {self._url} broke off: {error}") from None
        if size != found["bytes"]:
            raise StoreUnavailable(f"the API at {self._url} broke off after {size:,} bytes")

    def _json(self, method: str, path: str, due: int, **more: Any) -> dict[str, Any]:
        headers = {**self._headers, **more.pop("headers", {})}
        try:
            answer = self._pool.request(
                method, f"{self._url}{path}", headers=headers, redirect=False, **more
            )
        except HTTPError as error:
            raise StoreUnavailable(f"the API at {self._url} does not answer: {error}") from None
        if answer.status != due:
            raise refusal(self._url, answer.status, answer.data)
        document: dict[str, Any] = json.loads(answer.data)
        return document


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
