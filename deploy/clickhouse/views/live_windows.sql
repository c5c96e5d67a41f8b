-- What each tenant did in the windows that end at as_of; '' is all tenants. The month is the tenant's own.
CREATE OR REPLACE VIEW live_windows{cluster} AS
WITH
    toStartOfMinute({as_of:DateTime('UTC')}) AS until,
    _kept_from() AS kept,
    toStartOfFifteenMinutes(until) AS last_quarter,
    until - toIntervalHour(1) AS hour,
    -- the first quarter hour that lies in the hour
    toStartOfFifteenMinutes(hour + toIntervalMinute(14)) AS hour_quarter,
    toUnixTimestamp(toStartOfMonth(until)::DateTime('UTC')) AS utc_month,
    -- the tenants whose month begins at another instant than that of UTC
    (
        SELECT (groupArray(tenant), groupArray(toUnixTimestamp(month_since)))
        FROM _registry(until = {as_of:DateTime('UTC')}, entity = 'tenant') AS registered
        INNER JOIN _zone_months() AS months ON months.zone = registered.timezone
        WHERE entity_id = tenant AND toUnixTimestamp(month_since) != utc_month
    ) AS own_months,
    toDateTime(arrayMin(arrayPushBack(own_months.2, utc_month)), 'UTC') AS first_month
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
            minute >= until - toIntervalMinute(1) AS in_1m,
            minute >= until - toIntervalMinute(5) AS in_5m,
            minute < hour_quarter OR minute >= last_quarter AS in_1h,
            minute >= last_quarter AS in_month
        FROM requests_1m
        WHERE minute >= greatest(hour, kept) AND minute < until
            AND _of_tenant()
        UNION ALL
        SELECT
            tenant, requests, failed, input_tokens, output_tokens, 0 AS tasks,
            0 AS in_1m, 0 AS in_5m, quarter >= hour_quarter AS in_1h,
            toUnixTimestamp(quarter) >= transform(tenant, own_months.1, own_months.2, utc_month) AS in_month
        FROM totals_15m
        WHERE quarter >= least(first_month, hour_quarter) AND quarter < last_quarter
            AND _of_tenant()
        UNION ALL
        SELECT
            tenant, 0 AS requests, 0 AS failed, 0 AS input_tokens, 0 AS output_tokens, tasks,
            minute >= until - toIntervalMinute(1) AS in_1m,
            minute >= until - toIntervalMinute(5) AS in_5m,
            minute < hour_quarter OR minute >= last_quarter AS in_1h,
            minute >= last_quarter AS in_month
        FROM tasks_1m
        WHERE minute >= greatest(hour, kept) AND minute < until
            AND _of_tenant()
        UNION ALL
        SELECT
            tenant, 0 AS requests, 0 AS failed, 0 AS input_tokens, 0 AS output_tokens, tasks,
            0 AS in_1m, 0 AS in_5m, quarter >= hour_quarter AS in_1h,
            toUnixTimestamp(quarter) >= transform(tenant, own_months.1, own_months.2, utc_month) AS in_month
        FROM tasks_15m
        WHERE quarter >= least(first_month, hour_quarter) AND quarter < last_quarter
            AND _of_tenant()
        UNION ALL
        -- every tenant that did anything before: rows of zeros
        SELECT DISTINCT
            tenant, 0 AS requests, 0 AS failed, 0 AS input_tokens, 0 AS output_tokens, 0 AS tasks,
            0 AS in_1m, 0 AS in_5m, 0 AS in_1h, 0 AS in_month
        FROM totals_15m
        WHERE quarter < last_quarter
            AND _of_tenant()
        UNION ALL
        SELECT DISTINCT
            tenant, 0 AS requests, 0 AS failed, 0 AS input_tokens, 0 AS output_tokens, 0 AS tasks,
            0 AS in_1m, 0 AS in_5m, 0 AS in_1h, 0 AS in_month
        FROM requests_15m
        WHERE quarter = last_quarter AND first_minute < until
            AND _of_tenant()
        UNION ALL
        SELECT DISTINCT
            tenant, 0 AS requests, 0 AS failed, 0 AS input_tokens, 0 AS output_tokens, 0 AS tasks,
            0 AS in_1m, 0 AS in_5m, 0 AS in_1h, 0 AS in_month
        FROM tasks_15m
        WHERE quarter < until AND first_minute < until
            AND _of_tenant()
    )
    GROUP BY tenant
)
ARRAY JOIN rows AS row
ORDER BY tenant, row.1
COMMENT 'L1
What each organization did in the last minute, five minutes, hour, and in its own calendar month.
requests requests, failed_requests requests, input_tokens tokens, output_tokens tokens, tasks tasks';
