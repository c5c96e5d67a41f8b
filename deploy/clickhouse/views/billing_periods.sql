-- The billing periods of each tenant that stands: the running one, and those before it.
CREATE OR REPLACE VIEW billing_periods{cluster} AS
WITH
    toInt64(toUnixTimestamp(toStartOfMinute({as_of:DateTime('UTC')}))) AS instant,
    least({periods:UInt32}, 1700) AS wanted,
    (SELECT toInt64(toUnixTimestamp(max(newest_event))) FROM as_of) AS newest
SELECT
    tenant,
    toDate(begun.1) AS period,
    toDateTime64(begun.2, 3, 'UTC') AS since,
    toDateTime64(begun.3, 3, 'UTC') AS until,
    ifNull(newest, 0) >= begun.3 AS closed
FROM
(
    SELECT
        tenant,
        arraySort(groupArray((first_day, starts))) AS days,
        -- (first day, its start, the next one's start), the running one last
        arrayFilter(one -> one.2 <= instant, arrayMap(
            (one, next) -> (one.1, one.2, next.2), arrayPopBack(days), arrayPopFront(days))) AS periods
    FROM
    (
        SELECT
            tenant,
            first_day,
            -- The first instant whose local time is the day's midnight or later.
            greatest(o.since, midnight - o.utc_offset) AS starts
        FROM
        (
            SELECT
                tenant,
                zone,
                arrayJoin(arrayMap(back -> addMonths(this_month, 1 - back), range(toUInt64(wanted) + 3))) AS month,
                month + (least(anchor, toDayOfMonth(toLastDayOfMonth(month))) - 1) AS first_day,
                toInt64(toInt32(first_day)) * 86400 AS midnight
            FROM
            (
                SELECT
                    registered.tenant AS tenant,
                    offsets.zone AS zone,
                    if(registered.anchor = 0, 1, registered.anchor) AS anchor,
                    toDate32(toStartOfMonth(toDateTime(instant + offsets.utc_offset, 'UTC'))) AS this_month
                FROM
                (
                    SELECT
                        tenant,
                        billing_anchor_day AS anchor,
                        if(timezone IN (SELECT zone FROM _zones), timezone, 'UTC') AS zone
                    FROM _registry(until = {as_of:DateTime('UTC')}, entity = 'tenant')
                    WHERE NOT deleted AND entity_id = tenant
                ) AS registered
                INNER JOIN
                (
                    SELECT zone, argMax(utc_offset, since) AS utc_offset FROM _zones WHERE since <= instant GROUP BY zone
                ) AS offsets ON offsets.zone = registered.zone
            )
        ) AS asked
        ASOF JOIN _zones AS o ON o.zone = asked.zone AND asked.midnight < o.reached
    )
    GROUP BY tenant
)
ARRAY JOIN arraySlice(periods, -toInt64(wanted)) AS begun
WHERE wanted > 0 AND begun.1 >= toDate32('1970-01-01')
ORDER BY tenant, period
COMMENT 'C5
When each organization is billed: its running period and those before it, by its own anchor day and zone.
';
