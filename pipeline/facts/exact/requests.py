"""``usage.request.v1``: checked data to a row of ``requests_in``."""

import re
from typing import Any

from pipeline.facts import heads
from pipeline.facts.exact import fields
from pipeline.facts.exact.decimals import Unfit, scaled
from pipeline.facts.exact.origin import Origin
from schemas.fields import MAX_TEXT
from schemas.request import DEFAULT_CURRENCY

_CURRENCY = re.compile("[A-Z]{3}")

COST_PLACES = 9
"""Costs are kept in nano-units of their currency."""

COST_DIGITS = 9
"""A cost is below 10 to this."""


def row(data: fields.Data, origin: Origin) -> heads.Request:
    """The row of a valid request. Raises Refused."""
    operation = fields.required_text(data, "operation")
    model = fields.required_text(data, "model")
    status_code = fields.required_integer(data, "status_code", 100, 599)
    duration = fields.duration_us(data, "duration_ms")
    for name in ("provider", "response_model", "error_type"):
        fields.optional_text(data, name)
    nanos, currency = _price(data)
    return heads.Request(
        minute=origin.minute,
        tenant=origin.tenant,
        team_id=fields.optional_text(data, "team_id"),
        agent_id=fields.optional_text(data, "agent_id"),
        token_id=fields.optional_text(data, "token_id"),
        user_id=fields.optional_text(data, "user_id"),
        model=model,
        operation=operation,
        failed=int(status_code >= 400),
        duration_us=duration,
        input_tokens=fields.tokens(data, "input_tokens"),
        output_tokens=fields.tokens(data, "output_tokens"),
        cache_read_input_tokens=fields.tokens(data, "cache_read_input_tokens"),
        cache_creation_input_tokens=fields.tokens(data, "cache_creation_input_tokens"),
        reasoning_output_tokens=fields.tokens(data, "reasoning_output_tokens"),
        unmetered=int(data.get("input_tokens") is None and data.get("output_tokens") is None),
        cost_nanos=nanos,
        currency=currency,
    )


def _price(data: fields.Data) -> tuple[int, str]:
    """Nano-units and currency; ``(0, '')`` for an unpriced request."""
    cost = data.get("cost")
    if cost is None:
        return 0, ""
    nanos = cost_nanos(cost)
    if nanos is None:
        raise fields.wrong(
            data,
            "cost",
            "a number from 0 to below 10^9 (or a string holding one) "
            f"of up to {MAX_TEXT:,} characters, or nothing",
        )
    currency = data.get("currency")
    if currency is None:
        return nanos, DEFAULT_CURRENCY
    if not is_currency(currency):
        raise fields.wrong(data, "currency", "three capital letters, as USD, or nothing")
    return nanos, currency


def cost_nanos(cost: Any) -> int | None:
    """A decoded cost in nano-units; None if it is not one."""
    text = cost if isinstance(cost, str) else fields.number_text(cost)
    if text is None or len(text) > MAX_TEXT:
        return None
    try:
        return scaled(text, COST_PLACES, COST_DIGITS, inclusive=False)
    except Unfit:
        return None


def is_currency(value: Any) -> bool:
    """Whether a currency is three capitals, as ISO 4217 has them."""
    return isinstance(value, str) and _CURRENCY.fullmatch(value) is not None
