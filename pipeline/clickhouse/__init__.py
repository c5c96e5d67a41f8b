"""ClickHouse: the one client, and the migrator that makes its tables."""

from pipeline.clickhouse.client import Store

__all__ = ["Store"]
