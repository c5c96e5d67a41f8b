"""Answers a question whose rows come from views: in any format, as they come, page by page."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
from aiohttp import hdrs, web

from pipeline.api import bodies
from pipeline.api.context import API, ASKING, Api, caller
from pipeline.api.cursors import Cursor
from pipeline.api.etags import etag, matches
from pipeline.api.freshness import Fresh
from pipeline.api.options import Options
from pipeline.api.problems import Problem
from pipeline.clickhouse.faults import THROWN
from pipeline.clickhouse.reading import Answer
from pipeline.errors import StoreRefused, UsageError
from pipeline.reports.streamed import workbook
from pipeline.views import projection
from pipeline.views.catalogue import Column, not_plain
from pipeline.views.formats import ARROW, CSV, EXACT, JSON, NDJSON, PARQUET, XLSX
from pipeline.views.projection import Shape, Source
from pipeline.views.rows import in_zone, plain

log = logging.getLogger(__name__)

FORMATS = (JSON, NDJSON, CSV, PARQUET, ARROW, XLSX)
"""Those that the API gives."""

WHOLE_BYTES = 1 << 20
"""An answer up to this long is sent whole; a longer one as it comes."""

_REFUSALS_OF_ARGUMENTS = frozenset({36, 41, 43, 53, 69, 407, THROWN})
"""Codes of ClickHouse's for values that a view cannot take."""

_PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Accept"}


async def answer(
    request: web.Request, source: Source, options: Options, offset: int = 0, whose: str = ""
) -> web.StreamResponse:
    """The rows of a source for whoever asks; access to it was decided before.

    ``whose``: what cursors are given for, where that is not the view of the source's name.

    Raises:
        Problem: an option is wrong, or the source cannot take its values.
        StoreUnavailable: before the first byte; later, the connection breaks.
    """
    api = request.app[API]
    request[ASKING].view, request[ASKING].form = source.name, options.format.name
    try:
        shape = Shape(
            options.format,
            projection.chosen(options.columns, source),
            options.limit,
            offset,
            options.spreadsheet,
        )
    except UsageError as error:
        raise Problem(400, error.message, parameter="columns") from None
    fresh = await api.freshness.now()
    who = caller(request)
    tag = etag(api.release, api.views.generation, source, shape, who.user, who.grants, fresh)
    headers = {**_PRIVATE, "ETag": tag}
    if matches(request.headers.getall("If-None-Match", ()), tag):
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = options.format.content_type
    if options.format is not JSON:
        name = f"{source.name}.{options.format.name}"
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    signed = partial(_signed, api, who.user, whose or source.name, source, shape)
    async with _body(api, who.user, source, shape, fresh, signed) as body:
        return await send(request, body, headers)


@asynccontextmanager
async def _body(
    api: Api,
    user: str,
    source: Source,
    shape: Shape,
    fresh: Fresh,
    signed: Callable[[int], str],
) -> AsyncIterator[AsyncIterator[bytes]]:
    """The bytes of an answer; leaving the block ends their query."""
    asked = shape
    if shape.format is JSON and shape.limit is not None:
        # One row more than is shown tells whether there are more.
        asked = Shape(shape.format, shape.columns, shape.limit + 1, shape.offset)
    async with AsyncExitStack() as block:
        rows = await _rows(block, api, user, source, asked)
        yield _encoded(source, shape, fresh, rows, signed)


async def _rows(block: AsyncExitStack, api: Api, user: str, source: Source, shape: Shape) -> Answer:
    """The source's rows, asked for plainly if that will do; the block's end ends their query."""
    form = shape.format.clickhouse
    by_day = await _by_day(api, source)
    for instead in filter(None, (by_day, source.plain)):
        plain = projection.select(replace(source, sql=instead), shape)
        try:
            return await block.enter_async_context(query(api, user, plain, form, source))
        except Problem as refused:
            if not not_plain(refused.detail):
                raise
        except StoreRefused as refused:  # what is wrong with days is not with the question
            if instead is not by_day:
                raise
            log.warning("%s is not answered from days: %s", source.name, refused.message)
    sql = projection.select(source, shape)
    return await block.enter_async_context(query(api, user, sql, form, source))


async def _by_day(api: Api, source: Source) -> str:
    """What stands behind FROM where days that were added up before spare enough; else ''."""
    if source.by_day is None:
        return ""
    try:
        [kept] = await api.reader.rows(source.by_day.which)
    except StoreRefused:  # what is wrong with it is said of the question itself
        return ""
    return source.by_day.asked(str(kept["made"]), int(kept["spared"]))


def _signed(api: Api, user: str, whose: str, source: Source, shape: Shape, offset: int) -> str:
    """The cursor of the rows from an offset on, for its caller."""
    return api.signer.sign(Cursor.of(whose, source.parameters, shape.columns, offset), user)


@asynccontextmanager
async def query(api: Api, user: str, sql: str, form: str, source: Source) -> AsyncIterator[Answer]:
    """One of the caller's queries, for the block.

    Raises:
        Problem: 429, they have too many; 400, the source does not take its values.
    """
    async with api.limits.query(user):
        with api.instruments.in_flight.track_inprogress():
            try:
                async with api.reader.stream(sql, form, EXACT) as rows:
                    yield rows
            except StoreRefused as error:
                if error.code in _REFUSALS_OF_ARGUMENTS:
                    detail = f"{source.name} does not answer that: {error.reason}"
                    raise Problem(400, detail) from error
                raise


def _encoded(
    source: Source, shape: Shape, fresh: Fresh, rows: Answer, signed: Callable[[int], str]
) -> AsyncIterator[bytes]:
    pieces = rows.__aiter__()
    if shape.format is JSON and shape.limit is not None:
        following = partial(signed, shape.offset + shape.limit)
        return bodies.document(pieces, _head(source, shape, fresh), shape.limit, following)
    if shape.format is XLSX:
        wanted = projection.columns(source, shape)
        return workbook(source.name, wanted, pieces, _about(source, wanted, fresh))
    return bodies.marked(pieces) if shape.spreadsheet else pieces


def _about(source: Source, columns: Sequence[Column], fresh: Fresh) -> Iterator[tuple[str, str]]:
    """What a workbook says of itself."""
    yield "View", source.name
    for name, value in resolved(source).items():
        yield f"Parameter {name}", str(value)
    for one in fresh.as_json(source.tz):
        newest = f"newest event {one['newest_event']}, newest arrival {one['newest_arrival']}"
        yield f"As of, {one['type']}", newest
    for column in columns:
        if column.unit:
            yield f"Unit of {column.name}", column.unit
    if any(column.name == "currency" for column in columns):
        yield "Currencies", "amounts of different currencies are never to be added"


def _head(source: Source, shape: Shape, fresh: Fresh) -> bytes:
    """The document up to its rows."""
    document: dict[str, Any] = {
        "view": source.name,
        "parameters": resolved(source),
        "as_of": fresh.as_json(source.tz),
        "columns": [column._asdict() for column in projection.columns(source, shape)],
        "rows": [],
    }
    return msgspec.json.encode(document).removesuffix(b"]}")


def resolved(source: Source) -> dict[str, Any]:
    """The parameters as they were understood, instants with the offset of their zone."""
    [values] = in_zone([list(source.parameters.values())], source.tz)
    return {name: plain(value) for name, value in zip(source.parameters, values, strict=True)}


async def send(
    request: web.Request, body: AsyncIterator[bytes], headers: Mapping[str, str]
) -> web.StreamResponse:
    """Send a body: whole if it is small, so that an error still gets its own status.

    Of one that fails later, `boundary` breaks the connection.
    """
    asking = request[ASKING]
    held = bytearray()
    async for piece in body:
        held += piece
        if len(held) > WHOLE_BYTES:
            break
    else:
        asking.size = len(held)
        return web.Response(body=bytes(held), headers=headers)
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    if request.method == hdrs.METH_HEAD:  # the rows are nobody's
        return response
    try:
        await response.write(bytes(held))
        asking.size = len(held)
        held.clear()
        async for piece in body:
            await response.write(piece)
            asking.size += len(piece)
        await response.write_eof()
    except ConnectionResetError:
        asking.ending = "left"
    return response
