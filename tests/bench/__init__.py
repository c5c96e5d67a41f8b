"""Benchmarks, apart from the tests.

``python -m tests.bench`` measures the whole worker and writes ``docs/benchmarks.md``: workload
(events), bed (broker, stores, workers), measure (CPU, memory), bare and documented (what else could
be done), throughput, scaling, live, scrape (the tables), page. The other modules each measure one
part and are run by themselves.
"""
