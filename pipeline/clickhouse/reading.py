"""Answers of ClickHouse as bytes, as they come, for a process with an event loop.

A reader that leaves ends its query: leaving `Reader.stream` closes the connection, and both a
server (``cancel_http_readonly_queries_on_client_close``) and the embedded store end what nobody
reads. An answer that breaks off is never taken for whole.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec

from pipeline.clickhouse.client import CONNECT_SECONDS, READ_SECONDS
from pipeline.clickhouse.cluster import QUERIES
from pipeline.clickhouse.faults import answered
from pipeline.clickhouse.servers import Servers
from pipeline.errors import StoreUnavailable

if TYPE_CHECKING:
    from pipeline.settings import Settings

CONNECTIONS = 256
"""At once; more wait for one of these."""

PIECE_BYTES = 1 << 18

_SETTINGS = {"cancel_http_readonly_queries_on_client_close": 1}
_TAG = "X-ClickHouse-Exception-Tag"
_ENDING_BYTES = 256
_FAULTS = (aiohttp.ClientError, asyncio.TimeoutError, OSError)


class Answer:
    """One answer: iterate over its pieces, once.

    Raises:
        StoreUnavailable: it broke off, or ClickHouse ended it with an error.
    """

    def __init__(self, response: aiohttp.ClientResponse, where: str) -> None:
        self._response = response
        self._where = where

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces; the last is followed by an error where the answer is not whole."""
        ending = b""
        try:
            async for piece in self._response.content.iter_chunked(PIECE_BYTES):
                ending = (ending + piece)[-_ENDING_BYTES:]
                yield piece
        except _FAULTS as error:
            raise StoreUnavailable(
                f"ClickHouse at {self._where} broke its answer off: {_said(error)}"
            ) from error
        tag = self._response.headers.get(_TAG, "")
        if tag and ending.endswith(f"{tag}\r\n__exception__\r\n".encode()):
            raise StoreUnavailable(f"ClickHouse at {self._where} ended its answer with an error")


class Reader:
    """Asks one ClickHouse database; any number of questions at once, in one event loop."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        addresses: Sequence[str],
        database: str,
        asked: Mapping[str, Any],
    ) -> None:
        self._session = session
        self._servers = Servers(addresses, lambda _: session)
        self._database = database
        self._asked = asked
        """Settings of every question."""

    @property
    def where(self) -> str:
        """The address that is asked next."""
        return self._servers.where

    @classmethod
    @asynccontextmanager
    async def connected(cls, settings: Settings) -> AsyncIterator[Reader]:
        """A reader for the block, in the loop that runs it; its queries end with the block."""
        url = settings.clickhouse
        ca = settings.clickhouse_ca
        tls = ssl.create_default_context(cafile=str(ca)) if ca else True
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS, ssl=tls),
            headers={
                "X-ClickHouse-User": url.user or "default",
                "X-ClickHouse-Key": url.password.reveal(),
            },
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS
            ),
            trust_env=False,
        ) as session:
            asked = QUERIES if settings.clickhouse_cluster else {}
            yield cls(session, tuple(map(url.at, url.addresses)), url.database, asked)

    @asynccontextmanager
    async def stream(
        self, sql: str, form: str, settings: Mapping[str, Any] | None = None
    ) -> AsyncIterator[Answer]:
        """Ask, and give the answer in a format of ClickHouse's as it comes.

        Where a server of a cluster is away, or cannot answer now, the next is asked. Leaving the
        block before the answer's end ends the query.

        Raises:
            StoreUnavailable, StoreRefused: before the first byte; later ones come from `Answer`.
        """
        parameters = {
            "database": self._database,
            "default_format": form,
            **_SETTINGS,
            **self._asked,
            **(settings or {}),
        }
        named = {name: str(value) for name, value in parameters.items()}
        async with self._answered(sql, named) as (response, where):
            yield Answer(response, where)

    @asynccontextmanager
    async def _answered(
        self, sql: str, named: Mapping[str, str]
    ) -> AsyncIterator[tuple[aiohttp.ClientResponse, str]]:
        for left in reversed(range(len(self._servers))):
            where = self.where
            try:
                response = await self._asked_at(where, sql, named)
            except StoreUnavailable as error:
                if self._servers.is_last(where, error, left):
                    raise
                continue
            try:
                yield response, where
            finally:
                _let_go(response)
            return

    async def _asked_at(
        self, where: str, sql: str, named: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        try:
            response = await self._session.post(where, params=named, data=sql.encode())
        except _FAULTS as error:
            raise StoreUnavailable(
                f"ClickHouse at {where} (USAGE_CLICKHOUSE) does not answer: {_said(error)}"
            ) from error
        if response.status == 200:
            return response
        try:
            raise answered(response.status, await _text(response), where)
        finally:
            _let_go(response)

    async def rows(
        self, sql: str, settings: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Ask what has a small answer; values as JSON has them."""
        async with self.stream(sql, "JSONEachRow", settings) as answer:
            return await read_lines(answer)


def _let_go(response: aiohttp.ClientResponse) -> None:
    """Keep the connection of an answer that was read to its end; close any other."""
    if response.content.at_eof():
        response.release()
    else:
        response.close()


async def read_lines(answer: Answer) -> list[dict[str, Any]]:
    """The rows of an answer in JSONEachRow, all of them."""
    body = b"".join([piece async for piece in answer])
    return [msgspec.json.decode(line) for line in body.splitlines()]


async def _text(response: aiohttp.ClientResponse) -> str:
    try:
        return (await response.content.read(1 << 16)).decode(errors="replace")
    except _FAULTS:
        return ""


def _said(error: BaseException) -> str:
    """What an error of the connection says, without the client's own parts."""
    system = getattr(error, "os_error", error)
    if isinstance(system, OSError) and system.strerror:
        return system.strerror
    return str(error) or type(error).__name__
