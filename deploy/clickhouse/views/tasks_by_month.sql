-- A1. A month is closed once the newest event of all is past it.
CREATE OR REPLACE VIEW tasks_by_month{cluster} AS
WITH
    toStartOfMinute({since:DateTime('UTC')}) AS start,
    toStartOfMinute({until:DateTime('UTC')}) AS stop,
    _month(start) AS first,
    _month(stop - INTERVAL 1 MINUTE) AS last,
    if(start < stop, 1 + greatest(dateDiff('month', first, last), 0), 0) AS length
SELECT
    month,
    if(month < _available_from(), NULL, sum(tasks)) AS tasks,
    month >= _available_from() AS available,
    _month(assumeNotNull((SELECT newest FROM _newest))) > month AS closed
FROM
(
    SELECT _month(at) AS month, sum(tasks) AS tasks
    FROM _tasks()
    WHERE tenant NOT IN
    (
        SELECT tenant FROM _admins(as_of = {until:DateTime('UTC')})
    )
    GROUP BY month
    UNION ALL
    SELECT arrayJoin(arrayMap(n -> addMonths(first, n), range(toUInt64(length)))) AS month, 0 AS tasks
    WHERE (SELECT throwIf({tz:String} = '', 'no time zone: name one, such as UTC')) = 0
)
GROUP BY month
ORDER BY month
COMMENT 'A1
Tasks in each calendar month of a time zone; not available before October 2020.
tasks tasks';
