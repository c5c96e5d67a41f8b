"""Definitions as people give them, in a file or to the API: as the log's, and more strictly.

What an event ignores, a field that no metric has, is most likely misspelt here, so it is refused.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from pipeline.facts.definitions.definition import FIELDS, Definition
from pipeline.facts.definitions.invalid import InvalidDefinition, wrong
from pipeline.facts.definitions.reading import read as read_fields
from pipeline.facts.exact.json_values import NotJSON, decode
from schemas.envelope import MAX_DEPTH
from schemas.metric_definition import MetricFilter

OF_FILTER = MetricFilter.__struct_fields__


def read(
    data: bytes, metric_id: str | None = None, defaults: Mapping[str, str] = MappingProxyType({})
) -> Definition:
    """The definition that JSON gives.

    Args:
        data: the document.
        metric_id: the metric that it must be of, where the document may leave its id out.
        defaults: of fields that it leaves out, or empty.

    Raises:
        InvalidDefinition: it is none; the sentence begins with the field's path.
    """
    try:
        fields = decode(data, MAX_DEPTH)
    except NotJSON as error:
        raise InvalidDefinition("", f"not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise wrong("", fields, "an object with the fields of a metric")
    _known(fields, FIELDS, "", "metric")
    if isinstance(fields.get("filters"), list):
        for place, one in enumerate(fields["filters"]):
            if isinstance(one, dict):
                _known(one, OF_FILTER, f"filters[{place}].", "filter")
    if metric_id is not None and fields.setdefault("metric_id", metric_id) != metric_id:
        raise wrong("metric_id", fields["metric_id"], f"{metric_id}, which the path names")
    return read_fields({**fields, **{n: v for n, v in defaults.items() if not fields.get(n)}})


def _known(fields: dict[str, Any], known: Collection[str], path: str, what: str) -> None:
    for name in fields:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise InvalidDefinition(
                f"{path}{name}", f"a {what} has no such field{hint}; it has {', '.join(known)}"
            )
