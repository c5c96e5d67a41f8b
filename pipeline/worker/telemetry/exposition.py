"""``/metrics``: what the client library writes, and the tenants' series, of which there are many.

10,000 tenants have 350,000 series. The library takes some 20 µs for each, with a check of every
label's name, and keeps all of them until the last one is written; here it is 0.5 µs, and a window's
series at a time. Both forms are written: Prometheus' text, and OpenMetrics.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import wait
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from prometheus_client.exposition import choose_encoder, gzip_accepted
from prometheus_client.registry import Collector

from pipeline.facts.minutes import MEASURES
from pipeline.worker.telemetry import metrics

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

    from pipeline.process.metrics import Metric as Declared
    from pipeline.worker.live import Seen
    from pipeline.worker.telemetry.state import State

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]

OPEN_METRICS = "application/openmetrics-text"
TENANTS_SECONDS = 5.0
"""How long a scrape waits for what tenants did; Prometheus waits 10 s for all of it."""
_END = b"# EOF\n"
_GZIP = 31
"""zlib's window of 32 KiB, with gzip's head."""
_FAST = 1
"""Level 9, the library's, takes ten times as long, for a tenth less."""


class Exposition:
    """The WSGI application that answers a scrape."""

    def __init__(
        self,
        registry: CollectorRegistry,
        state: Callable[[], State | None],
        families: Callable[[State | None], Iterable[Metric]],
    ) -> None:
        self._registry = registry
        self._state = state
        self._families = families

    def __call__(self, environ: Environ, start: StartResponse) -> Iterable[bytes]:
        """Write everything, or what ``name[]`` asks for, in the form that is accepted."""
        encode, form = choose_encoder(environ.get("HTTP_ACCEPT", ""))
        names = parse_qs(environ.get("QUERY_STRING", "")).get("name[]")
        state = _with_tenants_in_time(self._state())
        known = encode(_Families(self._registry, self._families(state), names))
        pieces: Iterable[bytes] = [known]
        if state is not None and state.tenants is not None:
            lines = of_tenants(state.tenants.result(), form.startswith(OPEN_METRICS), names)
            end = _END if known.endswith(_END) else b""
            pieces = chain([known.removesuffix(_END)], map(str.encode, lines), [end])
        headers = [("Content-Type", form)]
        if gzip_accepted(environ.get("HTTP_ACCEPT_ENCODING", "")):
            headers.append(("Content-Encoding", "gzip"))
            pieces = _packed(pieces)
        else:
            # With its length, so that a part is told from all; but never copied into one piece, for
            # that keeps everybody from the interpreter while tens of megabytes are copied.
            pieces = list(pieces)
            headers.append(("Content-Length", str(sum(map(len, pieces)))))
        start("200 OK", headers)
        return pieces


def _with_tenants_in_time(state: State | None) -> State | None:
    """Return the state, without what tenants did where that is not known in time."""
    if state is None or state.tenants is None:
        return state
    known, _ = wait([state.tenants], TENANTS_SECONDS)
    return state if known else replace(state, tenants=None)


class _Families(Collector):
    """The registry's families and others; of some names, if they are given."""

    def __init__(
        self, registry: CollectorRegistry, others: Iterable[Metric], names: list[str] | None
    ) -> None:
        self._registry = registry
        self._others = others
        self._names = names

    def collect(self) -> Iterator[Metric]:
        names = self._names
        if names is None:
            yield from self._others
            yield from self._registry.collect()
            return
        yield from (one for one in self._others if any(s.name in names for s in one.samples))
        yield from self._registry.restricted_registry(names).collect()


def of_tenants(seen: Seen, is_open_metrics: bool, names: list[str] | None = None) -> Iterator[str]:
    """Yield the lines of what tenants did, some thousands at a time."""
    every = [seen.totals, *seen.windows.values()]
    quoted = {label: _quoted(label) for by_label in every for label in by_label}
    for index, measure in enumerate(MEASURES):
        counted, windowed = metrics.TENANT_MEASURES[measure]
        if names is None or counted.exposed in names:
            yield _head(counted, is_open_metrics)
            head = f'{counted.exposed}{{tenant="'
            yield "".join(
                [f'{head}{quoted[of]}"}} {sums[index]}\n' for of, sums in seen.totals.items()]
            )
        if names is not None and windowed.exposed not in names:
            continue
        yield _head(windowed, is_open_metrics)
        for window, by_label in seen.windows.items():
            state = "current" if window.current else "last"
            head = f'{windowed.exposed}{{state="{state}",tenant="'
            tail = f'",window="{window.size}"}} '
            yield "".join(
                [f"{head}{quoted[of]}{tail}{sums[index]}\n" for of, sums in by_label.items()]
            )


def _head(metric: Declared, is_open_metrics: bool) -> str:
    name = metric.name if is_open_metrics else metric.exposed
    return f"# HELP {name} {metric.meaning}\n# TYPE {name} {metric.type}\n"


def _quoted(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _packed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packing = zlib.compressobj(_FAST, wbits=_GZIP)
    for piece in pieces:
        yield packing.compress(piece)
    yield packing.flush()
