-- Definitions of user-defined metrics: a log of them, of which the newest of each metric is in force, for the past
-- too. Views interpret them (docs/user-metrics.md), so that none ever becomes SQL.
CREATE TABLE IF NOT EXISTS metric_definitions_in{cluster}
(
    tenant LowCardinality(String) COMMENT '*: every customer has it',
    metric_id String COMMENT 'what the metric is known by',
    version UInt32 COMMENT 'how many definitions of this metric the log has up to this one',
    time DateTime64(3, 'UTC') COMMENT 'of the event',
    arrival DateTime64(3, 'UTC') COMMENT 'the timestamp of the record',
    partition UInt32 COMMENT 'where the record is',
    offset Int64 COMMENT 'where the record is',
    element UInt32 COMMENT 'place in its batch; 0 outside of one',
    retired UInt8 COMMENT '1: from here on the metric is not in force',
    definition String COMMENT 'canonical JSON',
    interpreted String COMMENT 'JSON, as the views follow it'
)
ENGINE = Null
COMMENT 'Head of definitions of metrics: what chunks insert; it keeps nothing, metric_definitions takes from it';

CREATE TABLE IF NOT EXISTS metric_definitions{cluster}
(
    tenant LowCardinality(String) COMMENT '*: every customer has it',
    metric_id String COMMENT 'what the metric is known by',
    version UInt32 COMMENT 'how many definitions of this metric the log has up to this one',
    time DateTime64(3, 'UTC') COMMENT 'of the event',
    arrival DateTime64(3, 'UTC') COMMENT 'the timestamp of the record',
    partition UInt32 COMMENT 'where the record is',
    offset Int64 COMMENT 'where the record is',
    element UInt32 COMMENT 'place in its batch; 0 outside of one',
    retired UInt8 COMMENT '1: from here on the metric is not in force',
    definition String COMMENT 'canonical JSON',
    interpreted String COMMENT 'JSON, as the views follow it',
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'orders the logs, where a topic was recreated',
    definitions UInt8 ALIAS 1 COMMENT 'to be checked against the ledger like sums',
    quarter DateTime('UTC') ALIAS toStartOfFifteenMinutes(time) COMMENT 'to be checked against the ledger like sums'
)
ENGINE = {engine:MergeTree}
ORDER BY (metric_id, version)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Definitions of user-defined metrics, one row each; the newest of each metric is in force';

CREATE MATERIALIZED VIEW IF NOT EXISTS metric_definitions_mv{cluster} TO metric_definitions AS
SELECT tenant, metric_id, version, time, arrival, partition, offset, element, retired, definition, interpreted
FROM metric_definitions_in;
