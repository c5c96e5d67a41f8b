"""``usage.event.v1``: checked data to a row of ``events_in``."""

from pipeline.facts import heads
from pipeline.facts.exact import fields
from pipeline.facts.exact.json_values import depth_of
from pipeline.facts.exact.leaves import leaves_of
from pipeline.facts.exact.origin import Origin
from schemas.product_event import MAX_PROPERTIES_DEPTH


def row(data: fields.Data, origin: Origin) -> heads.ProductEvent:
    """The row of a valid product event. Raises Refused."""
    name = fields.required_text(data, "name")
    user_id = fields.optional_text(data, "user_id")
    properties = fields.optional_object(data, "properties")
    depth = depth_of(properties)
    if depth > MAX_PROPERTIES_DEPTH:
        raise fields.refused(
            "properties",
            f"found an object that nests {depth} deep, expected up to {MAX_PROPERTIES_DEPTH}",
        )
    return heads.ProductEvent(
        minute=origin.minute,
        tenant=origin.tenant,
        user_id=user_id,
        name=name,
        time=origin.time,
        properties=leaves_of(properties),
    )
