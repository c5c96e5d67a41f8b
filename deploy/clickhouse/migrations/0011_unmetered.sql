-- Requests that sent neither token count are counted as such: from the events to the rollups that answer how
-- many tokens there were. Requests counted before this column was there are 0 in it: nobody knows of them.
ALTER TABLE requests_1m{cluster} ADD COLUMN IF NOT EXISTS
    unmetered SimpleAggregateFunction(sum, UInt64) COMMENT 'requests with neither token count'
    AFTER reasoning_output_tokens;

ALTER TABLE requests_15m{cluster} ADD COLUMN IF NOT EXISTS
    unmetered SimpleAggregateFunction(sum, UInt64) COMMENT 'requests with neither token count'
    AFTER reasoning_output_tokens;

ALTER TABLE totals_15m{cluster} ADD COLUMN IF NOT EXISTS
    unmetered SimpleAggregateFunction(sum, UInt64) COMMENT 'requests with neither token count'
    AFTER reasoning_output_tokens;

ALTER TABLE requests_in{cluster} ADD COLUMN IF NOT EXISTS
    unmetered UInt8 COMMENT '1: neither token count was sent'
    AFTER reasoning_output_tokens;

ALTER TABLE requests_1m_mv{cluster} MODIFY QUERY
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
    unmetered,
    toDecimal128(cost_nanos, 9) / 1000000000 AS cost
FROM requests_in;

ALTER TABLE requests_15m_mv{cluster} MODIFY QUERY
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
    unmetered,
    toDecimal128(cost_nanos, 9) / 1000000000 AS cost
FROM requests_in;

ALTER TABLE totals_15m_mv{cluster} MODIFY QUERY
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
    unmetered,
    toDecimal128(cost_nanos, 9) / 1000000000 AS cost
FROM requests_in;
