-- Product events: the same as requests and recipe actions. Their properties are not kept here.
CREATE TABLE IF NOT EXISTS events_in{cluster}
(
    minute DateTime('UTC'),
    tenant LowCardinality(String),
    user_id LowCardinality(String),
    name LowCardinality(String)
)
ENGINE = Null;

CREATE TABLE IF NOT EXISTS events_1m{cluster}
(
    tenant LowCardinality(String),
    minute DateTime('UTC'),
    user_id LowCardinality(String),
    name LowCardinality(String),
    events SimpleAggregateFunction(sum, UInt64)
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, minute, user_id, name)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS events_15m{cluster}
(
    tenant LowCardinality(String),
    quarter DateTime('UTC'),
    user_id LowCardinality(String),
    name LowCardinality(String),
    first_minute SimpleAggregateFunction(min, DateTime('UTC')),
    last_minute SimpleAggregateFunction(max, DateTime('UTC')),
    events SimpleAggregateFunction(sum, UInt64)
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(quarter)
ORDER BY (tenant, quarter, user_id, name)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS events_1m_mv{cluster} TO events_1m AS
SELECT
    tenant, minute, user_id, name,
    1 AS events
FROM events_in;

CREATE MATERIALIZED VIEW IF NOT EXISTS events_15m_mv{cluster} TO events_15m AS
SELECT
    tenant, toStartOfFifteenMinutes(minute) AS quarter, user_id, name,
    minute AS first_minute,
    minute AS last_minute,
    1 AS events
FROM events_in;
