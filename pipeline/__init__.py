"""The pipeline: Kafka to columns to ClickHouse, each event counted once. Never imports agents."""
