"""What an HTTP request asks the store for."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.multipart import BodyPartReader

from pipeline.embedded.store.answers import Refusal
from pipeline.embedded.store.codecs import decoded
from pipeline.embedded.store.native import NEWEST

_HEADERS = {"database": "X-ClickHouse-Database", "default_format": "X-ClickHouse-Format"}
# Of the interface, not of the query.
_INTERFACE = frozenset(
    """query database default_format user password quota_key query_id session_id session_timeout
    session_check compress decompress buffer_size wait_end_of_query client_protocol_version role
    stacktrace close_session enable_http_compression send_progress_in_http_headers
    http_headers_progress_interval_ms cancel_http_readonly_queries_on_client_close
    http_zlib_compression_level readonly""".split()  # noqa: SIM905
)
_LOCAL = frozenset({"127.0.0.1", "localhost", "[::1]"})


@dataclass(frozen=True)
class Asked:
    """One request, read to its end."""

    sql: bytes  # the query of the URL, then the body
    options: Mapping[str, str]  # of the interface
    settings: dict[str, str]  # of the query
    parameters: dict[str, str]
    read_only: bool
    accept: str  # Accept-Encoding, '' where the answer is to be plain
    query_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def output(self) -> str:
        """The format of an answer whose statement names none."""
        return self.options.get("default_format", "TabSeparated")

    @property
    def revision(self) -> int:
        """The revision of Native that the client reads and writes."""
        return int(self.options.get("client_protocol_version", "0"))

    def flag(self, name: str) -> bool:
        """Whether an option is on."""
        return self.options.get(name, "0") not in {"0", "", "false"}


async def read(request: web.Request) -> Asked:
    """Read a request and its whole body; an upload that breaks off raises, so it does nothing.

    Raises:
        Refusal: it asks for what the store does not have, or is not from this machine.
    """
    _own_machine(request)
    fields = dict(request.query)
    if request.content_type == "multipart/form-data":
        fields |= await _form(request)
        body = b""
    else:
        body = decoded(await request.read(), request.headers.get("Content-Encoding", ""))
    options = {name: fields[name] for name in fields if name in _INTERFACE}
    for name, header in _HEADERS.items():
        if header in request.headers:
            options.setdefault(name, request.headers[header])
    _refuse(options)
    parts = [part for part in (fields.get("query", "").encode(), body) if part]
    query_id = fields.get("query_id", "")
    asked = Asked(
        b"\n".join(parts),
        options,
        _settings(fields),
        {n.removeprefix("param_"): v for n, v in fields.items() if n.startswith("param_")},
        request.method != "POST" or fields.get("readonly", "0") != "0",
        request.headers.get("Accept-Encoding", ""),
        query_id if query_id.isprintable() and query_id else str(uuid.uuid4()),
    )
    return asked if asked.flag("enable_http_compression") else _plain(asked)


def _plain(asked: Asked) -> Asked:
    return Asked(**{**vars(asked), "accept": ""})


def _settings(fields: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in fields.items()
        if name not in _INTERFACE and not name.startswith("param_")
    }


async def _form(request: web.Request) -> dict[str, str]:
    fields: dict[str, str] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None or part.filename:
            raise Refusal(48, "NOT_IMPLEMENTED", "The embedded store takes no external tables")
        fields[part.name] = bytes(await part.read(decode=True)).decode()
    return fields


def _refuse(options: Mapping[str, str]) -> None:
    for name in ("compress", "decompress"):
        if options.get(name, "0") not in {"0", "false"}:
            raise Refusal(
                48,
                "NOT_IMPLEMENTED",
                f"The embedded store has no {name}=1: use Content-Encoding or Accept-Encoding "
                "with enable_http_compression=1",
            )
    revision = options.get("client_protocol_version", "0")
    if not revision.isdecimal():
        raise Refusal(36, "BAD_ARGUMENTS", f"client_protocol_version '{revision}' is no number")
    if int(revision) > NEWEST:
        raise Refusal(
            48,
            "NOT_IMPLEMENTED",
            f"The embedded store speaks Native of revisions up to {NEWEST}, not {revision}: "
            "ask for an older client_protocol_version",
        )
    if "role" in options:
        raise Refusal(48, "NOT_IMPLEMENTED", "The embedded store has no roles")


def _own_machine(request: web.Request) -> None:
    """Refuse a web page that reaches for this port through somebody's browser."""
    host = request.headers.get("Host", "localhost")
    origin = request.headers.get("Origin", "http://localhost").partition("://")[2]
    for name in (host, origin):
        bare = name.rsplit(":", 1)[0] if not name.endswith("]") else name
        if bare.lower() not in _LOCAL:
            raise Refusal(
                497, "ACCESS_DENIED", f"The embedded store serves this machine only, not {name}"
            )
