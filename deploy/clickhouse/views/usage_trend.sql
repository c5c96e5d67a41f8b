-- Users of a day or longer come from the days of UTC, of an hour or a minute from the finest rows.
CREATE OR REPLACE VIEW usage_trend{cluster} AS
SELECT bucket, sum(interactions) AS interactions, sum(active_users) AS active_users
FROM
(
    SELECT bucket, 0::UInt64 AS interactions, 0::UInt64 AS active_users
    FROM _buckets()
    UNION ALL
    SELECT
        _bucket(time) AS bucket,
        sum(requests) AS interactions,
        0::UInt64 AS active_users
    FROM _totals()
    GROUP BY bucket
    UNION ALL
    -- A user is in the buckets of a row's first and last minute: no row of a day has a third.
    SELECT bucket, 0::UInt64 AS interactions, uniqExact(user_id) AS active_users
    FROM
    (
        SELECT
            tenant, user_id,
            _bucket(first_minute) AS in_first,
            _bucket(last_minute) AS in_last,
            arrayJoin(if(in_first = in_last, [in_first], [in_first, in_last])) AS bucket
        FROM _user_days()
        WHERE user_id != '' AND {grain:String} IN ('day', 'week', 'month')
    )
    GROUP BY bucket, tenant
    UNION ALL
    SELECT
        _bucket(time) AS bucket,
        0::UInt64 AS interactions,
        uniqExact(user_id) AS active_users
    FROM _requests()
    WHERE user_id != '' AND {grain:String} NOT IN ('day', 'week', 'month')
    GROUP BY bucket, tenant
)
GROUP BY bucket
ORDER BY bucket
COMMENT 'C1 C2
Interactions and active users over time.
interactions requests, active_users users';
