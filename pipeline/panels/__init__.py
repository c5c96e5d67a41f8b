"""Panels as data: one list, from which the page, the API and Grafana's dashboards are made.

``catalogue`` is the list; ``described`` joins it with the catalogue of views, which has types and
units. A panel holds no SQL: it names a view.
"""
