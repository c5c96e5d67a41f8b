"""Grafana's dashboards, made from the one list of panels. Pure; ``files`` reads and writes them.

They are Classic JSON, which Grafana provisions from files; the ClickHouse data source is the plugin
``grafana-clickhouse-datasource``. What Grafana and the plugin do to a query stands where it is met.
"""
