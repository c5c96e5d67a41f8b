-- Users of a day or longer come from the days of UTC, of an hour or a minute from the finest rows.
CREATE OR REPLACE VIEW usage_trend{cluster} AS
SELECT _started(place) AS bucket, sum(n) AS interactions, sum(users) AS active_users
FROM
(
    SELECT place, 0::UInt64 AS n, 0::UInt64 AS users
    FROM _buckets()
    UNION ALL
    SELECT
        _bucket(time) AS place,
        sum(requests) AS n,
        0::UInt64 AS users
    FROM _totals()
    GROUP BY place
    UNION ALL
    -- A user is in the buckets of a row's first and last minute: no row of a day has a third.
    SELECT
        arrayJoin(if(empty(later), places, arrayDistinct(arrayConcat(places, later)))) AS place,
        0::UInt64 AS n,
        count() AS users
    FROM
    (
        SELECT groupUniqArray(in_first) AS places, groupUniqArrayIf(in_last, in_last != in_first) AS later
        FROM
        (
            SELECT
                _user_number() AS user_number,
                _bucket(first_minute) AS in_first,
                _bucket(last_minute) AS in_last
            FROM _user_days()
            WHERE user_id != '' AND {grain:String} IN ('day', 'week', 'month')
        )
        GROUP BY user_number
    )
    GROUP BY place
    UNION ALL
    SELECT
        _short_bucket(time) AS place,
        0::UInt64 AS n,
        uniqExact(user_id) AS users
    FROM _requests()
    WHERE user_id != '' AND {grain:String} NOT IN ('day', 'week', 'month')
    GROUP BY place, tenant
)
GROUP BY bucket
ORDER BY bucket
COMMENT 'C1 C2
Interactions and active users over time.
interactions requests, active_users users';
