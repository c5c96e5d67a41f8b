-- One table of what each partition's records came to, minute by minute, in place of outcomes_1m and live_1m: what a
-- round costs the store is its inserts and the parts they make. Why its rows are as they are: docs/decisions/tables.md.
CREATE TABLE IF NOT EXISTS partitions_1m{cluster}
(
    minute DateTime('UTC') CODEC(Delta, LZ4)
        COMMENT 'its beginning, of UTC: of arrival, by the record''s timestamp, for events; of event time for all else',
    topic LowCardinality(String) COMMENT 'Kafka''s topic, with its prefix',
    partition UInt32 COMMENT 'of the topic',
    tenant LowCardinality(String) COMMENT 'the organization that the event belongs to; empty: unreadable',
    type LowCardinality(String) COMMENT 'of the event; empty: unknown',
    outcome LowCardinality(String) COMMENT 'counted, duplicate, rejected, skipped',
    reason LowCardinality(String) COMMENT 'of rejections; conflict: a duplicate with other content',
    events UInt64 CODEC(T64, LZ4) COMMENT 'how many arrived in the minute; every one has an outcome',
    requests UInt64 CODEC(T64, LZ4) COMMENT 'of counted events of the minute, as the rest: how many requests',
    failed UInt64 CODEC(T64, LZ4) COMMENT 'requests that failed',
    input_tokens UInt64 CODEC(T64, LZ4) COMMENT 'tokens that models read',
    output_tokens UInt64 CODEC(T64, LZ4) COMMENT 'tokens that models wrote',
    tasks UInt64 CODEC(T64, LZ4) COMMENT 'actions that are tasks'
)
ENGINE = {engine:SummingMergeTree}
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, topic, partition, tenant, type, outcome, reason)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'What became of the records of each partition, and what a worker''s live windows begin with after a takeover';

-- What was counted before. No chunk is open, so that nothing is added meanwhile; the tables that it comes from go with
-- the next migration, when this one is written down.
TRUNCATE TABLE partitions_1m{cluster};

INSERT INTO partitions_1m (minute, topic, partition, tenant, type, outcome, reason, events)
SELECT minute, topic, partition, tenant, type, outcome, reason, events
FROM outcomes_1m
SETTINGS insert_deduplicate = 0, deduplicate_insert = 'disable', max_partitions_per_insert_block = 0;

INSERT INTO partitions_1m
    (minute, topic, partition, tenant, type, outcome, requests, failed, input_tokens, output_tokens, tasks)
SELECT
    minute, topic, partition, tenant,
    if(endsWith(topic, 'usage.requests'), 'usage.request.v1', 'usage.recipe_action.v1') AS type,
    'counted' AS outcome,
    requests, failed, input_tokens, output_tokens, tasks
FROM live_1m
SETTINGS insert_deduplicate = 0, deduplicate_insert = 'disable', max_partitions_per_insert_block = 0;

-- A worker of before may have run meanwhile, or two copies at a time: then this is done again. Nothing is inserted here.
INSERT INTO partitions_1m (minute, topic, partition, events)
SELECT toDateTime(0, 'UTC'), '', 0, 0
WHERE throwIf(
    (SELECT sum(events) FROM partitions_1m) != (SELECT sum(events) FROM outcomes_1m),
    'partitions_1m is not what outcomes_1m has, for a worker ran meanwhile, or two copied: stop the workers, and run usage migrate again')
SETTINGS insert_deduplicate = 0, deduplicate_insert = 'disable';
