-- Rows of requests come with keys of their own and are no longer added up as parts are written
-- (docs/decisions/insert-path.md). What a tenant's quarter hour comes to is, while a block is taken apart: it is few of
-- the block's rows, and would else be all of them until they are merged.
-- (First attached, for this may have been stopped while it was detached.)
ATTACH TABLE IF NOT EXISTS totals_15m_mv{cluster};

ALTER TABLE totals_15m_mv{cluster} MODIFY QUERY
SELECT
    tenant, quarter, currency,
    sum(requests_) AS requests,
    sum(failed_) AS failed,
    sum(if(is_completion, requests_, 0)) AS completions,
    sum(if(is_completion, duration_us, 0)) AS completions_us,
    sum(if(is_embedding, requests_, 0)) AS embeddings,
    sum(if(is_embedding, duration_us, 0)) AS embeddings_us,
    sum(input_tokens_) AS input_tokens,
    sum(output_tokens_) AS output_tokens,
    sum(cache_read_input_tokens_) AS cache_read_input_tokens,
    sum(cache_creation_input_tokens_) AS cache_creation_input_tokens,
    sum(reasoning_output_tokens_) AS reasoning_output_tokens,
    sum(unmetered_) AS unmetered,
    sum(cost_) AS cost
FROM
(
    SELECT
        tenant, toStartOfFifteenMinutes(minute) AS quarter, currency,
        operation IN ('chat', 'text_completion', 'generate_content') AS is_completion,
        operation = 'embeddings' AS is_embedding,
        duration_us,
        requests AS requests_,
        failed AS failed_,
        input_tokens AS input_tokens_,
        output_tokens AS output_tokens_,
        cache_read_input_tokens AS cache_read_input_tokens_,
        cache_creation_input_tokens AS cache_creation_input_tokens_,
        reasoning_output_tokens AS reasoning_output_tokens_,
        unmetered AS unmetered_,
        toDecimal128(cost_nanos, 9) / 1000000000 AS cost_
    FROM requests_in
)
GROUP BY tenant, quarter, currency;

DETACH TABLE IF EXISTS totals_15m_mv{cluster};
ATTACH TABLE IF NOT EXISTS totals_15m_mv{cluster};
