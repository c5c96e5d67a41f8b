"""Statuses, headers and texts as ClickHouse's HTTP interface gives them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_CODE = re.compile(r"Code: (\d+)\. ")

# ClickHouse's own table: src/Server/HTTP/exceptionCodeToHTTPStatus.cpp.
_STATUS = {
    401: (194,),  # REQUIRED_PASSWORD
    403: (192, 193, 497, 512, 516),  # UNKNOWN_USER … ACCESS_DENIED … AUTHENTICATION_FAILED
    400: (
        # BAD_ARGUMENTS, CANNOT_COMPILE_REGEXP, CANNOT_PARSE_…
        *(36, 427, 6, 25, 26, 27, 38, 41, 72, 376, 441, 675, 676),
        # THERE_IS_NO_COLUMN, DUPLICATE_COLUMN, ILLEGAL_COLUMN, …_AST
        *(8, 15, 44, 37, 123, 167, 168, 223),
        # TYPE_MISMATCH, SYNTAX_ERROR, INCORRECT_DATA, VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        *(53, 62, 117, 321),
    ),
    # UNKNOWN_…: function, identifier, type, storage, table, aggregate function, format, type of
    # query, database, setting, direction of sorting, database engine, role
    404: (46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511),
    408: (159,),  # TIMEOUT_EXCEEDED
    411: (381,),  # HTTP_LENGTH_REQUIRED
    413: (229,),  # QUERY_IS_TOO_LARGE
    415: (779,),  # UNSUPPORTED_MEDIA_TYPE
    501: (48,),  # NOT_IMPLEMENTED
    503: (76, 209, 439),  # CANNOT_OPEN_FILE, SOCKET_TIMEOUT, CANNOT_SCHEDULE_TASK
}
STATUS_OF_CODE = {code: status for status, codes in _STATUS.items() for code in codes}

_TYPES = {
    "csv": "text/csv; charset=UTF-8; header=absent",
    "csvwithnames": "text/csv; charset=UTF-8; header=present",
    "csvwithnamesandtypes": "text/csv; charset=UTF-8; header=present",
    "xml": "application/xml; charset=UTF-8",
    "parquet": "application/octet-stream",
    "html": "text/html; charset=UTF-8",
}


class Refusal(Exception):
    """A request that is answered with an error, whoever found it: the front or the engine."""

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.text = f"Code: {code}. DB::Exception: {message}. ({name})"

    @classmethod
    def of_engine(cls, error: Exception) -> Refusal:
        """The engine's error, in its own words."""
        text = str(error).strip()
        found = _CODE.search(text)
        refusal = cls(int(found[1]) if found else 1002, "UNKNOWN_EXCEPTION", text)
        if found:
            refusal.text = text[found.start() :]
        return refusal

    @property
    def status(self) -> int:
        """The HTTP status a server gives with this code."""
        return STATUS_OF_CODE.get(self.code, 500)

    def body(self, version: str) -> bytes:
        """The answer's body, as a server writes it."""
        return f"{self.text} (version {version} (embedded build))\n".encode()


@dataclass
class Progress:
    """What ``X-ClickHouse-Summary`` tells; counts of rows and bytes, nanoseconds."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_bytes: int = 0
    elapsed_ns: int = 0

    def header(self) -> str:
        """As a server writes it: JSON with the numbers as strings."""
        named = {name: str(value) for name, value in vars(self).items()}
        return json.dumps(named | {"total_rows_to_read": "0", "result_rows": "0"})


def content_type(name: str) -> str:
    """The ``Content-Type`` of an output format."""
    lower = name.lower()
    if lower in _TYPES:
        return _TYPES[lower]
    if lower.startswith("json"):
        lines = "eachrow" in lower and "array" not in lower
        return f"application/{'x-ndjson' if lines else 'json'}; charset=UTF-8"
    if lower.startswith(("tab", "tsv")):
        return "text/tab-separated-values; charset=UTF-8"
    if lower.startswith(("pretty", "vertical", "values", "markdown")):
        return "text/plain; charset=UTF-8"
    return "application/octet-stream"


def broken_off(refusal: Refusal, tag: str, version: str) -> bytes:
    """What ends an answer that failed after it had begun (ClickHouse 25.11 and later)."""
    message = refusal.body(version)
    head = f"\r\n__exception__\r\n{tag}\r\n".encode()
    return head + message + f"{len(message)} {tag}\r\n__exception__\r\n".encode()
