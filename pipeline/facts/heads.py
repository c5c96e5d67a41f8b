"""The heads: which columns the rows of each topic have.

Strings are sent as dictionaries: half the bytes, and less CPU on both sides
(``docs/decisions/insert-path.md``).
"""

from pipeline.facts.interface import Head

REQUESTS = Head(
    "requests_in",
    (
        ("minute", "DateTime('UTC')"),
        ("tenant", "LowCardinality(String)"),
        ("team_id", "LowCardinality(String)"),
        ("agent_id", "LowCardinality(String)"),
        ("token_id", "LowCardinality(String)"),
        ("user_id", "LowCardinality(String)"),
        ("model", "LowCardinality(String)"),
        ("operation", "LowCardinality(String)"),
        ("failed", "UInt8"),
        ("duration_us", "UInt64"),
        ("input_tokens", "UInt64"),
        ("output_tokens", "UInt64"),
        ("cache_read_input_tokens", "UInt64"),
        ("cache_creation_input_tokens", "UInt64"),
        ("reasoning_output_tokens", "UInt64"),
        ("unmetered", "UInt8"),
        ("cost_nanos", "Int64"),
        ("currency", "LowCardinality(String)"),
    ),
)
"""One row per request. ``minute`` is epoch seconds, a multiple of 60; ``duration_us`` whole
microseconds; ``unmetered`` is 1 where neither token count was sent; ``cost_nanos`` 10^-9 of
``currency``, which is ``''`` where there was no cost."""

RECIPE_ACTIONS = Head(
    "actions_in",
    (
        ("minute", "DateTime('UTC')"),
        ("tenant", "LowCardinality(String)"),
        ("recipe_id", "LowCardinality(String)"),
        ("app", "LowCardinality(String)"),
        ("rule_set", "UInt8"),
        ("task", "UInt8"),
        ("failed", "UInt8"),
    ),
)
"""One row per recipe action. ``task`` is 1 where the action is a task by ``rule_set``."""

PRODUCT_EVENTS = Head(
    "events_in",
    (
        ("minute", "DateTime('UTC')"),
        ("tenant", "LowCardinality(String)"),
        ("user_id", "LowCardinality(String)"),
        ("name", "LowCardinality(String)"),
    ),
)
"""One row per product event."""

ENTITIES = Head(
    "entities_in",
    (
        ("tenant", "String"),
        ("entity", "LowCardinality(String)"),
        ("entity_id", "String"),
        ("time", "DateTime64(3, 'UTC')"),
        ("arrival", "DateTime64(3, 'UTC')"),
        ("partition", "UInt32"),
        ("offset", "Int64"),
        ("element", "UInt32"),
        ("deleted", "UInt8"),
        ("attributes", "String"),
        ("name", "String"),
        ("kind", "String"),
        ("external_id", "String"),
        ("subscription", "String"),
        ("timezone", "String"),
        ("billing_anchor_day", "UInt8"),
        ("email", "String"),
        ("role", "String"),
        ("team_id", "String"),
        ("owner_user_id", "String"),
        ("service_account_id", "String"),
        ("status", "String"),
        ("recommended", "UInt8"),
        ("cloned_from", "String"),
        ("app", "String"),
    ),
)
"""One row per change of an entity. ``time`` (of the event) and ``arrival`` (of the record) are
epoch milliseconds; ``element`` is 0 outside of a batch; from ``name`` on, attributes that the
contract knows for the entity, ``''`` or 0 where absent."""
