-- Of one token from the finest rows, of all from those by tenant.
CREATE OR REPLACE VIEW requests_over_time{cluster} AS
SELECT
    _started(place) AS bucket,
    sum(n) AS requests,
    sum(failed) AS failed_requests,
    sum(input) AS input_tokens,
    sum(output) AS output_tokens
FROM
(
    SELECT _bucket(time) AS place, n, failed, input, output
    FROM
    (
        SELECT time, 0 AS n, 0 AS failed, 0 AS input, 0 AS output
        FROM _times()
        UNION ALL
        SELECT time, requests AS n, failed, input_tokens AS input, output_tokens AS output
        FROM _totals_by_token()
    )
)
GROUP BY bucket
ORDER BY bucket
COMMENT 'D2
Requests, failures and tokens over time.
requests requests, failed_requests requests, input_tokens tokens, output_tokens tokens';
