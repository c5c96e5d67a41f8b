-- Time zones by tenant, and three rollups for long ranges: why they are there is in
-- docs/decisions/usage-views.md.

-- When each zone's offset changes. A zone in a column cannot be handed to ClickHouse's functions of time, so
-- the midnights of tenants' zones are found from here. Filled by `usage migrate` from the tzdata package: one
-- version after another, each whole.
CREATE TABLE IF NOT EXISTS _zone_offsets{cluster}
(
    version LowCardinality(String) COMMENT 'of the time zone database',
    zone LowCardinality(String),
    since Int64 COMMENT 'seconds since 1970; the first row of a zone also holds before it',
    utc_offset Int32 COMMENT 'seconds to add to UTC from since on',
    reached Int64 COMMENT 'the latest local time that was ever reached until the next row, exclusive'
)
ENGINE = {engine:ReplacingMergeTree}
ORDER BY (version, zone, since)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS _zone_versions{cluster}
(
    version LowCardinality(String) COMMENT 'written when its offsets are complete; the newest row holds',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = {engine:ReplacingMergeTree(loaded_at)}
ORDER BY version
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;

-- Requests by tenant and quarter hour alone.
CREATE TABLE IF NOT EXISTS totals_15m{cluster}
(
    tenant LowCardinality(String),
    quarter DateTime('UTC'),
    currency LowCardinality(String) COMMENT 'empty: unpriced',
    requests SimpleAggregateFunction(sum, UInt64),
    failed SimpleAggregateFunction(sum, UInt64),
    completions SimpleAggregateFunction(sum, UInt64) COMMENT 'requests of chat, text_completion, generate_content',
    completions_us SimpleAggregateFunction(sum, UInt64) COMMENT 'their duration',
    embeddings SimpleAggregateFunction(sum, UInt64) COMMENT 'requests of embeddings',
    embeddings_us SimpleAggregateFunction(sum, UInt64) COMMENT 'their duration',
    input_tokens SimpleAggregateFunction(sum, UInt64),
    output_tokens SimpleAggregateFunction(sum, UInt64),
    cache_read_input_tokens SimpleAggregateFunction(sum, UInt64),
    cache_creation_input_tokens SimpleAggregateFunction(sum, UInt64),
    reasoning_output_tokens SimpleAggregateFunction(sum, UInt64),
    cost SimpleAggregateFunction(sum, Decimal(38, 9)) COMMENT 'in currency'
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(quarter)
ORDER BY (tenant, quarter, currency)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;

-- What was counted before this rollup was there. No chunk is open, so that nothing is added meanwhile.
TRUNCATE TABLE totals_15m{cluster};

INSERT INTO totals_15m
SELECT
    tenant, quarter, currency,
    requests,
    failed,
    if(operation IN ('chat', 'text_completion', 'generate_content'), requests, 0) AS completions,
    if(operation IN ('chat', 'text_completion', 'generate_content'), duration_us, 0) AS completions_us,
    if(operation = 'embeddings', requests, 0) AS embeddings,
    if(operation = 'embeddings', duration_us, 0) AS embeddings_us,
    input_tokens,
    output_tokens,
    cache_read_input_tokens,
    cache_creation_input_tokens,
    reasoning_output_tokens,
    cost
FROM requests_15m
SETTINGS insert_deduplicate = 0, deduplicate_insert = 'disable';

CREATE MATERIALIZED VIEW IF NOT EXISTS totals_15m_mv{cluster} TO totals_15m AS
SELECT
    tenant, toStartOfFifteenMinutes(minute) AS quarter, currency,
    1 AS requests,
    failed,
    operation IN ('chat', 'text_completion', 'generate_content') AS completions,
    if(completions, duration_us, 0) AS completions_us,
    operation = 'embeddings' AS embeddings,
    if(embeddings, duration_us, 0) AS embeddings_us,
    input_tokens,
    output_tokens,
    cache_read_input_tokens,
    cache_creation_input_tokens,
    reasoning_output_tokens,
    toDecimal128(cost_nanos, 9) / 1000000000 AS cost
FROM requests_in;

-- Who did how much on a day of UTC: by user first, so that each is met once.
CREATE TABLE IF NOT EXISTS users_1d{cluster}
(
    tenant LowCardinality(String),
    user_id LowCardinality(String),
    day Date COMMENT 'of UTC',
    team_id LowCardinality(String),
    agent_id LowCardinality(String),
    token_id LowCardinality(String),
    currency LowCardinality(String) COMMENT 'empty: unpriced',
    first_minute SimpleAggregateFunction(min, DateTime('UTC')),
    last_minute SimpleAggregateFunction(max, DateTime('UTC')),
    requests SimpleAggregateFunction(sum, UInt64),
    input_tokens SimpleAggregateFunction(sum, UInt64),
    output_tokens SimpleAggregateFunction(sum, UInt64),
    cost SimpleAggregateFunction(sum, Decimal(38, 9)) COMMENT 'in currency'
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(day)
ORDER BY (tenant, user_id, day, team_id, agent_id, token_id, currency)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;

TRUNCATE TABLE users_1d{cluster};

INSERT INTO users_1d
SELECT
    tenant, user_id, toDate(quarter, 'UTC') AS day, team_id, agent_id, token_id, currency,
    first_minute,
    last_minute,
    requests,
    input_tokens,
    output_tokens,
    cost
FROM requests_15m
SETTINGS insert_deduplicate = 0, deduplicate_insert = 'disable';

CREATE MATERIALIZED VIEW IF NOT EXISTS users_1d_mv{cluster} TO users_1d AS
SELECT
    tenant, user_id, toDate(minute, 'UTC') AS day, team_id, agent_id, token_id, currency,
    minute AS first_minute,
    minute AS last_minute,
    1 AS requests,
    input_tokens,
    output_tokens,
    toDecimal128(cost_nanos, 9) / 1000000000 AS cost
FROM requests_in;

-- The same by month of UTC: for long ranges.
CREATE TABLE IF NOT EXISTS users_1mo{cluster}
(
    tenant LowCardinality(String),
    user_id LowCardinality(String),
    month Date COMMENT 'of UTC',
    team_id LowCardinality(String),
    agent_id LowCardinality(String),
    token_id LowCardinality(String),
    currency LowCardinality(String) COMMENT 'empty: unpriced',
    first_minute SimpleAggregateFunction(min, DateTime('UTC')),
    last_minute SimpleAggregateFunction(max, DateTime('UTC')),
    requests SimpleAggregateFunction(sum, UInt64),
    input_tokens SimpleAggregateFunction(sum, UInt64),
    output_tokens SimpleAggregateFunction(sum, UInt64),
    cost SimpleAggregateFunction(sum, Decimal(38, 9)) COMMENT 'in currency'
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYear(month)
ORDER BY (tenant, user_id, month, team_id, agent_id, token_id, currency)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;

TRUNCATE TABLE users_1mo{cluster};

INSERT INTO users_1mo
SELECT
    tenant, user_id, toStartOfMonth(quarter) AS month, team_id, agent_id, token_id, currency,
    first_minute,
    last_minute,
    requests,
    input_tokens,
    output_tokens,
    cost
FROM requests_15m
SETTINGS insert_deduplicate = 0, deduplicate_insert = 'disable';

CREATE MATERIALIZED VIEW IF NOT EXISTS users_1mo_mv{cluster} TO users_1mo AS
SELECT
    tenant, user_id, toStartOfMonth(minute) AS month, team_id, agent_id, token_id, currency,
    minute AS first_minute,
    minute AS last_minute,
    1 AS requests,
    input_tokens,
    output_tokens,
    toDecimal128(cost_nanos, 9) / 1000000000 AS cost
FROM requests_in;
