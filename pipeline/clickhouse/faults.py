"""Which of ClickHouse's errors may pass by themselves, and which may not."""

from __future__ import annotations

import re

from clickhouse_connect.driver.exceptions import DataError, Error, OperationalError

from pipeline.errors import StoreError, StoreRefused, StoreUnavailable, ValueRefused

TRANSIENT = {
    75: "CANNOT_WRITE_TO_FILE_DESCRIPTOR",  # a full disk
    159: "TIMEOUT_EXCEEDED",
    160: "TOO_SLOW",
    173: "CANNOT_ALLOCATE_MEMORY",
    201: "QUOTA_EXCEEDED",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    203: "NO_FREE_CONNECTION",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    225: "NO_ZOOKEEPER",
    236: "ABORTED",
    241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY",
    243: "NOT_ENOUGH_SPACE",
    252: "TOO_MANY_PARTS",
    279: "ALL_CONNECTION_TRIES_FAILED",
    285: "TOO_FEW_LIVE_REPLICAS",
    286: "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE",
    289: "REPLICA_IS_NOT_IN_QUORUM",
    319: "UNKNOWN_STATUS_OF_INSERT",
    341: "UNFINISHED",
    394: "QUERY_WAS_CANCELLED",
    425: "SYSTEM_ERROR",
    439: "CANNOT_SCHEDULE_TASK",
    473: "DEADLOCK_AVOIDED",
    733: "TABLE_IS_BEING_RESTARTED",
    734: "CANNOT_WRITE_AFTER_BUFFER_CANCELED",
    745: "SERVER_OVERLOADED",
    999: "KEEPER_EXCEPTION",
}
"""Codes that another attempt may not meet again. Every other code is a refusal."""

OF_REQUEST = {
    159: "TIMEOUT_EXCEEDED",
    160: "TOO_SLOW",
    201: "QUOTA_EXCEEDED",
    241: "MEMORY_LIMIT_EXCEEDED",
    286: "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE",  # another insert into the table is under way
    394: "QUERY_WAS_CANCELLED",
}
"""Those among them that another server would answer alike, or that are no sign of a sick one."""

_CODE = re.compile(r"^Code: (\d+)\.")
THROWN = 395
"""The code of what `throwIf` says, in a view: its arguments are wrong."""

ABOUT_VALUES = {
    6: "CANNOT_PARSE_TEXT",
    26: "CANNOT_PARSE_QUOTED_STRING",
    38: "CANNOT_PARSE_DATE",
    41: "CANNOT_PARSE_DATETIME",
    69: "ARGUMENT_OUT_OF_BOUND",
    70: "CANNOT_CONVERT_TYPE",
    72: "CANNOT_PARSE_NUMBER",
    117: "INCORRECT_DATA",
    128: "TOO_LARGE_ARRAY_SIZE",
    131: "TOO_LARGE_STRING_SIZE",
    153: "ILLEGAL_DIVISION",
    321: "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE",
    349: "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN",
    THROWN: "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO",
    407: "DECIMAL_OVERFLOW",
    469: "VIOLATED_CONSTRAINT",
    691: "UNKNOWN_ELEMENT_OF_ENUM",
}
"""Codes that say something of a row: an insert without that row may be accepted."""

_STATUS = re.compile(r"HTTP status (\d{3})")
_UNREACHED = re.compile(r"NewConnectionError|NameResolutionError")
_ERRNO = re.compile(r"\[Errno -?\d+\] ([^\"'()]+)")
_SAID = "DB::Exception: "
_NAME = re.compile(r" \(([A-Z_]+)\)(?: \(version|\s*$)")
_BESIDE = re.compile(
    r"\.? In scope |: In scope |: [Ww]hile (?:executing|processing) |\. Expected one of"
    r"|\. Stack trace:| \([A-Z_]+\)(?: \(version|\s*$)| \(version \d"
)
"""Begins what ClickHouse adds to what it says: of the query, of its own parts, of its version."""


def translate(error: Exception, where: str) -> StoreError:
    """Say as one of ours what the driver raised; ``where`` is the store, without its password."""
    text = f"ClickHouse at {where}{_what(error)}"
    if isinstance(error, DataError):  # not even encoded
        return ValueRefused(text, reason=_line(error))
    if not isinstance(error, Error):  # the socket's own, or urllib3's
        return StoreUnavailable(text)
    code = error.code or 0
    if code:
        reason, name = _line(error), _NAME.search(str(error))
        text = f"ClickHouse at {where}: {reason} (code {code}{f', {name[1]}' if name else ''})"
        if code in TRANSIENT:
            return StoreUnavailable(text, code, is_of_request=code in OF_REQUEST)
        kind = ValueRefused if code in ABOUT_VALUES else StoreRefused
        return kind(text, code, reason)
    status = _STATUS.search(str(error))
    if isinstance(error, OperationalError) or (status and status[1].startswith("5")):
        return StoreUnavailable(text)  # the driver's word for what is wrong with the connection
    return StoreRefused(text)


def answered(status: int, body: str, where: str) -> StoreError:
    """Say as one of ours an answer that is no success: its status, and what it says."""
    found = _CODE.search(body)
    code = int(found[1]) if found else 0
    reason, name = _reason(body.strip().partition("\n")[0]), _NAME.search(body)
    if not code:
        text = f"ClickHouse at {where} answers with the HTTP status {status}: {reason}"
        return StoreUnavailable(text) if status >= 500 else StoreRefused(text)
    text = f"ClickHouse at {where}: {reason} (code {code}{f', {name[1]}' if name else ''})"
    if code in TRANSIENT:
        return StoreUnavailable(text, code, is_of_request=code in OF_REQUEST)
    return StoreRefused(text, code, reason)


def _line(error: Exception) -> str:
    """What was said, in one line, and nothing beside it."""
    return _reason(str(error).strip().partition("\n")[0] or type(error).__name__)


def _reason(line: str) -> str:
    if _SAID not in line:
        return line
    return _BESIDE.split(line.rpartition(_SAID)[2], maxsplit=1)[0].rstrip(" .:")


def _what(error: Exception) -> str:
    line = _line(error)
    system = _ERRNO.search(line)
    if system and _UNREACHED.search(line):  # the rest names only the client's own parts
        return f" (USAGE_CLICKHOUSE) does not answer: {system[1].strip()}"
    return f": {line}"
