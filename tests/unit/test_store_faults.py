"""Which of the store's errors may pass, and which may not."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.exceptions import (
    DatabaseError,
    DataError,
    OperationalError,
    ProgrammingError,
)

from pipeline.clickhouse.faults import ABOUT_VALUES, TRANSIENT, translate
from pipeline.errors import StoreRefused, StoreUnavailable, ValueRefused


@pytest.mark.parametrize("code", [159, 202, 209, 241, 242, 252, 319, 999])
def test_what_may_pass_is_unavailable(code: int) -> None:
    assert code in TRANSIENT
    assert isinstance(translate(DatabaseError("no", code=code), "x"), StoreUnavailable)


@pytest.mark.parametrize("code", [27, 43, 53, 60, 62, 81, 115, 164, 497, 516, 4_711])
def test_everything_else_is_refused_with_its_code(code: int) -> None:
    error = translate(DatabaseError("no", code=code), "x")
    assert isinstance(error, StoreRefused)
    assert error.code == code


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OperationalError("Error connection refused executing HTTP request"), StoreUnavailable),
        (OperationalError("overloaded", code=60), StoreRefused),
        (ConnectionResetError("reset"), StoreUnavailable),
        (TimeoutError("timed out"), StoreUnavailable),
        (
            DatabaseError("HTTP driver received HTTP status 502, server response: x"),
            StoreUnavailable,
        ),
        (DatabaseError("HTTP driver received HTTP status 404, server response: x"), StoreRefused),
        (DataError("Unable to create native array"), ValueRefused),
        (ProgrammingError("not known"), StoreRefused),
    ],
)
def test_without_a_code_the_connection_decides(error: Exception, kind: type[Exception]) -> None:
    assert type(translate(error, "x")) is kind


def test_the_message_names_the_store_and_is_one_line() -> None:
    message = str(translate(DatabaseError("first line\nsecond", code=60), "http://store:8123"))
    assert message == "ClickHouse at http://store:8123: first line (code 60)"


@pytest.mark.parametrize(
    ("reason", "beside"),
    [
        ("Cannot load time zone A/B", ": In scope SELECT toDateTime(time, 'A/B'). (BAD_ARGUMENTS)"),
        ("Unknown table 'a'. Maybe you meant b?", " In scope SELECT 1 FROM a. (UNKNOWN_TABLE)"),
        ("me: Not enough privileges. Wanted is SELECT(a) ON u.b", ". (ACCESS_DENIED)"),
        ("ask for less", ": while executing 'FUNCTION throwIf(1_UInt8 :: 3)'. (THROW_IF)"),
        ("Syntax error: failed at position 8", ". Expected one of: FROM, INTO. (SYNTAX_ERROR)"),
        ("Table u.b is not there", ". Stack trace: 0. DB::Exception::Exception(). (UNKNOWN_TABLE)"),
    ],
)
def test_a_refusal_is_what_the_store_says_without_the_query_and_its_own_parts(
    reason: str, beside: str
) -> None:
    name = beside.rpartition("(")[2]
    said = f"Received from shard:9000. DB::Exception: {reason}{beside} (version 26.9 (official))"
    error = translate(
        DatabaseError(
            "Received ClickHouse exception, code: 36, server response: Code: 36. DB::Exception: "
            f"{said} (for url http://s:8123)",
            code=36,
        ),
        "http://s:8123",
    )
    assert isinstance(error, StoreRefused)
    assert error.reason == reason
    assert error.message == f"ClickHouse at http://s:8123: {reason} (code 36, {name}"


def test_a_store_that_is_not_there_is_said_in_a_few_words() -> None:
    refused = (
        "Error HTTPConnectionPool(host='127.0.0.1', port=1): Max retries exceeded with url: /?a=b "
        "(Caused by NewConnectionError(\"HTTPConnection(host='127.0.0.1', port=1): Failed to "
        'establish a new connection: [Errno 111] Connection refused")) executing HTTP request'
    )
    error = translate(OperationalError(refused), "http://store:8123")
    assert isinstance(error, StoreUnavailable)
    assert str(error) == (
        "ClickHouse at http://store:8123 (USAGE_CLICKHOUSE) does not answer: Connection refused"
    )


@pytest.mark.parametrize("code", sorted(ABOUT_VALUES))
def test_what_is_said_of_a_row_is_told_from_what_is_said_of_the_rest(code: int) -> None:
    error = DatabaseError(f"Code: {code}. DB::Exception: at row 7", code=code)
    assert type(translate(error, "x")) is ValueRefused
    assert code not in TRANSIENT
