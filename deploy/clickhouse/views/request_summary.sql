-- No requests, no response time: NULL, not 0. Quantiles are of buckets 4 % wide.
CREATE OR REPLACE VIEW request_summary{cluster} AS
SELECT
    counted.requests AS requests,
    counted.failed_requests AS failed_requests,
    counted.unmetered_requests AS unmetered_requests,
    if(completions = 0, NULL, completions_us / completions / 1000) AS completion_ms_avg,
    if(timed.completions_timed = 0, NULL, timed.completion_ms[1]) AS completion_ms_p50,
    if(timed.completions_timed = 0, NULL, timed.completion_ms[2]) AS completion_ms_p95,
    if(timed.completions_timed = 0, NULL, timed.completion_ms[3]) AS completion_ms_p99,
    if(embeddings = 0, NULL, embeddings_us / embeddings / 1000) AS embedding_ms_avg,
    if(timed.embeddings_timed = 0, NULL, timed.embedding_ms[1]) AS embedding_ms_p50,
    if(timed.embeddings_timed = 0, NULL, timed.embedding_ms[2]) AS embedding_ms_p95,
    if(timed.embeddings_timed = 0, NULL, timed.embedding_ms[3]) AS embedding_ms_p99,
    counted.input_tokens AS input_tokens,
    counted.output_tokens AS output_tokens,
    counted.input_tokens + counted.output_tokens AS total_tokens,
    counted.cache_read_input_tokens AS cache_read_input_tokens,
    counted.cache_creation_input_tokens AS cache_creation_input_tokens,
    counted.reasoning_output_tokens AS reasoning_output_tokens
FROM
(
    SELECT
        sum(requests) AS requests,
        sum(failed) AS failed_requests,
        sum(unmetered) AS unmetered_requests,
        sum(completions) AS completions,
        sum(toUInt128(completions_us)) AS completions_us,
        sum(embeddings) AS embeddings,
        sum(toUInt128(embeddings_us)) AS embeddings_us,
        sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens,
        sum(cache_read_input_tokens) AS cache_read_input_tokens,
        sum(cache_creation_input_tokens) AS cache_creation_input_tokens,
        sum(reasoning_output_tokens) AS reasoning_output_tokens
    FROM _totals_by_token(grain = '')
) AS counted
CROSS JOIN
(
    SELECT
        sumIf(in_place, _is_of_completions(place)) AS completions_timed,
        sumIf(in_place, _is_of_embeddings(place)) AS embeddings_timed,
        quantilesExactWeightedIf(0.5, 0.95, 0.99)(_middle_ms(place), in_place,
            _is_of_completions(place)) AS completion_ms,
        quantilesExactWeightedIf(0.5, 0.95, 0.99)(_middle_ms(place), in_place,
            _is_of_embeddings(place)) AS embedding_ms
    FROM (SELECT toUInt16(place) AS place, sum(requests) AS in_place FROM _latency() GROUP BY place)
) AS timed
COMMENT 'D3 D4 D5
Requests, failures, those that sent no token count, response times and tokens.
requests requests, failed_requests requests, unmetered_requests requests, completion_ms_avg ms, completion_ms_p50 ms, completion_ms_p95 ms, completion_ms_p99 ms, embedding_ms_avg ms, embedding_ms_p50 ms, embedding_ms_p95 ms, embedding_ms_p99 ms, input_tokens tokens, output_tokens tokens, total_tokens tokens, cache_read_input_tokens tokens, cache_creation_input_tokens tokens, reasoning_output_tokens tokens';
