-- What metrics came to day by day, so that lists of many of them need not ask each event again. A row holds only
-- while product_events has as many rows of its week as it was made of (docs/decisions/metric-days.md): views ask for
-- that, and whoever fills the table in may be killed, late, or two at once. Nothing is replaced by a merge, since a
-- question may be about to read it.
CREATE TABLE IF NOT EXISTS metric_days{cluster}
(
    week Date COMMENT 'its Monday, of UTC: a part of product_events',
    head UInt8 COMMENT '1: says that the days of a week are there; 0: a day of an organization',
    asks UInt128 COMMENT 'what the metric asks of product events, a hash',
    tenant LowCardinality(String) COMMENT 'the organization; empty in a head',
    day Date COMMENT 'of UTC; the week in a head',
    filling UInt64 COMMENT 'the insert that brought it: the days of one week, of some metrics',
    made_of UInt64 COMMENT 'how many product events the week had before they were read',
    made_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'when they were read',
    events UInt64 COMMENT 'events that the filters left',
    missing UInt64 COMMENT 'those of them that have no property to calculate with',
    not_numeric UInt64 COMMENT 'those whose property is no number',
    not_exact UInt64 COMMENT 'those whose number is too long to be exact',
    value Nullable(Decimal(76, 18)) COMMENT 'their sum, or the smallest or greatest of them'
)
ENGINE = {engine:MergeTree}
PARTITION BY week
ORDER BY (head, asks, tenant, day)
SETTINGS ttl_only_drop_parts = 1, {window}, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Days of user-defined metrics, added up before they are asked for, while their events are all there is';
