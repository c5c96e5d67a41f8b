-- Chunks of before product events were kept, whose events were read from Kafka again (`usage metric backfill`).
CREATE TABLE IF NOT EXISTS product_events_filled{cluster}
(
    topic LowCardinality(String) COMMENT 'Kafka''s topic, with its prefix',
    partition UInt32 COMMENT 'of the topic',
    incarnation LowCardinality(String) COMMENT 'the topic''s id: offsets of a recreated topic begin anew',
    from_offset Int64 COMMENT 'the first offset, inclusive',
    to_offset Int64 COMMENT 'exclusive',
    events UInt64 COMMENT 'how many were written',
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'when it was written, after the events'
)
ENGINE = {engine:ReplacingMergeTree(recorded_at)}
ORDER BY (topic, partition, incarnation, from_offset)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Chunks of before product events were kept that usage metric backfill has written to product_events';
