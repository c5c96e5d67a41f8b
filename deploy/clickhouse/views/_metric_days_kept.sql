-- Which days that were added up before hold: those of weeks of which product_events has as many rows now, and has not
-- begun to forget. Of two fillings that brought the same it is one, of one that is there twice none. What it gives is
-- what _metric_values_days takes, and how many events that spares.
CREATE OR REPLACE VIEW _metric_days_kept{cluster} AS
SELECT
    arrayStringConcat(arrayMap(one -> toString(one), groupUniqArray(filling) AS found), ',') AS made,
    -- About, for a day costs as much as an event or less: it only decides which way is asked.
    (
        SELECT toUInt64(greatest(0, toInt64(sum(events)) - toInt64(count())))
        FROM metric_days
        WHERE NOT head
            AND asks IN (SELECT _asks() FROM _chosen())
            AND _of_tenant()
            AND day > toDate(_until() - toIntervalDay(2 * (SELECT max(d.interval_days) FROM _chosen())))
    ) AS spared
FROM
(
    SELECT filling, asks, min(best) OVER (PARTITION BY filling) AS whole
    FROM
    (
        SELECT
            filling,
            asks,
            filling = max(filling) OVER (PARTITION BY asks, week)
                AND count() OVER (PARTITION BY asks, week, filling) = 1 AS best
        FROM metric_days
        WHERE head
            AND week > toDate(_until() - toIntervalDay(180 + 7)) AND week <= toDate(_until())
            AND ({keep_product_events} = 0 OR week > toDate(now('UTC')) - {keep_product_events})
            AND (week, made_of) IN (SELECT toMonday(time) AS at, count() FROM product_events GROUP BY at)
    )
)
WHERE whole AND asks IN (SELECT _asks() FROM _chosen())
COMMENT '
Which days of user-defined metrics that were added up before still hold.
spared events';
