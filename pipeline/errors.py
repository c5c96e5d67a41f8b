"""Every error that this program raises for a person to read, and the code it exits with.

::

    UsageError                64   base; the message is a sentence: what was wrong, with what,
    │                              what to do
    ├── SettingsError         78   a setting is missing or wrong, by its variable's name
    ├── StoreError            76   ClickHouse
    │   ├── StoreUnavailable  75   trying again may help: refused, timed out, overloaded, read-only
    │   └── StoreRefused      76   trying again will not help: access, unknown table, wrong type
    │       └── ValueRefused  76   because of a value among the rows: others may be accepted
    ├── MigrationError        78   the schema is not what this release needs, and cannot be made so
    ├── BrokerError           75   Kafka
    └── Halted                76   the worker must not go on by itself; an operator decides

The codes are those of ``sysexits.h``, so that a supervisor can tell them from a crash (1): 75 is
worth a restart, 76 and 78 are not until somebody has looked.
"""

from __future__ import annotations

from typing import ClassVar


class UsageError(Exception):
    """An error whose message is meant for a person, without a traceback."""

    exit_code: ClassVar[int] = 64

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SettingsError(UsageError):
    """A setting is missing, unknown or wrong; the message names its variable."""

    exit_code = 78


class StoreError(UsageError):
    """ClickHouse could not do what was asked."""

    exit_code = 76


class StoreUnavailable(StoreError):
    """ClickHouse could not be reached, or not do it now; the same request may succeed later.

    ``code`` is ClickHouse's own, or 0; ``is_of_request``: another server would not answer better.
    """

    exit_code = 75

    def __init__(self, message: str, code: int = 0, *, is_of_request: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.is_of_request = is_of_request


class StoreRefused(StoreError):
    """ClickHouse refused; the same request will be refused again.

    ``code`` is ClickHouse's own error code (60 is an unknown table), or 0 where it gave none;
    ``reason`` is what it said, without its address, the code and the query.
    """

    exit_code = 76

    def __init__(self, message: str, code: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason or message


class ValueRefused(StoreRefused):
    """ClickHouse, or its encoding, refuses a value among the rows; without it, the rest is taken.

    ``code`` is 0 where the value could not even be encoded: then nothing was sent.
    """


class MigrationError(UsageError):
    """The schema cannot be brought to, or is not in, the state that this release needs."""

    exit_code = 78


class BrokerError(UsageError):
    """Kafka could not be reached, or refused."""

    exit_code = 75


class Halted(UsageError):
    """The worker must not go on by itself: going on could lose or double events."""

    exit_code = 76
