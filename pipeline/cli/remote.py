"""``usage query --api URL --key-file F``: the same question, asked through the API."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from pipeline.errors import StoreRefused, StoreUnavailable, UsageError
from pipeline.views.catalogue import Column, View

MOST_ROWS = 1_000_000
_TIMEOUT = urllib3.Timeout(connect=5, read=120)
_UNAVAILABLE = (429, 502, 503, 504)
_REFUSED = (401, 403)


@dataclass(frozen=True)
class Answer:
    """What a question came to, in the types that the store gives."""

    view: View
    parameters: Mapping[str, Any]
    rows: list[Sequence[Any]]
    fresh: list[Sequence[Any]]


def ask(url: str, key_file: Path, view: str, given: Mapping[str, str]) -> Answer:
    """Ask a view at an API, page by page.

    Raises:
        StoreUnavailable: it does not answer, or says that it cannot now.
        StoreRefused: it is not to be seen with that key.
        UsageError: the question is wrong, or the key cannot be read.
    """
    key, address = key_of(key_file), f"{address_of(url)}/v1/views/{quote(view, safe='')}"
    pool = urllib3.PoolManager(retries=False, timeout=_TIMEOUT)
    asked = {**given, "limit": str(MOST_ROWS)}
    document = page = _get(pool, address, key, asked)
    while page["next"] is not None:
        page = _get(pool, address, key, {"limit": str(MOST_ROWS), "cursor": page["next"]})
        document["rows"] += page["rows"]
    return _read(document)


def address_of(url: str) -> str:
    """The address of an API, without a slash at its end. Raises UsageError."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"--api {url!r} is no address: wanted is one like https://usage.example")
    return url.rstrip("/")


def key_of(path: Path) -> str:
    """The key in a file, one line. Raises UsageError."""
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise UsageError(f"--key-file {path} cannot be read: {error}") from None
    if not key.isascii() or not key.isprintable() or not key:
        raise UsageError(f"--key-file {path} holds no key: wanted is one line, usage_…")
    return key


def _get(
    pool: urllib3.PoolManager, url: str, key: str, parameters: Mapping[str, str]
) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
    try:
        answer = pool.request("GET", url, fields=dict(parameters), headers=headers, redirect=False)
    except HTTPError as error:
        raise StoreUnavailable(f"the API at {url} does not answer: {error}") from None
    if answer.status == 200:
        document: dict[str, Any] = json.loads(answer.data)
        return document
    raise refusal(url, answer.status, answer.data)


def refusal(url: str, status: int, body: bytes) -> UsageError:
    """The error that an answer of the API at ``url`` stands for."""
    detail = _detail(body) or f"HTTP status {status}"
    if status in _UNAVAILABLE:
        return StoreUnavailable(f"the API at {url} does not answer now: {detail}")
    if status in _REFUSED:
        return StoreRefused(f"the API at {url} refuses: {detail}")
    return UsageError(detail)


def _detail(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return ""


def _read(document: Mapping[str, Any]) -> Answer:
    columns = tuple(Column(**column) for column in document["columns"])
    view = View(document["view"], (), "", (), {}, columns)
    rows: list[Sequence[Any]] = [
        [_value(column.type, row[column.name]) for column in columns] for row in document["rows"]
    ]
    fresh: list[Sequence[Any]] = [
        (
            one["type"],
            datetime.fromisoformat(one["newest_event"]),
            datetime.fromisoformat(one["newest_arrival"]),
        )
        for one in document["as_of"]
    ]
    return Answer(view, document["parameters"], rows, fresh)


def _value(kind: str, value: Any) -> Any:
    """A value as the store gives it; JSON has no decimals, days or instants."""
    kind = kind.removeprefix("Nullable(")
    if value is None:
        return None
    if kind.startswith("Decimal"):
        return Decimal(value)
    if kind.startswith("DateTime"):
        return datetime.fromisoformat(value)
    if kind.startswith("Date"):
        return date.fromisoformat(value)
    return float(value) if kind.startswith("Float") else value
