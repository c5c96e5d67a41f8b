-- A7, A8. Whoever was not seen in the last week is looked up in all that was before it: a few tenants' ranges.
CREATE OR REPLACE VIEW customers{cluster} AS
WITH
    toStartOfFifteenMinutes({as_of:DateTime('UTC')}) AS last_quarter,
    if(last_quarter < 604800, toDateTime(0, 'UTC'), last_quarter - INTERVAL 7 DAY) AS week
SELECT
    tenant,
    max(named) AS name,
    max(external) AS external_id,
    max(subscribed) AS subscription,
    sum(tasks) AS tasks_this_month,
    sum(connected) AS connections,
    sum(running) AS active_recipes,
    sum(known) AS users,
    if(max(seen) = 0, NULL, toDateTime64(max(seen), 3, 'UTC')) AS last_seen
FROM
(
    SELECT
        tenant, true AS listed, name AS named, external_id AS external, subscription AS subscribed,
        0 AS tasks, 0 AS connected, 0 AS running, 0 AS known, toDateTime(0, 'UTC') AS seen
    FROM _tenants(tenant = '')
    WHERE customer AND (SELECT throwIf({tz:String} = '', 'no time zone: name one, such as UTC')) = 0
    UNION ALL
    SELECT tenant, false, '', '', '', sum(tasks), 0, 0, 0, toDateTime(0, 'UTC')
    FROM _tasks(
        since = toDateTime(
            greatest(addMonths(toDate({as_of:DateTime('UTC')}), -1), _available_from()) - 1, 'UTC'
        ),
        until = {as_of:DateTime('UTC')},
        tenant = ''
    )
    WHERE _month(at) >= greatest(_month(toStartOfMinute({as_of:DateTime('UTC')})), _available_from())
    GROUP BY tenant
    UNION ALL
    SELECT tenant, false, '', '', '', 0, count(), 0, 0, toDateTime(0, 'UTC')
    FROM _standing(entity = 'connection', tenant = '')
    GROUP BY tenant
    UNION ALL
    SELECT tenant, false, '', '', '', 0, 0, count(), 0, toDateTime(0, 'UTC')
    FROM _standing(entity = 'recipe', tenant = '')
    GROUP BY tenant
    UNION ALL
    SELECT tenant, false, '', '', '', 0, 0, 0, count(), toDateTime(0, 'UTC')
    FROM _standing(entity = 'user', tenant = '')
    GROUP BY tenant
    UNION ALL
    SELECT tenant, false, '', '', '', 0, 0, 0, 0, seen
    FROM _seen_lately()
    UNION ALL
    SELECT tenant, false, '', '', '', 0, 0, 0, 0, max(last_minute)
    FROM
    (
        SELECT tenant, quarter, last_minute FROM requests_15m
        UNION ALL
        SELECT tenant, quarter, last_minute FROM tasks_15m
        UNION ALL
        SELECT tenant, quarter, last_minute FROM events_15m
    )
    WHERE quarter < week AND tenant IN
    (
        SELECT tenant FROM _tenants(tenant = '')
        WHERE customer AND tenant NOT IN (SELECT tenant FROM _seen_lately())
    )
    GROUP BY tenant
)
GROUP BY tenant
HAVING max(listed)
ORDER BY tenant
COMMENT 'A7 A8
Every customer with what it has and did; registered, not deleted.
tasks_this_month tasks, connections connections, active_recipes recipes, users users';
