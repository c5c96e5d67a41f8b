"""Answers of ClickHouse as bytes, as they come, for a process with an event loop.

A reader that leaves ends its query: leaving `Reader.stream` closes the connection, and both a
server (``cancel_http_readonly_queries_on_client_close``) and the embedded store end what nobody
reads. An answer that breaks off is never taken for whole.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec

from pipeline.clickhouse.client import CONNECT_SECONDS, READ_SECONDS
from pipeline.clickhouse.faults import answered
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

    def __init__(self, session: aiohttp.ClientSession, where: str, database: str) -> None:
        self._session = session
        self._database = database
        self.where = where

    @classmethod
    @asynccontextmanager
    async def connected(cls, settings: Settings) -> AsyncIterator[Reader]:
        """A reader for the block, in the loop that runs it; its queries end with the block."""
        url = settings.clickhouse
        host = f"[{url.host}]" if ":" in url.host else url.host
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
            yield cls(session, f"{url.scheme}://{host}:{url.port}", url.database)

    @asynccontextmanager
    async def stream(
        self, sql: str, form: str, settings: Mapping[str, Any] | None = None
    ) -> AsyncIterator[Answer]:
        """Ask, and give the answer in a format of ClickHouse's as it comes.

        Leaving the block before the answer's end ends the query.

        Raises:
            StoreUnavailable, StoreRefused: before the first byte; later ones come from `Answer`.
        """
        parameters = {
            "database": self._database,
            "default_format": form,
            **_SETTINGS,
            **(settings or {}),
        }
        named = {name: str(value) for name, value in parameters.items()}
        try:
            response = await self._session.post(self.where, params=named, data=sql.encode())
        except _FAULTS as error:
            raise StoreUnavailable(
                f"ClickHouse at {self.where} (USAGE_CLICKHOUSE) does not answer: {_said(error)}"
            ) from error
        try:
            if response.status != 200:
                raise answered(response.status, await _text(response), self.where)
            yield Answer(response, self.where)
        finally:
            # Of an answer read to its end, the connection is kept; else it is closed.
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    async def rows(
        self, sql: str, settings: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Ask what has a small answer; values as JSON has them."""
        async with self.stream(sql, "JSONEachRow", settings) as answer:
            return await read_lines(answer)


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
