-- What each tenant did in each minute, by partition: a worker that takes a partition up restores its
-- live windows from here. Written through the same chunks as the rollups. Rows whose minute is
-- over three hours before their chunk's last arrival are left out; windows are an hour at most.
CREATE TABLE IF NOT EXISTS live_1m{cluster}
(
    topic LowCardinality(String),
    partition UInt32,
    minute DateTime('UTC'),
    tenant LowCardinality(String),
    requests SimpleAggregateFunction(sum, UInt64),
    failed SimpleAggregateFunction(sum, UInt64),
    input_tokens SimpleAggregateFunction(sum, UInt64),
    output_tokens SimpleAggregateFunction(sum, UInt64),
    tasks SimpleAggregateFunction(sum, UInt64)
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(minute)
ORDER BY (topic, partition, minute, tenant)
TTL minute + toIntervalDay(2)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;
