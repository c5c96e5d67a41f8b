"""Where the next rows begin: an opaque, signed text that holds the resolved question. Pure.

What a cursor holds is decided about again when it comes back, so that nothing rests on its
signature alone; that one refuses what was changed, or belongs to somebody else, in plain words.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from pipeline.access.decision import Reason
from pipeline.api.problems import Problem
from pipeline.views.call import Value

_SIGNATURE_BYTES = 16
LONGEST = 8192


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The place of the next row, and of what question."""

    source: str
    """The view's name, or that of another endpoint with rows."""
    texts: dict[str, str]
    """Values of parameters that are text."""
    numbers: dict[str, int]
    instants: dict[str, int]
    """Epoch seconds."""
    columns: tuple[str, ...]
    offset: int

    @classmethod
    def of(
        cls, source: str, values: Mapping[str, Value], columns: tuple[str, ...], offset: int
    ) -> Cursor:
        """The cursor of a question."""
        texts = {name: value for name, value in values.items() if isinstance(value, str)}
        numbers = {name: value for name, value in values.items() if isinstance(value, int)}
        instants = {
            name: int(value.timestamp())
            for name, value in values.items()
            if isinstance(value, datetime)
        }
        return cls(source, texts, numbers, instants, columns, offset)

    def values(self) -> dict[str, Value]:
        """The question's values."""
        instants = {name: datetime.fromtimestamp(at, UTC) for name, at in self.instants.items()}
        return {**self.texts, **self.numbers, **instants}


class Signer:
    """Makes texts of cursors for one caller each, and reads them back."""

    def __init__(self, secret: bytes) -> None:
        self._secret = hashlib.sha256(b"cursor\0" + secret).digest()

    def sign(self, cursor: Cursor, user: str) -> str:
        """The text that this caller may bring back."""
        body = msgspec.json.encode(cursor)
        return base64.urlsafe_b64encode(self._signature(body, user) + body).decode().rstrip("=")

    def read(self, text: str, source: str, user: str) -> Cursor:
        """The cursor that was signed for this caller.

        Raises:
            Problem: 400, it is none, or for another endpoint; 403, it is somebody else's.
        """
        wrong = Problem(400, "cursor is not one that was given with an answer", parameter="cursor")
        if len(text) > LONGEST:
            raise wrong
        try:
            signed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            body = signed[_SIGNATURE_BYTES:]
            cursor = msgspec.json.decode(body, type=Cursor)
        except (ValueError, binascii.Error, msgspec.MsgspecError):
            raise wrong from None
        if not hmac.compare_digest(signed[:_SIGNATURE_BYTES], self._signature(body, user)):
            raise Problem(
                403,
                "cursor was given to somebody else, or changed since",
                reason=Reason.CURSOR,
                parameter="cursor",
            )
        if cursor.source != source:
            raise Problem(400, f"cursor is one of {cursor.source}", parameter="cursor")
        return cursor

    def _signature(self, body: bytes, user: str) -> bytes:
        message = user.encode() + b"\0" + body
        return hmac.digest(self._secret, message, "sha256")[:_SIGNATURE_BYTES]
