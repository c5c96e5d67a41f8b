-- How long a month's requests took, once it is over, by organization and bucket: far fewer counts than the quarter
-- hours have elements. Made with users' months, of what did not come late; what did, a view reads from the quarter
-- hours, as everything on a cluster. Why, and how it is exact: docs/decisions/latency-histogram.md.
CREATE TABLE IF NOT EXISTS latency_1mo{cluster}
(
    tenant LowCardinality(String) COMMENT 'the organization that the event belongs to',
    month Date COMMENT 'of UTC',
    place UInt16 CODEC(Delta, ZSTD(1)) COMMENT 'bucket of durations, and 1,024 for completions or 2,048 for embeddings',
    requests SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4) COMMENT 'how many'
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYear(month)
ORDER BY (tenant, month, place)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Histogram of durations by month, of requests that did not come after it';

-- What there is of before, also of the month that runs: settling adds what is missing. One block under a token, so that
-- it counts once, whoever was killed and goes on in the server. (On a cluster nobody reads it.)
INSERT INTO latency_1mo (tenant, month, place, requests)
SELECT
    tenant, month, kind * 1024 + bitAnd(entry, 1023) AS place, sum(toUInt64(bitShiftRight(entry, 10) + 1)) AS requests
FROM
(
    SELECT
        tenant, toStartOfMonth(quarter) AS month, latency,
        multiIf(operation IN ('chat', 'text_completion', 'generate_content'), 1, operation = 'embeddings', 2, 0) AS kind
    FROM requests_15m
    WHERE late < 2
)
ARRAY JOIN latency AS entry
GROUP BY tenant, month, place
SETTINGS insert_deduplication_token = 'of before', insert_deduplicate = 1, deduplicate_insert = 'enable',
    deduplicate_insert_select = 'enable_even_for_bad_queries', max_insert_threads = 1, min_insert_block_size_bytes = 0,
    min_insert_block_size_rows = 1099511627776, max_insert_block_size = 1099511627776, max_partitions_per_insert_block = 0;
