"""The statements that make a user of ClickHouse's, who may ask the second database and no more.

`readonly` is 2, not 1: Grafana's plugin sends ``max_execution_time`` with every query, which 1
refuses. What 2 lets a user set is bounded here; a minimum is 1 where 0 would mean no bound.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.clickhouse.quoting import identifier, quoted

PASSWORD_BYTES = 24


class Bound(NamedTuple):
    """A setting of the profile: its value, and how far a user may change it."""

    name: str
    value: str
    """As SQL has it."""
    low: str = ""
    high: str = ""
    """Both empty: not at all."""

    def sql(self) -> str:
        """As ``CREATE SETTINGS PROFILE`` has it."""
        bounds = f"MIN {self.low} MAX {self.high}" if self.low else "CONST"
        return f"{self.name} = {self.value} {bounds}"


PROFILE: Sequence[Bound] = (
    Bound("readonly", "2"),
    Bound("max_execution_time", "60", "1", "120"),
    Bound("max_memory_usage", "2000000000", "1", "4000000000"),
    Bound("max_result_rows", "1000000", "1", "1000000"),
    Bound("max_result_bytes", "1000000000", "1", "1000000000"),
    Bound("max_rows_to_read", "1000000000", "1", "1000000000"),
    Bound("max_threads", "4", "1", "8"),
    Bound("max_concurrent_queries_for_user", "8", "1", "8"),
    Bound("max_query_size", "262144", "1", "262144"),
    Bound("max_ast_elements", "50000", "1", "50000"),
    Bound("max_expanded_ast_elements", "500000", "1", "500000"),
    # No cut answer may look whole.
    *(
        Bound(f"{what}_overflow_mode", "'throw'")
        for what in ("timeout", "result", "read", "group_by", "sort", "join", "set", "distinct")
    ),
    # What a user could learn from, or hand on by, beside the answer.
    Bound("send_logs_level", "'fatal'"),
    Bound("query_cache_share_between_users", "0"),
    Bound("additional_table_filters", "'{}'"),
    Bound("enable_global_with_statement", "1"),
    # Conditions are evaluated in order, and no further than they must be.
    Bound("short_circuit_function_evaluation", "'enable'"),
)

QUOTA = (("queries", 20_000), ("read_rows", 20_000_000_000), ("execution_time", 7_200))
"""What a user may use in an hour; execution time in seconds."""


def new_password() -> str:
    """A password that nobody can guess."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def statements(user: str, password: str, database: str, cluster: str = "") -> Iterator[str]:
    """What makes the user, or makes them anew: their password then is the new one.

    ``database``: the second one. The password is in no statement, its SHA-256 is.
    """
    everywhere = f" ON CLUSTER {quoted(cluster)}" if cluster else ""
    name, profile = identifier(user), identifier(f"{database}_{user}")
    digest = hashlib.sha256(password.encode()).hexdigest()
    bounds = ", ".join(one.sql() for one in PROFILE)
    most = ", ".join(f"{what} = {many}" for what, many in QUOTA)
    yield f"CREATE SETTINGS PROFILE OR REPLACE {profile}{everywhere} SETTINGS {bounds}"
    yield (
        f"CREATE USER OR REPLACE {name}{everywhere} IDENTIFIED WITH sha256_hash BY '{digest}' "
        f"DEFAULT DATABASE {identifier(database)} SETTINGS PROFILE {quoted(f'{database}_{user}')}"
    )
    yield (
        f"CREATE QUOTA OR REPLACE {profile}{everywhere} FOR INTERVAL 1 hour MAX {most} TO {name}"
    )
    yield f"GRANT{everywhere} SELECT ON {identifier(database)}.* TO {name}"
