-- The greatest values of one property in the running window, and all others together.
CREATE OR REPLACE VIEW metric_breakdown{cluster} AS
SELECT
    tenant,
    metric_id,
    least(place, {k:UInt32} + 1) AS rank,
    if(place > {k:UInt32}, 'other', any(word)) AS key,
    sum(amount) AS value
FROM
(
    SELECT
        tenant, metric_id, word, amount,
        row_number() OVER (PARTITION BY tenant, metric_id ORDER BY amount DESC, word) AS place
    FROM
    (
        SELECT tenant, metric_id, word, assumeNotNull(_calculated()) AS amount
        FROM
        (
            SELECT
                CAST(tenant, 'String') AS tenant, metric_id, _word(_leaf({property:String})) AS word, _added_up()
            FROM _matching(_chosen, 1)
            WHERE calculation IN ('count', 'sum')
            GROUP BY tenant, metric_id, word
        )
    )
)
GROUP BY tenant, metric_id, rank, place > {k:UInt32}
ORDER BY metric_id, tenant, rank
COMMENT 'B2
Which values of one property the counts and sums of a user-defined metric are made of, the greatest first.
value the metric''s';
