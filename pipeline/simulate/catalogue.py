"""What the simulated world is made of: models with prices and latencies, apps, failures, names.

Names are made up. Prices are in nano-dollars per token, which is what dollars per million
tokens times a thousand comes to: 2.50 dollars per million tokens are 2500.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelUse:
    """One way of using one model: the operation, what it costs, how long it takes.

    `input_tokens` and `output_tokens` are medians of a log-normal distribution; the duration is
    `base_ms` and `token_ms` for each output token, times a log-normal factor. A price of None
    means a model that runs on own machines: its requests are unpriced.
    """

    operation: str
    model: str
    provider: str
    input_tokens: int
    output_tokens: int
    base_ms: float
    token_ms: float
    input_price: int | None
    output_price: int
    cached_share: float = 0.0
    reasoning_share: float = 0.0

    @property
    def fragment(self) -> str:
        """The fields of an event's data that are always the same."""
        names = ("operation", "model", "provider")
        return ",".join(f'"{name}":"{getattr(self, name)}"' for name in names)


CHAT_LARGE = ModelUse(
    "chat", "aurora-large", "aurora", 1400, 320, 420, 14.0, 2500, 10000, cached_share=0.4
)
CHAT_SMALL = ModelUse(
    "chat", "aurora-mini", "aurora", 900, 210, 180, 6.0, 150, 600, cached_share=0.3
)
CHAT_REASON = ModelUse(
    "chat", "cedar-reason", "cedar", 2200, 1500, 900, 11.0, 3000, 15000, reasoning_share=0.6
)
GENERATE_PRO = ModelUse(
    "generate_content", "delta-pro", "delta", 3100, 450, 600, 9.0, 1250, 5000, cached_share=0.5
)
GENERATE_FLASH = ModelUse(
    "generate_content", "delta-flash", "delta", 1800, 260, 150, 3.5, 75, 300, cached_share=0.2
)
COMPLETE_CODE = ModelUse("text_completion", "fir-code", "own", 650, 60, 90, 4.0, None, 0)
EMBED_LARGE = ModelUse("embeddings", "ember-embed-large", "ember", 520, 0, 55, 0.0, 130, 0)
EMBED_SMALL = ModelUse("embeddings", "ember-embed-small", "ember", 380, 0, 28, 0.0, 20, 0)
RERANK = ModelUse("rerank", "ember-rerank", "ember", 2400, 0, 120, 0.0, 50, 0)
INVOKE_AGENT = ModelUse(
    "invoke_agent", "aurora-large", "aurora", 4200, 700, 2500, 15.0, 2500, 10000, cached_share=0.6
)

WORKLOADS: dict[str, tuple[ModelUse, ...]] = {
    "assistant": (CHAT_LARGE, CHAT_SMALL, CHAT_SMALL, CHAT_SMALL, EMBED_SMALL),
    "support": (CHAT_SMALL, CHAT_SMALL, GENERATE_FLASH, EMBED_LARGE, RERANK),
    "coding": (COMPLETE_CODE, COMPLETE_CODE, COMPLETE_CODE, CHAT_LARGE, CHAT_REASON),
    "research": (CHAT_REASON, GENERATE_PRO, EMBED_LARGE, EMBED_LARGE, RERANK),
    "documents": (GENERATE_PRO, GENERATE_FLASH, GENERATE_FLASH, EMBED_LARGE, EMBED_SMALL),
    "automation": (INVOKE_AGENT, CHAT_SMALL, GENERATE_FLASH, CHAT_SMALL, EMBED_SMALL),
}
"""What an agent is for, and what it then asks for; each entry is as likely as the others."""

FAILURES: tuple[tuple[int, str, float], ...] = (
    (429, "rate_limit_exceeded", 0.42),
    (400, "context_length_exceeded", 0.14),
    (400, "invalid_request", 0.10),
    (401, "invalid_token", 0.06),
    (500, "provider_error", 0.10),
    (503, "overloaded", 0.10),
    (504, "timeout", 0.08),
)
"""Status code, error type, share among the failures."""

FAILURE_SHARE = 0.021

APPS = (
    "salesforce", "slack", "hubspot", "jira", "gmail", "netsuite", "zendesk", "postgresql",
    "google_sheets", "workday", "servicenow", "snowflake", "quickbooks", "shopify", "stripe",
)  # fmt: skip

TEAMS = (
    "support", "engineering", "sales", "finance", "marketing", "legal", "operations", "research",
    "people", "product",
)  # fmt: skip

FIRST_WORDS = (
    "amber", "birch", "cobalt", "dune", "ember", "fjord", "granite", "harbor", "indigo", "juniper",
    "kestrel", "lumen", "meadow", "north", "opal", "prairie", "quartz", "ridge", "summit", "tidal",
    "umber", "vale", "willow", "zephyr",
)  # fmt: skip

SECOND_WORDS = (
    "analytics", "bank", "clinic", "energy", "foods", "freight", "games", "health", "insurance",
    "labs", "logistics", "media", "mobility", "motors", "outfitters", "press", "retail",
    "software", "studios", "travel",
)  # fmt: skip
