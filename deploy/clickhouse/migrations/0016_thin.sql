-- Rows of requests carry the latencies of their requests, and may stand for several: there is no row per latency
-- any more, no table of them is written to, and a worker may add up what has one key before it sends it. Why, and
-- what an element of `latency` is: docs/decisions/latency-histogram.md. A worker of before that sends rows of one
-- request is served by the defaults of the head.
ALTER TABLE requests_in{cluster}
    ADD COLUMN IF NOT EXISTS requests UInt64 DEFAULT 1 COMMENT 'how many it stands for' AFTER operation,
    MODIFY COLUMN failed UInt64 COMMENT 'requests that failed',
    MODIFY COLUMN unmetered UInt64 COMMENT 'requests with neither token count',
    ADD COLUMN IF NOT EXISTS latency Array(UInt16)
        DEFAULT [toUInt16(if(duration_us = 0, 0, least(1023, 1 + floor(log(duration_us) / log(1.04)))))]
        COMMENT 'a bucket of durations each, and 1,024 for each further request in it',
    MODIFY COMMENT 'Head of requests: what chunks insert; it keeps nothing, the tables of requests, totals and users take from it';

ALTER TABLE requests_1m{cluster}
    ADD COLUMN IF NOT EXISTS latency SimpleAggregateFunction(groupArrayArray, Array(UInt16)) CODEC(ZSTD(1))
        COMMENT 'a bucket of durations each, and 1,024 for each further request in it';

ALTER TABLE requests_15m{cluster}
    ADD COLUMN IF NOT EXISTS latency SimpleAggregateFunction(groupArrayArray, Array(UInt16)) CODEC(ZSTD(1))
        COMMENT 'a bucket of durations each, and 1,024 for each further request in it';

ALTER TABLE requests_1m_mv{cluster} MODIFY QUERY
SELECT
    tenant, minute, team_id, agent_id, token_id, user_id, model, operation, currency,
    requests,
    failed,
    duration_us,
    input_tokens,
    output_tokens,
    cache_read_input_tokens,
    cache_creation_input_tokens,
    reasoning_output_tokens,
    unmetered,
    toDecimal128(cost_nanos, 9) / 1000000000 AS cost,
    latency
FROM requests_in;

ALTER TABLE requests_15m_mv{cluster} MODIFY QUERY
SELECT
    tenant, toStartOfFifteenMinutes(minute) AS quarter,
    team_id, agent_id, token_id, user_id, model, operation, currency,
    minute AS first_minute,
    minute AS last_minute,
    requests,
    failed,
    duration_us,
    input_tokens,
    output_tokens,
    cache_read_input_tokens,
    cache_creation_input_tokens,
    reasoning_output_tokens,
    unmetered,
    toDecimal128(cost_nanos, 9) / 1000000000 AS cost,
    latency
FROM requests_in;

ALTER TABLE totals_15m_mv{cluster} MODIFY QUERY
SELECT
    tenant, toStartOfFifteenMinutes(minute) AS quarter, currency,
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
    unmetered,
    toDecimal128(cost_nanos, 9) / 1000000000 AS cost
FROM requests_in;

ALTER TABLE users_1d_mv{cluster} MODIFY QUERY
SELECT
    tenant, user_id, toDate(minute, 'UTC') AS day, team_id, agent_id, token_id, currency,
    minute AS first_minute,
    minute AS last_minute,
    requests,
    input_tokens,
    output_tokens,
    toDecimal128(cost_nanos, 9) / 1000000000 AS cost
FROM requests_in;

ALTER TABLE users_1mo_mv{cluster} MODIFY QUERY
SELECT
    tenant, user_id, toStartOfMonth(minute) AS month, team_id, agent_id, token_id, currency,
    minute AS first_minute,
    minute AS last_minute,
    requests,
    input_tokens,
    output_tokens,
    toDecimal128(cost_nanos, 9) / 1000000000 AS cost
FROM requests_in;

-- What was counted before stays where it is, until it has aged.
ALTER TABLE latency_1m{cluster}
    MODIFY COMMENT 'Histogram of durations by minute, of requests that were counted before requests_1m had latency';

ALTER TABLE latency_15m{cluster}
    MODIFY COMMENT 'Histogram of durations by quarter of an hour, of requests that were counted before requests_15m had latency';

DROP VIEW IF EXISTS latency_1m_mv{cluster} SYNC;

DROP VIEW IF EXISTS latency_15m_mv{cluster} SYNC;

-- Not much over half the bytes, for no more CPU: counts take the bits that they need, times what they differ by; what
-- no view reads over long ranges is ZSTD. Parts that are there get it as they are merged.
ALTER TABLE requests_1m{cluster}
    MODIFY COLUMN tenant CODEC(ZSTD(1)),
    MODIFY COLUMN team_id CODEC(ZSTD(1)),
    MODIFY COLUMN agent_id CODEC(ZSTD(1)),
    MODIFY COLUMN token_id CODEC(ZSTD(1)),
    MODIFY COLUMN user_id CODEC(ZSTD(1)),
    MODIFY COLUMN model CODEC(ZSTD(1)),
    MODIFY COLUMN operation CODEC(ZSTD(1)),
    MODIFY COLUMN currency CODEC(ZSTD(1)),
    MODIFY COLUMN cost CODEC(ZSTD(1)),
    MODIFY COLUMN minute CODEC(Delta, LZ4),
    MODIFY COLUMN requests CODEC(T64, LZ4),
    MODIFY COLUMN failed CODEC(T64, LZ4),
    MODIFY COLUMN duration_us CODEC(T64, LZ4),
    MODIFY COLUMN input_tokens CODEC(T64, LZ4),
    MODIFY COLUMN output_tokens CODEC(T64, LZ4),
    MODIFY COLUMN cache_read_input_tokens CODEC(T64, LZ4),
    MODIFY COLUMN cache_creation_input_tokens CODEC(T64, LZ4),
    MODIFY COLUMN reasoning_output_tokens CODEC(T64, LZ4),
    MODIFY COLUMN unmetered CODEC(T64, LZ4);

ALTER TABLE requests_15m{cluster}
    MODIFY COLUMN team_id CODEC(ZSTD(1)),
    MODIFY COLUMN agent_id CODEC(ZSTD(1)),
    MODIFY COLUMN token_id CODEC(ZSTD(1)),
    MODIFY COLUMN quarter CODEC(Delta, LZ4),
    MODIFY COLUMN first_minute CODEC(Delta, LZ4),
    MODIFY COLUMN last_minute CODEC(Delta, LZ4),
    MODIFY COLUMN requests CODEC(T64, LZ4),
    MODIFY COLUMN failed CODEC(T64, LZ4),
    MODIFY COLUMN duration_us CODEC(T64, LZ4),
    MODIFY COLUMN input_tokens CODEC(T64, LZ4),
    MODIFY COLUMN output_tokens CODEC(T64, LZ4),
    MODIFY COLUMN cache_read_input_tokens CODEC(T64, LZ4),
    MODIFY COLUMN cache_creation_input_tokens CODEC(T64, LZ4),
    MODIFY COLUMN reasoning_output_tokens CODEC(T64, LZ4),
    MODIFY COLUMN unmetered CODEC(T64, LZ4);

ALTER TABLE totals_15m{cluster}
    MODIFY COLUMN quarter CODEC(Delta, LZ4),
    MODIFY COLUMN requests CODEC(T64, LZ4),
    MODIFY COLUMN failed CODEC(T64, LZ4),
    MODIFY COLUMN completions CODEC(T64, LZ4),
    MODIFY COLUMN completions_us CODEC(T64, LZ4),
    MODIFY COLUMN embeddings CODEC(T64, LZ4),
    MODIFY COLUMN embeddings_us CODEC(T64, LZ4),
    MODIFY COLUMN input_tokens CODEC(T64, LZ4),
    MODIFY COLUMN output_tokens CODEC(T64, LZ4),
    MODIFY COLUMN cache_read_input_tokens CODEC(T64, LZ4),
    MODIFY COLUMN cache_creation_input_tokens CODEC(T64, LZ4),
    MODIFY COLUMN reasoning_output_tokens CODEC(T64, LZ4),
    MODIFY COLUMN unmetered CODEC(T64, LZ4);

ALTER TABLE users_1d{cluster}
    MODIFY COLUMN day CODEC(Delta, LZ4),
    MODIFY COLUMN first_minute CODEC(Delta, LZ4),
    MODIFY COLUMN last_minute CODEC(Delta, LZ4),
    MODIFY COLUMN requests CODEC(T64, LZ4),
    MODIFY COLUMN input_tokens CODEC(T64, LZ4),
    MODIFY COLUMN output_tokens CODEC(T64, LZ4);

ALTER TABLE users_1mo{cluster}
    MODIFY COLUMN month CODEC(Delta, LZ4),
    MODIFY COLUMN first_minute CODEC(Delta, LZ4),
    MODIFY COLUMN last_minute CODEC(Delta, LZ4),
    MODIFY COLUMN requests CODEC(T64, LZ4),
    MODIFY COLUMN input_tokens CODEC(T64, LZ4),
    MODIFY COLUMN output_tokens CODEC(T64, LZ4);
