-- The newest counted event of each type, and the newest arrival of one, to the minute. They are found from
-- the ends of the tables' orders and partitions; entities are few.
CREATE OR REPLACE VIEW as_of{cluster} AS
SELECT
    type,
    toDateTime64(event, 3, 'UTC') AS newest_event,
    toDateTime64(assumeNotNull(arrival), 3, 'UTC') AS newest_arrival
FROM
(
    SELECT 'usage.request.v1' AS type, max(last_minute) AS event,
    (
        SELECT minute FROM partitions_1m WHERE events > 0 AND type = 'usage.request.v1' AND outcome = 'counted'
        ORDER BY minute DESC LIMIT 1
    ) AS arrival
    FROM requests_15m WHERE quarter = (SELECT max(quarter) FROM requests_15m)
    HAVING count() > 0
    UNION ALL
    SELECT 'usage.recipe_action.v1' AS type, max(last_minute) AS event,
    (
        SELECT minute FROM partitions_1m WHERE events > 0 AND type = 'usage.recipe_action.v1' AND outcome = 'counted'
        ORDER BY minute DESC LIMIT 1
    ) AS arrival
    FROM tasks_15m WHERE quarter = (SELECT max(quarter) FROM tasks_15m)
    HAVING count() > 0
    UNION ALL
    SELECT 'usage.event.v1' AS type, max(last_minute) AS event,
    (
        SELECT minute FROM partitions_1m WHERE events > 0 AND type = 'usage.event.v1' AND outcome = 'counted'
        ORDER BY minute DESC LIMIT 1
    ) AS arrival
    FROM events_15m WHERE quarter = (SELECT max(quarter) FROM events_15m)
    HAVING count() > 0
    UNION ALL
    SELECT 'usage.entity.v1' AS type, toStartOfMinute(toDateTime(max(time), 'UTC')) AS event,
    (
        SELECT minute FROM partitions_1m WHERE events > 0 AND type = 'usage.entity.v1' AND outcome = 'counted'
        ORDER BY minute DESC LIMIT 1
    ) AS arrival
    FROM entities
    HAVING count() > 0
)
WHERE arrival IS NOT NULL
ORDER BY type
COMMENT 'all
How fresh every answer is: the newest counted event of each type, and its newest arrival.
';
