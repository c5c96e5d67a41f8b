"""The envelope of every event: CloudEvents 1.0, JSON format."""

from typing import Annotated, Generic, Literal, TypeVar

from msgspec import Meta, Struct

MAX_IDENTIFIER = 256
"""Longest ``id`` and ``source``, in code points."""

MAX_TENANT = 128
"""Longest ``subject``, in code points."""

NOBODY = "*"
"""The subject of entities that belong to no tenant (models and apps), and of nothing else."""

Identifier = Annotated[str, Meta(min_length=1, max_length=MAX_IDENTIFIER)]
Tenant = Annotated[str, Meta(min_length=1, max_length=MAX_TENANT)]

Data = TypeVar("Data")


class Envelope(Struct, Generic[Data], kw_only=True, gc=False):
    """One structured CloudEvents 1.0 event. Unknown attributes are ignored, never an error."""

    specversion: Literal["1.0"]
    """The version of CloudEvents."""

    id: Identifier
    """With ``source`` it identifies the event: 1 to 256 code points."""

    source: Identifier
    """Who emitted the event: 1 to 256 code points."""

    type: Annotated[str, Meta(min_length=1)]
    """Decides the schema of ``data``: ``usage.request.v1``, ..."""

    subject: Tenant
    """The tenant (an organization, a customer account): 1 to 128 code points."""

    time: str | None = None
    """When it happened: RFC 3339 with an offset or ``Z``, up to 9 fraction digits, truncated to
    milliseconds. Absent: the timestamp of the record."""

    datacontenttype: str | None = None
    """Absent, or ``application/json`` (parameters are ignored)."""

    data: Data
    """The event itself, an object."""
