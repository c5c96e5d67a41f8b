-- Exact money; the parts below add up to this.
CREATE OR REPLACE VIEW billing_by_tenant{cluster} AS
SELECT
    CAST(tenant, 'String') AS tenant,
    CAST(currency, 'String') AS currency,
    sum(cost) AS cost,
    sumIf(requests, currency = '') AS unpriced_requests
FROM _totals(grain = '')
GROUP BY tenant, currency
HAVING cost != 0 OR unpriced_requests > 0
ORDER BY tenant, currency
COMMENT 'C1 C5
What each organization cost, by currency; unpriced requests in a row without one.
cost currency, unpriced_requests requests';
