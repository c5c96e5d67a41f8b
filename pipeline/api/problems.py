"""What is not answered, as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web

from pipeline.access.decision import Reason, Refusal

CONTENT_TYPE = "application/problem+json"


class Problem(Exception):
    """A request that is not answered; the detail is a sentence for a person.

    ``reason`` is there where access was refused, ``parameter`` where one is wrong.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        reason: Reason | None = None,
        parameter: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.reason = reason
        self.parameter = parameter
        self.headers = dict(headers or {})

    @classmethod
    def of(cls, refusal: Refusal) -> Problem:
        """A refusal of access; who was not let in is told how to be."""
        known = {"WWW-Authenticate": 'Bearer realm="usage"'} if refusal.status == 401 else {}
        return cls(refusal.status, refusal.sentence, reason=refusal.reason, headers=known)

    def response(self) -> web.Response:
        """This problem as an answer of HTTP."""
        document = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.reason is not None:
            document["reason"] = str(self.reason)
        if self.parameter:
            document["parameter"] = self.parameter
        return web.Response(
            body=msgspec.json.encode(document),
            status=self.status,
            content_type=CONTENT_TYPE,
            headers={"Cache-Control": "no-store", **self.headers},
        )
