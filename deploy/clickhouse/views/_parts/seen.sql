-- The time of the newest counted event of all, to the quarter hour: no month ends within one. The rollups know
-- theirs from their partitions; the change log has a projection of one row per part for it.
PART _newest AS
SELECT max(quarter) AS newest
FROM
(
    SELECT max(quarter) AS quarter FROM requests_15m
    UNION ALL
    SELECT max(quarter) AS quarter FROM tasks_15m
    UNION ALL
    SELECT max(quarter) AS quarter FROM events_15m
    UNION ALL
    SELECT toStartOfFifteenMinutes(toDateTime(max(time), 'UTC')) AS quarter FROM entities
);

-- When each tenant sent a request, an action or a product event in the week before as_of.
PART _seen_lately AS
WITH
    toStartOfMinute({as_of:DateTime('UTC')}) AS stop,
    toStartOfFifteenMinutes(stop) AS last_quarter,
    if(last_quarter < 604800, toDateTime(0, 'UTC'), last_quarter - INTERVAL 7 DAY) AS start,
    _kept_from() AS kept
SELECT tenant, max(last_minute) AS seen FROM requests_15m
WHERE quarter >= start AND quarter < last_quarter GROUP BY tenant
UNION ALL
SELECT tenant, max(last_minute) AS seen FROM tasks_15m
WHERE quarter >= start AND quarter < last_quarter GROUP BY tenant
UNION ALL
SELECT tenant, max(last_minute) AS seen FROM events_15m
WHERE quarter >= start AND quarter < last_quarter GROUP BY tenant
UNION ALL
SELECT tenant, max(minute) AS seen FROM requests_1m
WHERE minute >= last_quarter AND minute < stop AND minute >= kept GROUP BY tenant
UNION ALL
SELECT tenant, max(minute) AS seen FROM tasks_1m
WHERE minute >= last_quarter AND minute < stop AND minute >= kept GROUP BY tenant
UNION ALL
SELECT tenant, max(minute) AS seen FROM events_1m
WHERE minute >= last_quarter AND minute < stop AND minute >= kept GROUP BY tenant;

-- Every tenant that sent a request, an action or a product event before as_of; some more than once.
PART _seen AS
WITH
    toStartOfMinute({as_of:DateTime('UTC')}) AS stop,
    toStartOfFifteenMinutes(stop) AS last_quarter
SELECT tenant FROM totals_15m
WHERE quarter < last_quarter AND _of_tenant() GROUP BY tenant
UNION ALL
SELECT tenant FROM requests_15m
WHERE quarter = last_quarter AND first_minute < stop AND _of_tenant() GROUP BY tenant
UNION ALL
SELECT tenant FROM tasks_15m
WHERE quarter <= last_quarter AND first_minute < stop AND _of_tenant() GROUP BY tenant
UNION ALL
SELECT tenant FROM events_15m
WHERE quarter <= last_quarter AND first_minute < stop AND _of_tenant() GROUP BY tenant;
