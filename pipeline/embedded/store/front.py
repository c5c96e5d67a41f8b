"""The HTTP front: one handler, which takes a request through the engine."""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from aiohttp import web

from pipeline.embedded.store import requests, sql
from pipeline.embedded.store.answers import Progress, Refusal, broken_off, content_type
from pipeline.embedded.store.codecs import chosen, encoder
from pipeline.embedded.store.engine import Engine
from pipeline.embedded.store.native import ZONES, Rewriter
from pipeline.embedded.store.requests import Asked
from pipeline.embedded.store.results import Pipe
from pipeline.embedded.store.run import Outcome, Runs
from pipeline.embedded.store.sql import Kind, Statement

# An error within the first megabyte of an answer still gets its own status.
_HELD_BYTES = 1 << 20
_IN_MEMORY_BYTES = 8 << 20
_PIECE_BYTES = 1 << 20
_Held = tempfile.SpooledTemporaryFile[bytes]
_TYPES_AS_BYTES = "output_format_native_encode_types_in_binary_format"
_READONLY = Refusal(
    164,
    "READONLY",
    "default: Cannot execute query in readonly mode. For queries over HTTP, method GET implies "
    "readonly. You should use method POST for modifying queries",
)


class Front:
    """Answers requests over one engine."""

    def __init__(self, engine: Engine, tmp: Path) -> None:
        self._engine = engine
        self._tmp = tmp
        self.runs = Runs(engine)

    async def ping(self, _request: web.Request) -> web.Response:
        """Whether it is up."""
        return web.Response(text="Ok.\n", content_type="text/html", charset="UTF-8")

    async def query(self, request: web.Request) -> web.StreamResponse:
        """Answer one query; every error in ClickHouse's words, code and status."""
        headers = {"X-ClickHouse-Query-Id": "", "X-ClickHouse-Timezone": self._engine.timezone}
        if request.method in ("GET", "HEAD") and "query" not in request.query:
            return await self.ping(request)
        try:
            asked = await requests.read(request)
            headers["X-ClickHouse-Query-Id"] = asked.query_id
            statement = sql.parse(asked.sql.decode("latin-1"))
            asked = _with_types(asked, statement)
            if statement.streams:
                return await self._read(request, asked, statement, headers)
            if asked.read_only and not statement.reads_only:
                raise _READONLY
            return await self._do(asked, statement, headers)
        except Refusal as refusal:
            headers["X-ClickHouse-Exception-Code"] = str(refusal.code)
            return web.Response(
                status=refusal.status, body=refusal.body(self._engine.version), headers=headers
            )

    async def _do(
        self, asked: Asked, statement: Statement, headers: dict[str, str]
    ) -> web.Response:
        """Run what has a small answer; an INSERT's data goes to the engine by a nameless file."""
        output = asked.output
        # Not in a `with`: it belongs to the query's thread, which may outlive this request.
        data = tempfile.TemporaryFile(dir=self._tmp)  # noqa: SIM115
        text = statement.text
        if statement.kind is Kind.DATA:
            await asyncio.to_thread(_fill, data, asked.sql, statement.data)
            text = statement.from_file(f"/dev/fd/{data.fileno()}")
        _, outcome = self.runs.start(asked, statement, text, output, data.close)
        body, progress = await outcome
        if body and (rewriter := _rewriter(asked, statement)):
            body = rewriter.add(body) + rewriter.end()
        # As a server tells apart: no rows of an answer, and no answer at all.
        named = statement.format or output if body or statement.answers else ""
        return _whole(body, progress, asked, named, headers)

    async def _read(
        self, request: web.Request, asked: Asked, statement: Statement, headers: dict[str, str]
    ) -> web.StreamResponse:
        """Run a SELECT and send its answer while it comes."""
        output = asked.output
        pipe = Pipe(_rewriter(asked, statement))
        text = statement.into(pipe.file, output)
        label, outcome = self.runs.start(asked, statement, text, output, pipe.finish)
        try:
            held = await self._hold(pipe, asked.options.get("wait_end_of_query"))
            with held:
                return await self._send(
                    request, asked, statement.format or output, headers, held, pipe, outcome
                )
        finally:
            if pipe.ended:
                pipe.close()
            else:
                self.runs.abandon(label, pipe)

    async def _hold(self, pipe: Pipe, wait_end_of_query: str | None) -> _Held:
        """Read the answer's beginning aside, on disk if large.

        All of it if asked to wait for its end, no more than its first bytes if asked not to.
        """
        least = _HELD_BYTES
        if wait_end_of_query is not None:
            least = 1 if wait_end_of_query in {"0", "false"} else sys.maxsize
        held = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, dir=str(self._tmp))  # noqa: SIM115
        try:
            while held.tell() < least and (piece := await pipe.read()):
                held.write(piece)
        except BaseException:
            held.close()
            raise
        return held

    async def _send(
        self,
        request: web.Request,
        asked: Asked,
        output: str,
        headers: dict[str, str],
        held: _Held,
        pipe: Pipe,
        outcome: asyncio.Future[Outcome],
    ) -> web.StreamResponse:
        progress = Progress()
        if pipe.ended:
            _, progress = await outcome
            pipe.check()
            progress.result_bytes = held.tell()
            if held.tell() <= _HELD_BYTES * 2:
                held.seek(0)
                return _whole(held.read(), progress, asked, output, headers)
        tag = secrets.token_hex(8)
        response = web.StreamResponse(headers=_described(headers, output, progress))
        response.headers["X-ClickHouse-Exception-Tag"] = tag
        encoding = chosen(asked.accept)
        if encoding:
            response.headers["Content-Encoding"] = encoding
        await response.prepare(request)
        coder = encoder(encoding)
        try:
            async for piece in _pieces(held, pipe):
                await response.write(coder.add(piece))
            await outcome
            pipe.check()
        except Refusal as refusal:
            ending = broken_off(refusal, tag, self._engine.version)
            await response.write(coder.add(ending) + coder.end())
            # Without the last chunk's mark, so that no client can take it for whole.
            if request.transport is not None:
                request.transport.close()
            return response
        await response.write(coder.end())
        await response.write_eof()
        return response


async def _pieces(held: _Held, pipe: Pipe) -> AsyncIterator[bytes]:
    held.seek(0)
    while piece := held.read(_PIECE_BYTES):
        yield piece
    while piece := await pipe.read():
        yield piece


def _is_native(asked: Asked, statement: Statement) -> bool:
    """Whether it answers in Native of a revision; what is inserted is always of revision 0."""
    format_ = statement.format or asked.output
    return bool(asked.revision) and statement.kind is not Kind.DATA and format_.lower() == "native"


def _with_types(asked: Asked, statement: Statement) -> Asked:
    """A request with what makes the engine tell zones, where its revision has them."""
    if asked.revision < ZONES or not _is_native(asked, statement):
        return asked
    if _TYPES_AS_BYTES in asked.settings or _TYPES_AS_BYTES.encode() in asked.sql:
        raise Refusal(
            48,
            "NOT_IMPLEMENTED",
            f"The embedded store has no {_TYPES_AS_BYTES} together with client_protocol_version: "
            "leave one of them out",
        )
    return replace(asked, settings=asked.settings | {_TYPES_AS_BYTES: "1"})


def _rewriter(asked: Asked, statement: Statement) -> Rewriter | None:
    return Rewriter(asked.revision) if _is_native(asked, statement) else None


def _fill(file: IO[bytes], content: bytes, start: int) -> None:
    file.write(memoryview(content)[start:])
    file.flush()


def _described(headers: dict[str, str], output: str, progress: Progress) -> dict[str, str]:
    described = headers | {"X-ClickHouse-Summary": progress.header()}
    if output:
        described |= {"Content-Type": content_type(output), "X-ClickHouse-Format": output}
    return described


def _whole(
    body: bytes, progress: Progress, asked: Asked, output: str, headers: dict[str, str]
) -> web.Response:
    described = _described(headers, output, progress)
    encoding = chosen(asked.accept)
    if encoding and body:
        coder = encoder(encoding)
        body = coder.add(body) + coder.end()
        described["Content-Encoding"] = encoding
    return web.Response(body=body, headers=described)
