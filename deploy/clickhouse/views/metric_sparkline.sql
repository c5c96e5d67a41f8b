-- A bar for each day of the zone that the window touches: the first and the last are cut by the window, so that bars of
-- counts and sums add up to the value shown beside them.
CREATE OR REPLACE VIEW metric_sparkline{cluster} AS
SELECT
    tenant,
    metric_id,
    arrayJoin(arrayFilter(
        one -> one >= _day(_until() - toIntervalDay(interval_days)),
        (
            SELECT arraySort(groupUniqArray(_day(bucket)))
            FROM _buckets(
                grain = 'day',
                since = toDateTime(greatest(0, toInt64(toUnixTimestamp({as_of:DateTime('UTC')})) - 7776000), 'UTC'),
                until = {as_of:DateTime('UTC')})
        )
    )) AS day,
    if(has(days, day), amounts[indexOf(days, day)].1, _of_nothing(calculation)) AS value
FROM
(
    SELECT tenant, metric_id, groupArray(day) AS days, groupArray(tuple(amount)) AS amounts
    FROM
    (
        SELECT CAST(tenant, 'String') AS tenant, metric_id, _day(time) AS day, _calculated() AS amount
        FROM _all_matching(_chosen)
        WHERE current
        GROUP BY tenant, metric_id, day
        UNION ALL
        SELECT CAST(tenant, 'String') AS tenant, metric_id, _day(time) AS day, _added_up() AS amount
        FROM _all_summed(_chosen)
        WHERE current
        GROUP BY tenant, metric_id, day
    )
    GROUP BY tenant, metric_id
) AS w
INNER JOIN (SELECT metric_id, calculation, interval_days FROM _chosen()) AS m ON w.metric_id = m.metric_id
ORDER BY metric_id, tenant, day
COMMENT 'B3
User-defined metrics day by day of a zone, over their own windows.
value the metric''s';
