-- The ledger, the intents, and the rollups of requests and recipe actions.
--
-- Filled in by the migrator: {cluster} is empty or ON CLUSTER, {engine:…} a table engine, replicated or
-- not, {window} the settings of the deduplication window. Every statement may run twice.
-- Why the tables are as they are: docs/decisions/tables.md.

-- One row per chunk, written last: where it is, all else of the chunk is.
CREATE TABLE IF NOT EXISTS chunks{cluster}
(
    topic LowCardinality(String),
    partition UInt32,
    incarnation LowCardinality(String) COMMENT 'the topic''s id: offsets of a recreated topic begin anew',
    from_offset Int64,
    to_offset Int64 COMMENT 'exclusive',
    kind LowCardinality(String) COMMENT 'chunk, or lost: expired in Kafka before it was read',
    received UInt64,
    counted UInt64,
    duplicate UInt64,
    rejected UInt64,
    skipped UInt64,
    lost UInt64 COMMENT 'offsets, not events',
    first_event_time DateTime64(3, 'UTC') COMMENT 'of counted events; 1970 where there is none',
    last_event_time DateTime64(3, 'UTC'),
    first_arrival DateTime64(3, 'UTC') COMMENT 'of records, by their timestamp; likewise',
    last_arrival DateTime64(3, 'UTC'),
    rules LowCardinality(String) COMMENT 'digest of what decided the content',
    worker LowCardinality(String),
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = {engine:ReplacingMergeTree(recorded_at)}
ORDER BY (topic, partition, incarnation, from_offset)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;

-- What a partition's worker is about to insert; only the newest of each log matters.
CREATE TABLE IF NOT EXISTS intents{cluster}
(
    topic LowCardinality(String),
    partition UInt32,
    incarnation LowCardinality(String),
    from_offset Int64,
    to_offset Int64,
    rules LowCardinality(String),
    worker LowCardinality(String),
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = {engine:ReplacingMergeTree(from_offset)}
ORDER BY (topic, partition, incarnation)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;

-- What became of the events, by the minute of their record's timestamp.
CREATE TABLE IF NOT EXISTS outcomes_1m{cluster}
(
    minute DateTime('UTC'),
    topic LowCardinality(String),
    partition UInt32,
    tenant LowCardinality(String),
    type LowCardinality(String),
    outcome LowCardinality(String) COMMENT 'counted, duplicate, rejected, skipped',
    reason LowCardinality(String) COMMENT 'of rejections',
    events UInt64
)
ENGINE = {engine:SummingMergeTree(events)}
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, topic, partition, tenant, type, outcome, reason)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;

-- Requests: events come in here, and are kept only as the rollups below. The views do not group: rows of
-- one key are added up when a part is written (optimize_on_insert) and whenever parts are merged. So
-- the block of each target is its head's, row for row.
CREATE TABLE IF NOT EXISTS requests_in{cluster}
(
    minute DateTime('UTC'),
    tenant LowCardinality(String),
    team_id LowCardinality(String),
    agent_id LowCardinality(String),
    token_id LowCardinality(String),
    user_id LowCardinality(String),
    model LowCardinality(String),
    operation LowCardinality(String),
    failed UInt8,
    duration_us UInt64,
    input_tokens UInt64,
    output_tokens UInt64,
    cache_read_input_tokens UInt64,
    cache_creation_input_tokens UInt64,
    reasoning_output_tokens UInt64,
    cost_nanos Int64,
    currency LowCardinality(String) COMMENT 'empty: unpriced'
)
ENGINE = Null;

CREATE TABLE IF NOT EXISTS requests_1m{cluster}
(
    tenant LowCardinality(String),
    minute DateTime('UTC'),
    team_id LowCardinality(String),
    agent_id LowCardinality(String),
    token_id LowCardinality(String),
    user_id LowCardinality(String),
    model LowCardinality(String),
    operation LowCardinality(String),
    currency LowCardinality(String) COMMENT 'empty: unpriced',
    requests SimpleAggregateFunction(sum, UInt64),
    failed SimpleAggregateFunction(sum, UInt64),
    duration_us SimpleAggregateFunction(sum, UInt64),
    input_tokens SimpleAggregateFunction(sum, UInt64),
    output_tokens SimpleAggregateFunction(sum, UInt64),
    cache_read_input_tokens SimpleAggregateFunction(sum, UInt64),
    cache_creation_input_tokens SimpleAggregateFunction(sum, UInt64),
    reasoning_output_tokens SimpleAggregateFunction(sum, UInt64),
    cost SimpleAggregateFunction(sum, Decimal(38, 9)) COMMENT 'in currency',
    unpriced UInt64 ALIAS if(currency = '', requests, 0)
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, minute, team_id, agent_id, token_id, user_id, model, operation, currency)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS requests_15m{cluster}
(
    tenant LowCardinality(String),
    quarter DateTime('UTC'),
    team_id LowCardinality(String),
    agent_id LowCardinality(String),
    token_id LowCardinality(String),
    user_id LowCardinality(String),
    model LowCardinality(String),
    operation LowCardinality(String),
    currency LowCardinality(String) COMMENT 'empty: unpriced',
    first_minute SimpleAggregateFunction(min, DateTime('UTC')),
    last_minute SimpleAggregateFunction(max, DateTime('UTC')),
    requests SimpleAggregateFunction(sum, UInt64),
    failed SimpleAggregateFunction(sum, UInt64),
    duration_us SimpleAggregateFunction(sum, UInt64),
    input_tokens SimpleAggregateFunction(sum, UInt64),
    output_tokens SimpleAggregateFunction(sum, UInt64),
    cache_read_input_tokens SimpleAggregateFunction(sum, UInt64),
    cache_creation_input_tokens SimpleAggregateFunction(sum, UInt64),
    reasoning_output_tokens SimpleAggregateFunction(sum, UInt64),
    cost SimpleAggregateFunction(sum, Decimal(38, 9)) COMMENT 'in currency',
    unpriced UInt64 ALIAS if(currency = '', requests, 0)
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(quarter)
ORDER BY (tenant, quarter, team_id, agent_id, token_id, user_id, model, operation, currency)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS requests_1m_mv{cluster} TO requests_1m AS
SELECT
    tenant, minute, team_id, agent_id, token_id, user_id, model, operation, currency,
    1 AS requests,
    failed,
    duration_us,
    input_tokens,
    output_tokens,
    cache_read_input_tokens,
    cache_creation_input_tokens,
    reasoning_output_tokens,
    toDecimal128(cost_nanos, 9) / 1000000000 AS cost
FROM requests_in;

CREATE MATERIALIZED VIEW IF NOT EXISTS requests_15m_mv{cluster} TO requests_15m AS
SELECT
    tenant, toStartOfFifteenMinutes(minute) AS quarter,
    team_id, agent_id, token_id, user_id, model, operation, currency,
    minute AS first_minute,
    minute AS last_minute,
    1 AS requests,
    failed,
    duration_us,
    input_tokens,
    output_tokens,
    cache_read_input_tokens,
    cache_creation_input_tokens,
    reasoning_output_tokens,
    toDecimal128(cost_nanos, 9) / 1000000000 AS cost
FROM requests_in;

-- How long requests took: how many fell into each logarithmic bucket. A bucket is 4 % wide:
-- 0 holds exactly 0 µs, and b > 0 holds [1.04^(b-1), 1.04^b) µs.
CREATE TABLE IF NOT EXISTS latency_1m{cluster}
(
    tenant LowCardinality(String),
    minute DateTime('UTC'),
    kind LowCardinality(String) COMMENT 'completion, embedding, other',
    token_id LowCardinality(String),
    bucket UInt16,
    requests SimpleAggregateFunction(sum, UInt64)
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, minute, kind, token_id, bucket)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS latency_15m{cluster}
(
    tenant LowCardinality(String),
    quarter DateTime('UTC'),
    kind LowCardinality(String) COMMENT 'completion, embedding, other',
    token_id LowCardinality(String),
    bucket UInt16,
    requests SimpleAggregateFunction(sum, UInt64)
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(quarter)
ORDER BY (tenant, quarter, kind, token_id, bucket)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS latency_1m_mv{cluster} TO latency_1m AS
SELECT
    tenant, minute,
    multiIf(operation IN ('chat', 'text_completion', 'generate_content'), 'completion',
            operation = 'embeddings', 'embedding', 'other') AS kind,
    token_id,
    if(duration_us = 0, 0, toUInt16(1 + floor(log(duration_us) / log(1.04)))) AS bucket,
    1 AS requests
FROM requests_in;

CREATE MATERIALIZED VIEW IF NOT EXISTS latency_15m_mv{cluster} TO latency_15m AS
SELECT
    tenant, toStartOfFifteenMinutes(minute) AS quarter,
    multiIf(operation IN ('chat', 'text_completion', 'generate_content'), 'completion',
            operation = 'embeddings', 'embedding', 'other') AS kind,
    token_id,
    if(duration_us = 0, 0, toUInt16(1 + floor(log(duration_us) / log(1.04)))) AS bucket,
    1 AS requests
FROM requests_in;

-- Recipe actions: the same.
CREATE TABLE IF NOT EXISTS actions_in{cluster}
(
    minute DateTime('UTC'),
    tenant LowCardinality(String),
    recipe_id LowCardinality(String),
    app LowCardinality(String),
    rule_set UInt8 COMMENT 'version of the rules that decided what is a task',
    task UInt8,
    failed UInt8
)
ENGINE = Null;

CREATE TABLE IF NOT EXISTS tasks_1m{cluster}
(
    tenant LowCardinality(String),
    minute DateTime('UTC'),
    recipe_id LowCardinality(String),
    app LowCardinality(String),
    rule_set UInt8,
    actions SimpleAggregateFunction(sum, UInt64),
    tasks SimpleAggregateFunction(sum, UInt64),
    failed SimpleAggregateFunction(sum, UInt64)
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, minute, recipe_id, app, rule_set)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS tasks_15m{cluster}
(
    tenant LowCardinality(String),
    quarter DateTime('UTC'),
    recipe_id LowCardinality(String),
    app LowCardinality(String),
    rule_set UInt8,
    first_minute SimpleAggregateFunction(min, DateTime('UTC')),
    last_minute SimpleAggregateFunction(max, DateTime('UTC')),
    actions SimpleAggregateFunction(sum, UInt64),
    tasks SimpleAggregateFunction(sum, UInt64),
    failed SimpleAggregateFunction(sum, UInt64)
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(quarter)
ORDER BY (tenant, quarter, recipe_id, app, rule_set)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS tasks_1m_mv{cluster} TO tasks_1m AS
SELECT
    tenant, minute, recipe_id, app, rule_set,
    1 AS actions,
    task AS tasks,
    failed
FROM actions_in;

CREATE MATERIALIZED VIEW IF NOT EXISTS tasks_15m_mv{cluster} TO tasks_15m AS
SELECT
    tenant, toStartOfFifteenMinutes(minute) AS quarter, recipe_id, app, rule_set,
    minute AS first_minute,
    minute AS last_minute,
    1 AS actions,
    task AS tasks,
    failed
FROM actions_in;
