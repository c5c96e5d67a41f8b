"""The page: files that a browser is given, built from ``web/``; every number comes from the API.

Nobody needs to be known for them: they hold no number. The policy lets the page load, send and run
nothing that does not come from here.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from aiohttp import web

from pipeline.api.application import Route
from pipeline.api.boundary import PAGE

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types default"
)
"""The Content-Security-Policy of the page."""

_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
FILES = ("index.html", "app.js", "charts.js", "app.css", "runbook.html")


@dataclass(frozen=True)
class File:
    """One file of the page, as it is sent."""

    body: bytes
    packed: bytes
    content_type: str
    etag: str


@cache
def file(name: str) -> File:
    """Read a file of the page. Raises FileNotFoundError: the installation is incomplete."""
    body = resources.files(__name__).joinpath("static", name).read_bytes()
    content_type = f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8"
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return File(body, gzip.compress(body, 9, mtime=0), content_type, etag)


async def page(request: web.Request) -> web.Response:
    """A file of the page; the beginning is ``index.html``."""
    found = file(request.path.removeprefix("/") or FILES[0])
    headers = {
        "Content-Type": found.content_type,
        "Content-Security-Policy": POLICY,
        "Cache-Control": "no-cache",
        "ETag": found.etag,
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("If-None-Match") == found.etag:
        return web.Response(status=304, headers=headers)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=found.packed, headers={**headers, "Content-Encoding": "gzip"})
    return web.Response(body=found.body, headers=headers)


ROUTES = tuple(
    Route("GET", path, PAGE, page) for path in ("/", *(f"/{name}" for name in FILES[1:]))
)
"""What the API's process serves besides."""
