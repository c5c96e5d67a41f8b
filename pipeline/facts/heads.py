"""The heads: which columns the rows of each topic have."""

from pipeline.facts.interface import Head

REQUESTS = Head(
    "requests_in",
    (
        ("minute", "DateTime('UTC')"),
        ("tenant", "String"),
        ("team_id", "String"),
        ("agent_id", "String"),
        ("token_id", "String"),
        ("user_id", "String"),
        ("model", "String"),
        ("operation", "String"),
        ("failed", "UInt8"),
        ("duration_us", "UInt64"),
        ("input_tokens", "UInt64"),
        ("output_tokens", "UInt64"),
        ("cache_read_input_tokens", "UInt64"),
        ("cache_creation_input_tokens", "UInt64"),
        ("reasoning_output_tokens", "UInt64"),
        ("cost_nanos", "Int64"),
        ("currency", "String"),
    ),
)
"""One row per request. ``minute`` is epoch seconds, a multiple of 60; ``duration_us`` whole
microseconds; ``cost_nanos`` 10^-9 of ``currency``, which is ``''`` where there was no cost."""

RECIPE_ACTIONS = Head(
    "actions_in",
    (
        ("minute", "DateTime('UTC')"),
        ("tenant", "String"),
        ("recipe_id", "String"),
        ("app", "String"),
        ("rule_set", "UInt8"),
        ("task", "UInt8"),
        ("failed", "UInt8"),
    ),
)
"""One row per recipe action. ``task`` is 1 where the action is a task by ``rule_set``."""
