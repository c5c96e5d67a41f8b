-- Amounts of different currencies are never added; unpriced requests have a row without one.
CREATE OR REPLACE VIEW cost_summary{cluster} AS
SELECT
    CAST(currency, 'String') AS currency,
    sum(cost) AS cost,
    sumIf(requests, currency = '') AS unpriced_requests
FROM _totals(grain = '')
GROUP BY currency
HAVING cost != 0 OR unpriced_requests > 0
ORDER BY currency
COMMENT 'C1
What all cost, by currency; unpriced requests in a row without one.
cost currency, unpriced_requests requests';
