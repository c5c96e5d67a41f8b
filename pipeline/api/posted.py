"""What a caller sends: a JSON document that is checked as it is read."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from aiohttp import web

from pipeline.api.problems import Problem

Document = TypeVar("Document", bound=msgspec.Struct)


async def posted(request: web.Request, wanted: type[Document], what: str) -> Document:
    """The body of a request, as what it must be.

    ``what``: the complement of the refusal's sentence, ``report``.

    Raises:
        Problem: 415, it is not JSON by its own word; 400, it is none, or not of that form.
    """
    if request.content_type != "application/json":
        raise Problem(415, "the body is not application/json")
    try:
        return msgspec.json.decode(await request.read(), type=wanted)
    except UnicodeDecodeError as error:
        raise Problem(
            400, f"the body is no {what}: it is not UTF-8 at byte {error.start}"
        ) from None
    except msgspec.MsgspecError as error:
        raise Problem(400, f"the body is no {what}: {error}") from None
