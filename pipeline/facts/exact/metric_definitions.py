"""``usage.metric_definition.v1``: checked data to a row of ``metric_definitions_in``.

What a definition may say is decided in `pipeline.facts.definitions`.
"""

from pipeline.facts import heads
from pipeline.facts.definitions.definition import written
from pipeline.facts.definitions.interpreted import interpreted
from pipeline.facts.definitions.invalid import InvalidDefinition
from pipeline.facts.definitions.reading import read
from pipeline.facts.exact import fields
from pipeline.facts.exact.json_values import compact
from pipeline.facts.exact.origin import Origin
from pipeline.facts.exact.reasons import INVALID_DATA, Refused, sentence
from schemas.envelope import NOBODY


def row(data: fields.Data, origin: Origin) -> heads.MetricDefinition:
    """The row of a valid definition, its version not told yet. Raises Refused."""
    if origin.tenant != NOBODY:
        expected = f"{NOBODY}, of a metric: every customer has it"
        raise Refused(INVALID_DATA, sentence("subject", origin.tenant, expected))
    try:
        definition = read(data)
    except InvalidDefinition as error:
        raise Refused(INVALID_DATA, f"data.{error}.") from None
    return heads.MetricDefinition(
        tenant=origin.tenant,
        metric_id=definition.metric_id,
        version=0,
        time=origin.time,
        arrival=origin.arrival,
        partition=origin.partition,
        offset=origin.offset,
        element=origin.element,
        retired=int(definition.retired),
        definition=compact(written(definition)),
        interpreted=interpreted(definition),
    )
