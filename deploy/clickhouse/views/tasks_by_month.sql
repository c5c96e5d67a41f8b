-- A1. A month is closed once the newest event of all is past it.
CREATE OR REPLACE VIEW tasks_by_month{cluster} AS
SELECT
    month,
    if(month < _available_from(), NULL, sum(counted)) AS tasks,
    month >= _available_from() AS available,
    assumeNotNull((SELECT _month(newest) FROM _newest())) > month AS closed
FROM
(
    SELECT _month(at) AS month, counted
    FROM
    (
        SELECT at, tasks AS counted
        FROM _tasks()
        WHERE tenant NOT IN
        (
            SELECT tenant FROM _admins(as_of = {until:DateTime('UTC')})
        )
        UNION ALL
        -- An instant of every day, and the last: every month has one at least.
        SELECT
            least(
                toStartOfMinute({since:DateTime('UTC')}) + toIntervalDay(number),
                toStartOfMinute({until:DateTime('UTC')}) - toIntervalMinute(1)
            ) AS at,
            0 AS counted
        FROM numbers(toUInt64(greatest(0,
            2 + intDiv(toInt64({until:DateTime('UTC')}) - toInt64({since:DateTime('UTC')}), 86400)
        )))
        WHERE toStartOfMinute({since:DateTime('UTC')}) < toStartOfMinute({until:DateTime('UTC')})
            AND throwIf({tz:String} = '', 'no time zone: name one, such as UTC') = 0
    )
)
GROUP BY month
ORDER BY month
COMMENT 'A1
Tasks in each calendar month of a time zone; not available before October 2020.
tasks tasks';
