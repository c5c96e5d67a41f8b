-- Amounts of different currencies are never added; unpriced requests cost nothing.
CREATE OR REPLACE VIEW cost_trend{cluster} AS
SELECT _started(place) AS bucket, CAST(currency, 'String') AS currency, sum(cost) AS cost
FROM
(
    SELECT _bucket(time) AS place, currency, cost
    FROM _totals()
    -- so that a wrong grain, and too many minutes, are refused
    WHERE (SELECT count() FROM _times()) > 0
)
GROUP BY bucket, currency
HAVING cost != 0
ORDER BY bucket, currency
COMMENT 'C1 C2
Cost over time, by currency.
cost currency';
