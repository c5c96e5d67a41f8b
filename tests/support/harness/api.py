"""The API over a store, in a thread of the test's process, with callers by name."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

from pipeline.access.decision import Reason, Refusal
from pipeline.access.identity import Key, Presented
from pipeline.access.opening import Access
from pipeline.access.roles import Caller, Role, grants
from pipeline.api.application import Route
from pipeline.api.context import Api
from pipeline.api.process import running
from pipeline.clickhouse.client import Store
from pipeline.settings import Settings


@dataclass
class Named:
    """A door and a store of keys: whoever says a known name is that caller."""

    callers: dict[str, Caller] = field(default_factory=dict)
    made: dict[str, Key] = field(default_factory=dict)

    async def identify(self, presented: Presented) -> Caller | Refusal | None:
        """By ``Authorization: Bearer`` and a name."""
        given = presented.all("authorization")
        if not given:
            return None
        found = self.callers.get(given[0].removeprefix("Bearer "))
        return found or Refusal(401, Reason.IDENTITY, "the key is not valid")

    def add(self, name: str, role: Role, *scope: str) -> str:
        """Let somebody in; returns what they present."""
        self.callers[name] = Caller(f"key:{name}", grants(role, scope), key=name, name=name)
        return name

    def create(
        self,
        role: Role,
        scope: Any,
        *,
        name: str = "",
        expires: datetime | None = None,
        by: str,
    ) -> tuple[Key, str]:
        """Make a key."""
        made = f"k{len(self.made)}"
        key = Key(made, name, role, tuple(scope), datetime.now(UTC), by, expires)
        self.made[made] = key
        self.add(made, role, *scope)
        return key, made

    def all(self) -> list[Key]:
        """Every key."""
        return list(self.made.values())

    def revoke(self, key: str) -> bool:
        """End a key at once."""
        self.callers.pop(key, None)
        return self.made.pop(key, None) is not None


@dataclass(frozen=True)
class Got:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The document."""
        return json.loads(self.body)


class Client:
    """Asks an API at a port of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.pool = urllib3.PoolManager(maxsize=8, retries=False)

    def url(self, path: str, parameters: Any = ()) -> str:
        """Where to ask; parameters may repeat as pairs."""
        query = urlencode(parameters) if parameters else ""
        return f"http://127.0.0.1:{self.port}{path}{'?' if query else ''}{query}"

    def get(
        self, path: str, parameters: Any = (), *, who: str = "", method: str = "GET", **more: Any
    ) -> Got:
        """Ask, as somebody; ``headers`` and ``body`` as they are."""
        headers = dict(more.pop("headers", {}))
        if who:
            headers["Authorization"] = f"Bearer {who}"
        url = self.url(path, parameters)
        answer = self.pool.request(method, url, headers=headers, redirect=False, **more)
        return Got(answer.status, answer.headers, answer.data)

    def view(self, name: str, parameters: Any = (), *, who: str, **more: Any) -> Got:
        """Ask a view."""
        return self.get(f"/v1/views/{quote(name, safe='')}", parameters, who=who, **more)


class Served(Client):
    """An API, and who may come in."""

    def __init__(self, port: int, api: Api, named: Named, settings: Settings) -> None:
        super().__init__(port)
        self.api = api
        self.named = named
        self.settings = settings

    def let(self, role: Role, *scope: str) -> str:
        """Let somebody in with a role and scope."""
        return self.named.add(f"{role}-{'-'.join(map(repr, scope))}".encode().hex(), role, *scope)

    def metric(self, name: str, **labels: str) -> float:
        """A sample of the API's own metrics."""
        found = self.api.instruments.registry.get_sample_value(name, labels)
        return found or 0.0


@contextmanager
def served(settings: Settings, store: Store, more: Sequence[Route] = ()) -> Iterator[Served]:
    """Serve for the block."""
    named, loop = Named(), asyncio.new_event_loop()
    ready: threading.Event = threading.Event()
    ended = asyncio.Event()
    found: list[Served] = []
    failed: list[BaseException] = []

    async def serve() -> None:
        access = Access((named,), named)
        async with running(settings, store, access, more=more) as (api, port):
            found.append(Served(port, api, named, settings))
            ready.set()
            await ended.wait()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failed.append(error)
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=run, name="api")
    thread.start()
    ready.wait(60)
    if failed:
        raise failed[0]
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(60)
        found[0].pool.clear()
    if failed:
        raise failed[0]
