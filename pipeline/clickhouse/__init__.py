"""ClickHouse: the one client, and the migrator that makes its tables."""
