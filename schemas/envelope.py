"""The envelope of every event: CloudEvents 1.0, JSON format."""

from typing import Annotated, Generic, Literal, TypeVar

from msgspec import Meta, Struct

from schemas.fields import JSONSchema

MAX_IDENTIFIER = 256
"""Longest ``id`` and ``source``, in code points."""

MAX_TENANT = 128
"""Longest ``subject``, in code points."""

NOBODY = "*"
"""The subject of entities that belong to no tenant (models and apps) and of definitions of metrics,
and of nothing else."""

MAX_RECORD_BYTES = 1_048_576
"""Largest value of a record."""

MAX_DEPTH = 32
"""How deep a record's value may nest; the outermost container is 1."""

MAX_BATCH_ELEMENTS = 10_000
"""How many events a batch may hold."""

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
BINARY = "application/json"
"""The ``content-type`` headers of the three forms. Binary is told by its ``ce_…`` headers, and may
have none, or any other that is not of CloudEvents."""

Identifier = Annotated[str, Meta(min_length=1, max_length=MAX_IDENTIFIER)]
Tenant = Annotated[str, Meta(min_length=1, max_length=MAX_TENANT)]

Data = TypeVar("Data")

_LEAP_YEAR = (
    "([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)"  # 2024, 2000, not 2100
)
_DATE = (
    "([0-9]{4}-(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])"
    "|[0-9]{4}-(0[469]|11)-(0[1-9]|[12][0-9]|30)"
    "|[0-9]{4}-02-(0[1-9]|1[0-9]|2[0-8])"
    f"|{_LEAP_YEAR}-02-29)"
)
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]"
TIME_PATTERN = rf"^{_DATE}[Tt]{_CLOCK}:[0-5][0-9](\.[0-9]{{1,9}})?([Zz]|[+-]{_CLOCK})$"
"""The contract's times, calendar and all: RFC 3339 without leap seconds and missing parts."""

_ANY_CASE = "".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in BINARY)
MEDIA_TYPE_PATTERN = rf"^\s*{_ANY_CASE}\s*(;[\s\S]*)?$"
"""``application/json`` in any case, with any parameters."""

SCHEMAS: JSONSchema = {
    "specversion": {"type": "string", "const": "1.0"},
    "time": {
        "type": ["string", "null"],
        "pattern": TIME_PATTERN,
        # In some engines `$` lets a line's end follow.
        "not": {"type": "string", "pattern": "[^0-9TtZz:.+-]"},
    },
    "datacontenttype": {"type": ["string", "null"], "pattern": MEDIA_TYPE_PATTERN},
}
"""What the JSON Schema says of attributes beyond their Python types."""

NOT_OF_NOBODY: JSONSchema = {"properties": {"subject": {"not": {"const": NOBODY}}}}
"""What holds of every type whose things belong to a tenant."""


class Envelope(Struct, Generic[Data], kw_only=True, gc=False, omit_defaults=True):
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
    """The tenant (an organization, a customer account): 1 to 128 code points. ``*`` is for
    entities that belong to no tenant (models and apps) and for definitions of metrics, and for
    nothing else."""

    time: str | None = None
    """When it happened: RFC 3339 with an offset or ``Z``, up to 9 fraction digits, truncated to
    milliseconds. Absent: the timestamp of the record."""

    datacontenttype: str | None = None
    """Absent, or ``application/json`` (parameters are ignored)."""

    data: Data
    """The event itself, an object."""
