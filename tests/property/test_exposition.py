"""The tenants' series are what the client library would write: its parsers read the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics import parser as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from pipeline.facts.minutes import MEASURES
from pipeline.worker.live import WINDOWS, Seen
from pipeline.worker.telemetry import metrics
from pipeline.worker.telemetry.exposition import of_tenants

labels = st.text(
    st.one_of(st.sampled_from('\\"\n{},= '), st.characters(exclude_categories=["Cs"])), max_size=5
)
sums = st.tuples(*[st.integers(0, 10**12)] * len(MEASURES))
by_label = st.dictionaries(labels, sums, max_size=4)
seen = st.builds(
    Seen, st.fixed_dictionaries(dict.fromkeys(WINDOWS, by_label)), by_label, st.just(0)
)


def due(seen: Seen) -> list[Metric]:
    found: list[Metric] = []
    for index, measure in enumerate(MEASURES):
        counted, windowed = metrics.TENANT_MEASURES[measure]
        counter = CounterMetricFamily(counted.name, counted.meaning, labels=["tenant"])
        for label, sums in seen.totals.items():
            counter.add_metric([label], sums[index])
        gauge = GaugeMetricFamily(windowed.name, windowed.meaning, labels=windowed.labels)
        for window, by_label in seen.windows.items():
            for label, sums in by_label.items():
                state = "current" if window.current else "last"
                gauge.add_metric([label, window.size, state], sums[index])
        found += [counter, gauge]
    return found


@given(seen)
@pytest.mark.parametrize("is_open_metrics", [False, True])
def test_what_tenants_did_is_read_as_it_is(is_open_metrics: bool, seen: Seen) -> None:
    text = "".join(of_tenants(seen, is_open_metrics))
    if is_open_metrics:
        read = open_metrics.text_string_to_metric_families
        found = list(read(text + "# EOF\n"))  # type: ignore[no-untyped-call]
    else:
        found = list(text_string_to_metric_families(text))
    assert found == due(seen)
