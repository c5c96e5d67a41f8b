-- The live windows, and the ledger as people and programs ask for it. Plain views: they read the rollups
-- and change no insert.
--
-- Parameters lose their seconds. A range is answered from the quarter hours that lie in it, and from minutes
-- at its two ends: so it is exact while minute rows are kept, and what the quarter hours say after that.

-- What each tenant did in the windows that end at as_of; '' is all tenants.
CREATE VIEW IF NOT EXISTS live_windows{cluster} AS
WITH
    toStartOfMinute({as_of:DateTime('UTC')}) AS until,
    toStartOfFifteenMinutes(until) AS last_quarter,
    until - INTERVAL 1 HOUR AS hour,
    -- the first quarter hour that lies in the hour
    toStartOfFifteenMinutes(hour + INTERVAL 14 MINUTE) AS hour_quarter,
    -- The tenant's own calendar month: of UTC, as long as nothing knows a tenant's zone.
    toStartOfMonth(until)::DateTime('UTC') AS month
SELECT
    CAST(tenant, 'String') AS tenant,
    row.2 AS window,
    row.3 AS requests,
    row.4 AS failed_requests,
    row.5 AS input_tokens,
    row.6 AS output_tokens,
    row.7 AS tasks
FROM
(
    SELECT
        tenant,
        [
            (1, '1m', sumIf(requests, in_1m), sumIf(failed, in_1m),
             sumIf(input_tokens, in_1m), sumIf(output_tokens, in_1m), sumIf(tasks, in_1m)),
            (2, '5m', sumIf(requests, in_5m), sumIf(failed, in_5m),
             sumIf(input_tokens, in_5m), sumIf(output_tokens, in_5m), sumIf(tasks, in_5m)),
            (3, '1h', sumIf(requests, in_1h), sumIf(failed, in_1h),
             sumIf(input_tokens, in_1h), sumIf(output_tokens, in_1h), sumIf(tasks, in_1h)),
            (4, 'month', sumIf(requests, in_month), sumIf(failed, in_month),
             sumIf(input_tokens, in_month), sumIf(output_tokens, in_month), sumIf(tasks, in_month))
        ] AS rows
    FROM
    (
        SELECT
            tenant, requests, failed, input_tokens, output_tokens, 0 AS tasks,
            minute >= until - INTERVAL 1 MINUTE AS in_1m,
            minute >= until - INTERVAL 5 MINUTE AS in_5m,
            minute < hour_quarter OR minute >= last_quarter AS in_1h,
            minute >= last_quarter AS in_month
        FROM requests_1m
        WHERE minute >= hour AND minute < until
            AND ({tenant:String} = '' OR tenant = {tenant:String})
        UNION ALL
        SELECT
            tenant, requests, failed, input_tokens, output_tokens, 0 AS tasks,
            0 AS in_1m, 0 AS in_5m, quarter >= hour_quarter AS in_1h, quarter >= month AS in_month
        FROM requests_15m
        WHERE quarter >= least(month, hour_quarter) AND quarter < last_quarter
            AND ({tenant:String} = '' OR tenant = {tenant:String})
        UNION ALL
        SELECT
            tenant, 0 AS requests, 0 AS failed, 0 AS input_tokens, 0 AS output_tokens, tasks,
            minute >= until - INTERVAL 1 MINUTE AS in_1m,
            minute >= until - INTERVAL 5 MINUTE AS in_5m,
            minute < hour_quarter OR minute >= last_quarter AS in_1h,
            minute >= last_quarter AS in_month
        FROM tasks_1m
        WHERE minute >= hour AND minute < until
            AND ({tenant:String} = '' OR tenant = {tenant:String})
        UNION ALL
        SELECT
            tenant, 0 AS requests, 0 AS failed, 0 AS input_tokens, 0 AS output_tokens, tasks,
            0 AS in_1m, 0 AS in_5m, quarter >= hour_quarter AS in_1h, quarter >= month AS in_month
        FROM tasks_15m
        WHERE quarter >= least(month, hour_quarter) AND quarter < last_quarter
            AND ({tenant:String} = '' OR tenant = {tenant:String})
        UNION ALL
        -- every tenant that did anything before: rows of zeros
        SELECT DISTINCT
            tenant, 0 AS requests, 0 AS failed, 0 AS input_tokens, 0 AS output_tokens, 0 AS tasks,
            0 AS in_1m, 0 AS in_5m, 0 AS in_1h, 0 AS in_month
        FROM requests_15m
        WHERE quarter < until AND first_minute < until
            AND ({tenant:String} = '' OR tenant = {tenant:String})
        UNION ALL
        SELECT DISTINCT
            tenant, 0 AS requests, 0 AS failed, 0 AS input_tokens, 0 AS output_tokens, 0 AS tasks,
            0 AS in_1m, 0 AS in_5m, 0 AS in_1h, 0 AS in_month
        FROM tasks_15m
        WHERE quarter < until AND first_minute < until
            AND ({tenant:String} = '' OR tenant = {tenant:String})
    )
    GROUP BY tenant
)
ARRAY JOIN rows AS row
ORDER BY tenant, row.1;

-- What became of the events whose record's timestamp lies in [since, until).
CREATE VIEW IF NOT EXISTS ledger{cluster} AS
SELECT
    CAST(topic, 'String') AS topic,
    partition,
    counted + duplicate + rejected AS received,
    sumIf(events, outcome = 'counted') AS counted,
    sumIf(events, outcome = 'duplicate') AS duplicate,
    sumIf(events, outcome = 'rejected') AS rejected,
    sumIf(events, outcome = 'skipped') AS skipped
FROM outcomes_1m
WHERE minute >= toStartOfMinute({since:DateTime('UTC')})
    AND minute < toStartOfMinute({until:DateTime('UTC')})
GROUP BY topic, partition
ORDER BY topic, partition;

-- The same by tenant; of a record that names none, or no type that can be read, they are ''.
CREATE VIEW IF NOT EXISTS ledger_by_tenant{cluster} AS
SELECT
    CAST(tenant, 'String') AS tenant,
    CAST(type, 'String') AS type,
    sumIf(events, outcome = 'counted') AS counted,
    sumIf(events, outcome = 'duplicate') AS duplicate,
    sumIf(events, outcome = 'rejected') AS rejected
FROM outcomes_1m
WHERE minute >= toStartOfMinute({since:DateTime('UTC')})
    AND minute < toStartOfMinute({until:DateTime('UTC')})
GROUP BY tenant, type
HAVING counted + duplicate + rejected > 0
ORDER BY tenant, type;

-- Why events were rejected, by the record's timestamp.
CREATE VIEW IF NOT EXISTS rejections{cluster} AS
SELECT
    CAST(topic, 'String') AS topic,
    CAST(reason, 'String') AS reason,
    sum(events) AS rejected
FROM outcomes_1m
WHERE outcome = 'rejected'
    AND minute >= toStartOfMinute({since:DateTime('UTC')})
    AND minute < toStartOfMinute({until:DateTime('UTC')})
GROUP BY topic, reason
HAVING rejected > 0
ORDER BY topic, reason;

-- Where the chunks of a log do not tile its offsets, and what retention deleted before it was counted.
-- A row is compared with the greatest end of all rows before it: one inside another is one overlap, and no
-- gap behind it. A log begins with its first chunk.
CREATE VIEW IF NOT EXISTS ledger_gaps{cluster} AS
SELECT
    CAST(topic, 'String') AS topic,
    partition,
    finding.1 AS from_offset,
    finding.2 AS to_offset,
    finding.3 AS kind
FROM
(
    SELECT
        topic, partition, incarnation, a, b, row_kind,
        if(count() OVER before = 0, a, max(b) OVER before) AS reached
    FROM
    (
        -- A ledger row may be there twice until parts are merged.
        SELECT
            topic, partition, incarnation, from_offset AS a,
            argMax(to_offset, recorded_at) AS b, argMax(kind, recorded_at) AS row_kind
        FROM chunks
        GROUP BY topic, partition, incarnation, from_offset
    )
    WINDOW before AS
    (
        PARTITION BY topic, partition, incarnation ORDER BY a
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
)
ARRAY JOIN arrayConcat(
    if(reached < a, [(reached, a, 'gap')], []),
    if(reached > a, [(a, least(b, reached), 'overlap')], []),
    if(row_kind = 'lost', [(a, b, 'lost')], [])
) AS finding
ORDER BY topic, partition, incarnation, from_offset, kind;

-- The newest counted event of each type, and the newest arrival of one, to the minute. Both are found from
-- the ends of the tables' orders and partitions, not by reading them.
CREATE VIEW IF NOT EXISTS as_of{cluster} AS
SELECT
    type,
    toDateTime64(event, 3, 'UTC') AS newest_event,
    toDateTime64(assumeNotNull(arrival), 3, 'UTC') AS newest_arrival
FROM
(
    SELECT 'usage.request.v1' AS type, max(last_minute) AS event,
    (
        SELECT minute FROM outcomes_1m WHERE type = 'usage.request.v1' AND outcome = 'counted'
        ORDER BY minute DESC LIMIT 1
    ) AS arrival
    FROM requests_15m WHERE quarter = (SELECT max(quarter) FROM requests_15m)
    HAVING count() > 0
    UNION ALL
    SELECT 'usage.recipe_action.v1' AS type, max(last_minute) AS event,
    (
        SELECT minute FROM outcomes_1m WHERE type = 'usage.recipe_action.v1' AND outcome = 'counted'
        ORDER BY minute DESC LIMIT 1
    ) AS arrival
    FROM tasks_15m WHERE quarter = (SELECT max(quarter) FROM tasks_15m)
    HAVING count() > 0
)
WHERE arrival IS NOT NULL
ORDER BY type;
