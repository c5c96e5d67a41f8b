-- The numbers of requests: rows C1–C5 and D1–D7 of the contract, the live windows with the tenant's own month,
-- and as_of. Plain views: they read the rollups and change no insert.
--
-- A range [since, until), seconds cut off, is answered from the coarsest rows that lie in it: months and days
-- of UTC (users_1mo, users_1d), quarter hours, and minutes at its two ends, where those are still kept; an older
-- end is cut to the quarter hours that lie in the range. Minutes stop being whole one quarter hour after the
-- oldest that is kept. Which view reads what, and why: docs/decisions/usage-views.md.

-- How long minutes are kept: the migrator reads `days` to see whether views must be made anew.
CREATE OR REPLACE VIEW _kept{cluster} AS
SELECT
    {keep_minute_rows} AS days,
    toDateTime(if(days = 0, 0, greatest(0, intDiv(toUnixTimestamp(now()) - days * 86400, 900) * 900 + 900)), 'UTC')
        AS minutes_from;

-- Requests in [since, until), by the finest key. With the grain `minute`, minutes all the way.
PART _requests AS
WITH
    toStartOfMinute({since:DateTime('UTC')}) AS first,
    toStartOfMinute({until:DateTime('UTC')}) AS last,
    toDateTime(if({keep_minute_rows} = 0, 0, greatest(0,
        intDiv(toUnixTimestamp(now()) - {keep_minute_rows} * 86400, 900) * 900 + 900)), 'UTC') AS kept,
    toStartOfFifteenMinutes(first + toIntervalMinute(14)) AS first_quarter,
    if({grain:String} = 'minute', least(toStartOfFifteenMinutes(last), kept), toStartOfFifteenMinutes(last))
        AS last_quarter
SELECT
    tenant, quarter AS time, team_id, agent_id, token_id, user_id, model, operation, currency,
    requests, failed, duration_us, input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, cost
FROM requests_15m
WHERE quarter >= first AND quarter < last_quarter
    AND ({tenant:String} = '' OR tenant = {tenant:String})
UNION ALL
SELECT
    tenant, minute AS time, team_id, agent_id, token_id, user_id, model, operation, currency,
    requests, failed, duration_us, input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, cost
FROM requests_1m
WHERE minute >= greatest(first, kept) AND minute < last
    AND (minute < first_quarter OR minute >= last_quarter)
    AND ({tenant:String} = '' OR tenant = {tenant:String});

-- The same by tenant and currency alone.
PART _totals AS
WITH
    toStartOfMinute({since:DateTime('UTC')}) AS first,
    toStartOfMinute({until:DateTime('UTC')}) AS last,
    toDateTime(if({keep_minute_rows} = 0, 0, greatest(0,
        intDiv(toUnixTimestamp(now()) - {keep_minute_rows} * 86400, 900) * 900 + 900)), 'UTC') AS kept,
    toStartOfFifteenMinutes(first + toIntervalMinute(14)) AS first_quarter,
    if({grain:String} = 'minute', least(toStartOfFifteenMinutes(last), kept), toStartOfFifteenMinutes(last))
        AS last_quarter
SELECT
    tenant, quarter AS time, currency,
    requests, failed, completions, completions_us, embeddings, embeddings_us, input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, cost
FROM totals_15m
WHERE quarter >= first AND quarter < last_quarter
    AND ({tenant:String} = '' OR tenant = {tenant:String})
UNION ALL
SELECT
    tenant, minute AS time, currency,
    requests, failed,
    if(operation IN ('chat', 'text_completion', 'generate_content'), requests, 0) AS completions,
    if(operation IN ('chat', 'text_completion', 'generate_content'), duration_us, 0) AS completions_us,
    if(operation = 'embeddings', requests, 0) AS embeddings,
    if(operation = 'embeddings', duration_us, 0) AS embeddings_us,
    input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, cost
FROM requests_1m
WHERE minute >= greatest(first, kept) AND minute < last
    AND (minute < first_quarter OR minute >= last_quarter)
    AND ({tenant:String} = '' OR tenant = {tenant:String});

-- The same by who did it, day by day. No row crosses a midnight of UTC, so that for zones a row is on the days
-- of its first and its last minute, and on no other.
PART _user_days AS
WITH
    toStartOfMinute({since:DateTime('UTC')}) AS first,
    toStartOfMinute({until:DateTime('UTC')}) AS last,
    toDateTime(if({keep_minute_rows} = 0, 0, greatest(0,
        intDiv(toUnixTimestamp(now()) - {keep_minute_rows} * 86400, 900) * 900 + 900)), 'UTC') AS kept,
    toStartOfFifteenMinutes(first + toIntervalMinute(14)) AS first_quarter,
    toStartOfFifteenMinutes(last) AS last_quarter,
    toDate(first + toIntervalSecond(86399)) AS first_day,
    toDate(last) AS last_day
SELECT
    tenant, user_id, team_id, agent_id, token_id, currency, first_minute, last_minute,
    requests, input_tokens, output_tokens, cost
FROM users_1d
WHERE day >= greatest(first_day, toDate(first)) AND day < last_day
    AND ({tenant:String} = '' OR tenant = {tenant:String})
UNION ALL
SELECT
    tenant, user_id, team_id, agent_id, token_id, currency, first_minute, last_minute,
    requests, input_tokens, output_tokens, cost
FROM requests_15m
WHERE quarter >= first AND quarter < last_quarter
    AND (quarter < toDateTime(first_day, 'UTC') OR quarter >= toDateTime(last_day, 'UTC'))
    AND ({tenant:String} = '' OR tenant = {tenant:String})
UNION ALL
SELECT
    tenant, user_id, team_id, agent_id, token_id, currency, minute AS first_minute, minute AS last_minute,
    requests, input_tokens, output_tokens, cost
FROM requests_1m
WHERE minute >= greatest(first, kept) AND minute < last
    AND (minute < first_quarter OR minute >= last_quarter)
    AND ({tenant:String} = '' OR tenant = {tenant:String});

-- The same, from months of UTC where the range holds whole ones.
PART _users AS
WITH
    toStartOfMinute({since:DateTime('UTC')}) AS first,
    toStartOfMinute({until:DateTime('UTC')}) AS last,
    toDateTime(if({keep_minute_rows} = 0, 0, greatest(0,
        intDiv(toUnixTimestamp(now()) - {keep_minute_rows} * 86400, 900) * 900 + 900)), 'UTC') AS kept,
    toStartOfFifteenMinutes(first + toIntervalMinute(14)) AS first_quarter,
    toStartOfFifteenMinutes(last) AS last_quarter,
    toDate(first + toIntervalSecond(86399)) AS first_day,
    toDate(last) AS last_day,
    toStartOfMonth(addDays(addMonths(first_day, 1), -1)) AS first_month,
    toStartOfMonth(last_day) AS last_month
SELECT
    tenant, user_id, team_id, agent_id, token_id, currency, first_minute, last_minute,
    requests, input_tokens, output_tokens, cost
FROM users_1mo
WHERE month >= greatest(first_month, toDate(first)) AND month < last_month
    AND ({tenant:String} = '' OR tenant = {tenant:String})
UNION ALL
SELECT
    tenant, user_id, team_id, agent_id, token_id, currency, first_minute, last_minute,
    requests, input_tokens, output_tokens, cost
FROM users_1d
WHERE day >= greatest(first_day, toDate(first)) AND day < last_day
    AND (day < first_month OR day >= last_month)
    AND ({tenant:String} = '' OR tenant = {tenant:String})
UNION ALL
SELECT
    tenant, user_id, team_id, agent_id, token_id, currency, first_minute, last_minute,
    requests, input_tokens, output_tokens, cost
FROM requests_15m
WHERE quarter >= first AND quarter < last_quarter
    AND (quarter < toDateTime(first_day, 'UTC') OR quarter >= toDateTime(last_day, 'UTC'))
    AND ({tenant:String} = '' OR tenant = {tenant:String})
UNION ALL
SELECT
    tenant, user_id, team_id, agent_id, token_id, currency, minute AS first_minute, minute AS last_minute,
    requests, input_tokens, output_tokens, cost
FROM requests_1m
WHERE minute >= greatest(first, kept) AND minute < last
    AND (minute < first_quarter OR minute >= last_quarter)
    AND ({tenant:String} = '' OR tenant = {tenant:String});

-- How long requests in [since, until) took.
PART _latency AS
WITH
    toStartOfMinute({since:DateTime('UTC')}) AS first,
    toStartOfMinute({until:DateTime('UTC')}) AS last,
    toDateTime(if({keep_minute_rows} = 0, 0, greatest(0,
        intDiv(toUnixTimestamp(now()) - {keep_minute_rows} * 86400, 900) * 900 + 900)), 'UTC') AS kept,
    toStartOfFifteenMinutes(first + toIntervalMinute(14)) AS first_quarter,
    toStartOfFifteenMinutes(last) AS last_quarter
SELECT kind, token_id, bucket, requests
FROM latency_15m
WHERE quarter >= first AND quarter < last_quarter
    AND ({tenant:String} = '' OR tenant = {tenant:String})
UNION ALL
SELECT kind, token_id, bucket, requests
FROM latency_1m
WHERE minute >= greatest(first, kept) AND minute < last
    AND (minute < first_quarter OR minute >= last_quarter)
    AND ({tenant:String} = '' OR tenant = {tenant:String});

-- The buckets that have a part in [since, until). A wrong grain, and too many minutes, are refused here.
PART _buckets AS
SELECT DISTINCT
    toDateTime(dateTrunc(if({grain:String} IN ('minute', 'hour', 'day', 'week'), {grain:String}, 'month'), time, {tz:String}),
        {tz:String}) AS bucket
FROM
(
    -- Numbers from a table: an array would be a constant of the query's text.
    WITH
        toUInt64(toUnixTimestamp(toStartOfMinute({since:DateTime('UTC')}))) AS first,
        toUInt64(toUnixTimestamp(toStartOfMinute({until:DateTime('UTC')}))) AS last,
        toUInt64(if({grain:String} = 'minute', 60, 900)) AS step
    SELECT toDateTime(number * step, 'UTC') AS time
    FROM numbers(
        toUInt64(intDiv(toUnixTimestamp(toStartOfMinute({since:DateTime('UTC')})), if({grain:String} = 'minute', 60, 900))),
        toUInt64(greatest(0, intDiv(toInt64(toUnixTimestamp(toStartOfMinute({until:DateTime('UTC')}))) - 1,
                if({grain:String} = 'minute', 60, 900)) + 1
            - toInt64(intDiv(toUnixTimestamp(toStartOfMinute({since:DateTime('UTC')})),
                if({grain:String} = 'minute', 60, 900))))))
    WHERE number * step < last
        AND first < last
        AND throwIf({grain:String} NOT IN ('minute', 'hour', 'day', 'week', 'month'),
            concat('unknown grain `', {grain:String}, '`: it is minute, hour, day, week or month')) = 0
        AND throwIf({grain:String} = 'minute' AND first < last AND last - first > 60000000,
            'more than 1,000,000 minutes: ask for a shorter range, or for a coarser grain') = 0
        AND throwIf({tz:String} = '', 'no time zone: name one, such as UTC') = 0
);

-- The registry as it stood at an instant: all of one kind, those that were deleted too. Between partitions
-- the later arrival counts, which offsets do not tell: so the last of each partition first, then of those.
PART _registry AS
SELECT
    tenant,
    entity_id,
    argMax(last_deleted, last_place) AS deleted,
    multiIf(
        entity_id = '', 'unattributed',
        -- A deletion that says nothing else keeps the last known name.
        deleted AND argMax(last_bare, last_place) AND argMax(named, named_place) != '', argMax(named, named_place),
        argMax(last_name, last_place) != '', argMax(last_name, last_place),
        entity_id) AS name,
    argMax(last_email, last_place) AS email,
    argMax(last_team_id, last_place) AS team_id,
    argMax(last_owner_user_id, last_place) AS owner_user_id,
    argMax(last_service_account_id, last_place) AS service_account_id,
    argMax(last_timezone, last_place) AS timezone,
    argMax(last_billing_anchor_day, last_place) AS billing_anchor_day
FROM
(
    WITH
        toUInt128(toUnixTimestamp64Milli(time)) AS at,
        bitShiftLeft(at, 80) + bitShiftLeft(toUInt128(offset), 16) + element AS order_in_partition,
        bitShiftLeft(at, 80) + bitShiftLeft(toUInt128(toUnixTimestamp64Milli(arrival)), 32) + partition AS place
    SELECT
        tenant,
        entity_id,
        argMax(place, order_in_partition) AS last_place,
        argMaxIf(place, order_in_partition, name != '') AS named_place,
        argMaxIf(name, order_in_partition, name != '') AS named,
        argMax(deleted, order_in_partition) AS last_deleted,
        argMax(attributes = '{}', order_in_partition) AS last_bare,
        argMax(name, order_in_partition) AS last_name,
        argMax(email, order_in_partition) AS last_email,
        argMax(team_id, order_in_partition) AS last_team_id,
        argMax(owner_user_id, order_in_partition) AS last_owner_user_id,
        argMax(service_account_id, order_in_partition) AS last_service_account_id,
        argMax(timezone, order_in_partition) AS last_timezone,
        argMax(billing_anchor_day, order_in_partition) AS last_billing_anchor_day
    FROM entities
    WHERE entity = {entity:String}
        AND time < toStartOfMinute({until:DateTime('UTC')})
        AND ({tenant:String} = '' OR tenant = {tenant:String})
    GROUP BY tenant, entity_id, partition
)
GROUP BY tenant, entity_id;

-- The tenants that stand.
PART _standing_tenants AS
SELECT tenant
FROM
(
    SELECT
        tenant,
        argMax(deleted, (time, offset, element)) AS last_deleted,
        argMax((time, arrival, partition), (time, offset, element)) AS place
    FROM entities
    WHERE entity = 'tenant'
        AND entity_id = tenant
        AND time < toStartOfMinute({until:DateTime('UTC')})
        AND ({tenant:String} = '' OR tenant = {tenant:String})
    GROUP BY tenant, partition
)
GROUP BY tenant
HAVING NOT argMax(last_deleted, place);

-- All of one kind, and whether the registry lists it: what stands, of tenants that stand.
PART _listed AS
SELECT
    tenant, entity_id, name, email, team_id,
    NOT deleted AND tenant IN
    (
        SELECT tenant FROM _standing_tenants(until = {until:DateTime('UTC')}, tenant = {tenant:String})
    ) AS listed
FROM _registry(until = {until:DateTime('UTC')}, entity = {entity:String}, tenant = {tenant:String});

-- A user is a tenant's: the same id in two tenants is two users.
CREATE OR REPLACE VIEW telemetry_summary{cluster} AS
SELECT sum(of_tenant) AS interactions, sum(users) AS active_users
FROM
(
    SELECT sum(requests) AS of_tenant, uniqExactIf(user_id, user_id != '') AS users
    FROM _users(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String})
    GROUP BY tenant
)
COMMENT 'C1
Interactions, and the users who had one.
interactions requests, active_users users';

-- Users of a day or longer come from the days of UTC, of an hour or a minute from the finest rows.
CREATE OR REPLACE VIEW usage_trend{cluster} AS
SELECT bucket, sum(interactions) AS interactions, sum(active_users) AS active_users
FROM
(
    SELECT bucket, 0::UInt64 AS interactions, 0::UInt64 AS active_users
    FROM _buckets(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tz = {tz:String}, grain = {grain:String})
    UNION ALL
    SELECT
        toDateTime(dateTrunc(
            if({grain:String} IN ('minute', 'hour', 'day', 'week'), {grain:String}, 'month'), time, {tz:String}),
            {tz:String}) AS bucket,
        sum(requests) AS interactions,
        0::UInt64 AS active_users
    FROM _totals(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String}, grain = {grain:String})
    GROUP BY bucket
    UNION ALL
    -- A user is in the buckets of a row's first and last minute: no row of a day has a third.
    SELECT bucket, 0::UInt64 AS interactions, uniqExact(user_id) AS active_users
    FROM
    (
        SELECT
            tenant, user_id,
            toDateTime(dateTrunc(
                if({grain:String} IN ('minute', 'hour', 'day', 'week'), {grain:String}, 'month'), first_minute, {tz:String}),
                {tz:String}) AS in_first,
            toDateTime(dateTrunc(
                if({grain:String} IN ('minute', 'hour', 'day', 'week'), {grain:String}, 'month'), last_minute, {tz:String}),
                {tz:String}) AS in_last,
            arrayJoin(if(in_first = in_last, [in_first], [in_first, in_last])) AS bucket
        FROM _user_days(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String})
        WHERE user_id != '' AND {grain:String} IN ('day', 'week', 'month')
    )
    GROUP BY bucket, tenant
    UNION ALL
    SELECT
        toDateTime(dateTrunc(
            if({grain:String} IN ('minute', 'hour', 'day', 'week'), {grain:String}, 'month'), time, {tz:String}),
            {tz:String}) AS bucket,
        0::UInt64 AS interactions,
        uniqExact(user_id) AS active_users
    FROM _requests(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String}, grain = {grain:String})
    WHERE user_id != '' AND {grain:String} NOT IN ('day', 'week', 'month')
    GROUP BY bucket, tenant
)
GROUP BY bucket
ORDER BY bucket
COMMENT 'C1 C2
Interactions and active users over time.
interactions requests, active_users users';

-- Amounts of different currencies are never added; unpriced requests cost nothing.
CREATE OR REPLACE VIEW cost_trend{cluster} AS
SELECT bucket, CAST(currency, 'String') AS currency, sum(cost) AS cost
FROM
(
    SELECT
        toDateTime(dateTrunc(
            if({grain:String} IN ('minute', 'hour', 'day', 'week'), {grain:String}, 'month'), time, {tz:String}),
            {tz:String}) AS bucket,
        currency, cost
    FROM _totals(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String}, grain = {grain:String})
    -- so that a wrong grain, and too many minutes, are refused
    WHERE (SELECT count() FROM _buckets(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tz = {tz:String}, grain = {grain:String})) > 0
)
GROUP BY bucket, currency
HAVING cost != 0
ORDER BY bucket, currency
COMMENT 'C1 C2
Cost over time, by currency.
cost currency';

-- The agents that the registry lists at `until`, and all that were used.
CREATE OR REPLACE VIEW usage_by_agent{cluster} AS
SELECT
    tenant,
    agent_id,
    multiIf(agent_id = '', 'unattributed', any_name != '', any_name, agent_id) AS name,
    interactions,
    active_users,
    input_tokens,
    output_tokens,
    input_tokens + output_tokens AS total_tokens
FROM
(
    SELECT
        tenant,
        agent_id,
        max(name) AS any_name,
        sum(requests) AS interactions,
        sum(users) AS active_users,
        sum(input) AS input_tokens,
        sum(output) AS output_tokens,
        max(listed) AS is_listed
    FROM
    (
        SELECT
            CAST(tenant, 'String') AS tenant,
            CAST(agent_id, 'String') AS agent_id,
            '' AS name,
            sum(requests) AS requests,
            uniqExactIf(user_id, user_id != '') AS users,
            sum(input_tokens) AS input,
            sum(output_tokens) AS output,
            0 AS listed
        FROM _users(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String})
        GROUP BY tenant, agent_id
        UNION ALL
        SELECT tenant, entity_id AS agent_id, name, 0 AS requests, 0 AS users, 0 AS input, 0 AS output, listed
        FROM _listed(until = {until:DateTime('UTC')}, entity = 'agent', tenant = {tenant:String})
    )
    GROUP BY tenant, agent_id
    HAVING interactions > 0 OR is_listed
)
ORDER BY tenant, agent_id
COMMENT 'C3
Interactions, users and tokens by agent; those of the registry without any too.
interactions requests, active_users users, input_tokens tokens, output_tokens tokens, total_tokens tokens';

-- The teams that the registry lists at `until`, and all that were used.
CREATE OR REPLACE VIEW usage_by_team{cluster} AS
SELECT
    tenant,
    team_id,
    multiIf(team_id = '', 'unattributed', any_name != '', any_name, team_id) AS name,
    interactions,
    active_users,
    input_tokens,
    output_tokens,
    input_tokens + output_tokens AS total_tokens
FROM
(
    SELECT
        tenant,
        team_id,
        max(name) AS any_name,
        sum(requests) AS interactions,
        sum(users) AS active_users,
        sum(input) AS input_tokens,
        sum(output) AS output_tokens,
        max(listed) AS is_listed
    FROM
    (
        SELECT
            CAST(tenant, 'String') AS tenant,
            CAST(team_id, 'String') AS team_id,
            '' AS name,
            sum(requests) AS requests,
            uniqExactIf(user_id, user_id != '') AS users,
            sum(input_tokens) AS input,
            sum(output_tokens) AS output,
            0 AS listed
        FROM _users(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String})
        GROUP BY tenant, team_id
        UNION ALL
        SELECT tenant, entity_id AS team_id, name, 0 AS requests, 0 AS users, 0 AS input, 0 AS output, listed
        FROM _listed(until = {until:DateTime('UTC')}, entity = 'team', tenant = {tenant:String})
    )
    GROUP BY tenant, team_id
    HAVING interactions > 0 OR is_listed
)
ORDER BY tenant, team_id
COMMENT 'C3
Interactions, users and tokens by team; those of the registry without any too.
interactions requests, active_users users, input_tokens tokens, output_tokens tokens, total_tokens tokens';

-- Users that the registry lists at `until`, and all that had an interaction before it; '' is nobody.
CREATE OR REPLACE VIEW user_activity{cluster} AS
SELECT
    tenant,
    user_id,
    if(any_name != '', any_name, user_id) AS name,
    email,
    team_id,
    interactions,
    active_days,
    if(active_days = 0, NULL, interactions / active_days) AS interactions_per_active_day,
    if(seen, toDateTime64(first_minute, 3, 'UTC'), NULL) AS first_seen,
    if(seen, toDateTime64(last_minute, 3, 'UTC'), NULL) AS last_seen,
    multiIf(interactions > 0, 'active', seen, 'stopped', 'never') AS adoption
FROM
(
    SELECT
        tenant,
        user_id,
        max(name) AS any_name,
        max(mail) AS email,
        max(team) AS team_id,
        sum(requests) AS interactions,
        sum(days) AS active_days,
        max(is_seen) AS seen,
        minIf(first_at, is_seen) AS first_minute,
        max(last_at) AS last_minute,
        max(listed) AS is_listed
    FROM
    (
        SELECT
            CAST(tenant, 'String') AS tenant, CAST(user_id, 'String') AS user_id,
            '' AS name, '' AS mail, '' AS team,
            sum(requests) AS requests,
            uniqExactArray(if(
                toDate(first_minute, {tz:String}) = toDate(last_minute, {tz:String}),
                [toDate(first_minute, {tz:String})],
                [toDate(first_minute, {tz:String}), toDate(last_minute, {tz:String})])) AS days,
            1 AS is_seen, min(first_minute) AS first_at, max(last_minute) AS last_at, 0 AS listed
        FROM _user_days(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String})
        WHERE user_id != ''
            AND throwIf({tz:String} = '', 'no time zone: name one, such as UTC') = 0
        GROUP BY tenant, user_id
        UNION ALL
        -- before it; to the end of the quarter hour in which it begins, which may be in neither
        SELECT
            CAST(tenant, 'String') AS tenant, CAST(user_id, 'String') AS user_id,
            '' AS name, '' AS mail, '' AS team, 0 AS requests, 0 AS days,
            1 AS is_seen, min(first_minute) AS first_at, max(last_minute) AS last_at, 0 AS listed
        FROM _users(
            since = '1970-01-01 00:00:00',
            until = least(
                toStartOfFifteenMinutes(least({since:DateTime('UTC')}, toDateTime('2100-01-01 00:00:00', 'UTC')) + toIntervalSecond(899)),
                {until:DateTime('UTC')}),
            tenant = {tenant:String})
        WHERE user_id != ''
        GROUP BY tenant, user_id
        UNION ALL
        SELECT
            tenant, entity_id AS user_id, name, email AS mail, team_id AS team, 0 AS requests, 0 AS days,
            0 AS is_seen, toDateTime(0, 'UTC') AS first_at, toDateTime(0, 'UTC') AS last_at, listed
        FROM _listed(until = {until:DateTime('UTC')}, entity = 'user', tenant = {tenant:String})
    )
    GROUP BY tenant, user_id
    HAVING seen OR is_listed
)
ORDER BY tenant, user_id
COMMENT 'C4
Users: how much, on how many days, since when; who is active, stopped or never came.
interactions requests, active_days days, interactions_per_active_day requests per day';

-- Exact money; the parts below add up to this.
CREATE OR REPLACE VIEW billing_by_tenant{cluster} AS
SELECT
    CAST(tenant, 'String') AS tenant,
    CAST(currency, 'String') AS currency,
    sum(cost) AS cost,
    sumIf(requests, currency = '') AS unpriced_requests
FROM _totals(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String}, grain = '')
GROUP BY tenant, currency
HAVING cost != 0 OR unpriced_requests > 0
ORDER BY tenant, currency
COMMENT 'C1 C5
What each organization cost, by currency; unpriced requests in a row without one.
cost currency, unpriced_requests requests';

-- What is nobody's is the team '', so that the parts add up to the whole.
CREATE OR REPLACE VIEW billing_by_team{cluster} AS
SELECT
    bill.tenant AS tenant,
    bill.team_id AS team_id,
    multiIf(team_id = '', 'unattributed', ifNull(known.name, '') != '', assumeNotNull(known.name), team_id) AS name,
    bill.currency AS currency,
    bill.cost AS cost,
    bill.unpriced_requests AS unpriced_requests
FROM
(
    SELECT
        CAST(tenant, 'String') AS tenant,
        CAST(team_id, 'String') AS team_id,
        CAST(currency, 'String') AS currency,
        sum(cost) AS cost,
        sumIf(requests, currency = '') AS unpriced_requests
    FROM _users(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String})
    GROUP BY tenant, team_id, currency
    HAVING cost != 0 OR unpriced_requests > 0
) AS bill
LEFT JOIN
(
    SELECT tenant, entity_id, name
    FROM _registry(until = {until:DateTime('UTC')}, entity = 'team', tenant = {tenant:String})
) AS known ON known.tenant = bill.tenant AND known.entity_id = bill.team_id
ORDER BY tenant, team_id, currency
COMMENT 'C1 C5
What each team cost, by currency; unpriced requests in a row without one.
cost currency, unpriced_requests requests';

-- What is nobody's is the agent '', so that the parts add up to the whole.
CREATE OR REPLACE VIEW billing_by_agent{cluster} AS
SELECT
    bill.tenant AS tenant,
    bill.agent_id AS agent_id,
    multiIf(agent_id = '', 'unattributed', ifNull(known.name, '') != '', assumeNotNull(known.name), agent_id) AS name,
    bill.currency AS currency,
    bill.cost AS cost,
    bill.unpriced_requests AS unpriced_requests
FROM
(
    SELECT
        CAST(tenant, 'String') AS tenant,
        CAST(agent_id, 'String') AS agent_id,
        CAST(currency, 'String') AS currency,
        sum(cost) AS cost,
        sumIf(requests, currency = '') AS unpriced_requests
    FROM _users(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String})
    GROUP BY tenant, agent_id, currency
    HAVING cost != 0 OR unpriced_requests > 0
) AS bill
LEFT JOIN
(
    SELECT tenant, entity_id, name
    FROM _registry(until = {until:DateTime('UTC')}, entity = 'agent', tenant = {tenant:String})
) AS known ON known.tenant = bill.tenant AND known.entity_id = bill.agent_id
ORDER BY tenant, agent_id, currency
COMMENT 'C1 C5
What each agent cost, by currency; unpriced requests in a row without one.
cost currency, unpriced_requests requests';

-- No requests, no response time: NULL, not 0. Quantiles are of buckets 4 % wide.
CREATE OR REPLACE VIEW request_summary{cluster} AS
SELECT
    counted.requests AS requests,
    counted.failed_requests AS failed_requests,
    if(completions = 0, NULL, completions_us / completions / 1000) AS completion_ms_avg,
    if(timed.completions_timed = 0, NULL, timed.completion_ms[1]) AS completion_ms_p50,
    if(timed.completions_timed = 0, NULL, timed.completion_ms[2]) AS completion_ms_p95,
    if(timed.completions_timed = 0, NULL, timed.completion_ms[3]) AS completion_ms_p99,
    if(embeddings = 0, NULL, embeddings_us / embeddings / 1000) AS embedding_ms_avg,
    if(timed.embeddings_timed = 0, NULL, timed.embedding_ms[1]) AS embedding_ms_p50,
    if(timed.embeddings_timed = 0, NULL, timed.embedding_ms[2]) AS embedding_ms_p95,
    if(timed.embeddings_timed = 0, NULL, timed.embedding_ms[3]) AS embedding_ms_p99,
    counted.input_tokens AS input_tokens,
    counted.output_tokens AS output_tokens,
    counted.input_tokens + counted.output_tokens AS total_tokens,
    counted.cache_read_input_tokens AS cache_read_input_tokens,
    counted.cache_creation_input_tokens AS cache_creation_input_tokens,
    counted.reasoning_output_tokens AS reasoning_output_tokens
FROM
(
    SELECT
        sum(n) AS requests,
        sum(failed) AS failed_requests,
        sum(completions) AS completions,
        sum(completions_us) AS completions_us,
        sum(embeddings) AS embeddings,
        sum(embeddings_us) AS embeddings_us,
        sum(input) AS input_tokens,
        sum(output) AS output_tokens,
        sum(cache_read) AS cache_read_input_tokens,
        sum(cache_creation) AS cache_creation_input_tokens,
        sum(reasoning) AS reasoning_output_tokens
    FROM
    (
        SELECT
            requests AS n, failed, completions, completions_us, embeddings, embeddings_us,
            input_tokens AS input, output_tokens AS output, cache_read_input_tokens AS cache_read,
            cache_creation_input_tokens AS cache_creation, reasoning_output_tokens AS reasoning
        FROM _totals(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String}, grain = '')
        WHERE {token:String} = ''
        UNION ALL
        SELECT
            requests AS n, failed,
            if(operation IN ('chat', 'text_completion', 'generate_content'), requests, 0) AS completions,
            if(operation IN ('chat', 'text_completion', 'generate_content'), duration_us, 0) AS completions_us,
            if(operation = 'embeddings', requests, 0) AS embeddings,
            if(operation = 'embeddings', duration_us, 0) AS embeddings_us,
            input_tokens AS input, output_tokens AS output, cache_read_input_tokens AS cache_read,
            cache_creation_input_tokens AS cache_creation, reasoning_output_tokens AS reasoning
        FROM _requests(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String}, grain = '')
        WHERE {token:String} != '' AND token_id = {token:String}
    )
) AS counted
CROSS JOIN
(
    SELECT
        sumIf(in_bucket, kind = 'completion') AS completions_timed,
        sumIf(in_bucket, kind = 'embedding') AS embeddings_timed,
        quantilesExactWeightedIf(0.5, 0.95, 0.99)(if(bucket = 0, 0, pow(1.04, bucket - 0.5)) / 1000, in_bucket,
            kind = 'completion') AS completion_ms,
        quantilesExactWeightedIf(0.5, 0.95, 0.99)(if(bucket = 0, 0, pow(1.04, bucket - 0.5)) / 1000, in_bucket,
            kind = 'embedding') AS embedding_ms
    FROM
    (
        SELECT kind, bucket, sum(requests) AS in_bucket
        FROM _latency(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String})
        WHERE {token:String} = '' OR token_id = {token:String}
        GROUP BY kind, bucket
    )
) AS timed
COMMENT 'D3 D4 D5
Requests, failures, response times and tokens.
requests requests, failed_requests requests, completion_ms_avg ms, completion_ms_p50 ms, completion_ms_p95 ms, completion_ms_p99 ms, embedding_ms_avg ms, embedding_ms_p50 ms, embedding_ms_p95 ms, embedding_ms_p99 ms, input_tokens tokens, output_tokens tokens, total_tokens tokens, cache_read_input_tokens tokens, cache_creation_input_tokens tokens, reasoning_output_tokens tokens';

-- Of one token from the finest rows, of all from those by tenant.
CREATE OR REPLACE VIEW requests_over_time{cluster} AS
SELECT
    bucket,
    sum(n) AS requests,
    sum(failed) AS failed_requests,
    sum(input) AS input_tokens,
    sum(output) AS output_tokens
FROM
(
    SELECT bucket, 0 AS n, 0 AS failed, 0 AS input, 0 AS output
    FROM _buckets(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tz = {tz:String}, grain = {grain:String})
    UNION ALL
    SELECT
        toDateTime(dateTrunc(
            if({grain:String} IN ('minute', 'hour', 'day', 'week'), {grain:String}, 'month'), time, {tz:String}),
            {tz:String}) AS bucket,
        requests AS n, failed, input_tokens AS input, output_tokens AS output
    FROM _totals(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String}, grain = {grain:String})
    WHERE {token:String} = ''
    UNION ALL
    SELECT
        toDateTime(dateTrunc(
            if({grain:String} IN ('minute', 'hour', 'day', 'week'), {grain:String}, 'month'), time, {tz:String}),
            {tz:String}) AS bucket,
        requests AS n, failed, input_tokens AS input, output_tokens AS output
    FROM _requests(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String}, grain = {grain:String})
    WHERE {token:String} != '' AND token_id = {token:String}
)
GROUP BY bucket
ORDER BY bucket
COMMENT 'D2
Requests, failures and tokens over time.
requests requests, failed_requests requests, input_tokens tokens, output_tokens tokens';

-- Ties by the tenant's bytes.
CREATE OR REPLACE VIEW top_tenants{cluster} AS
SELECT
    best.place AS rank,
    best.tenant AS tenant,
    if(ifNull(known.name, '') != '', assumeNotNull(known.name), best.tenant) AS name,
    best.requests AS requests,
    best.input_tokens AS input_tokens,
    best.output_tokens AS output_tokens,
    best.input_tokens + best.output_tokens AS total_tokens
FROM
(
    SELECT
        row_number() OVER (ORDER BY requests DESC, tenant) AS place,
        tenant, requests, input_tokens, output_tokens
    FROM
    (
        SELECT
            CAST(tenant, 'String') AS tenant,
            sum(requests) AS requests,
            sum(input_tokens) AS input_tokens,
            sum(output_tokens) AS output_tokens
        FROM _totals(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = '', grain = '')
        GROUP BY tenant
        ORDER BY requests DESC, tenant
        LIMIT {k:UInt32}
    )
) AS best
LEFT JOIN
(
    SELECT tenant, name
    FROM _registry(until = {until:DateTime('UTC')}, entity = 'tenant', tenant = '')
    WHERE entity_id = tenant
) AS known ON known.tenant = best.tenant
ORDER BY rank
COMMENT 'D6
The organizations with most requests.
requests requests, input_tokens tokens, output_tokens tokens, total_tokens tokens';

-- Ties by the tenant's bytes, then the token's; requests without a token rank as the token ''.
CREATE OR REPLACE VIEW top_tokens{cluster} AS
SELECT
    best.place AS rank,
    best.tenant AS tenant,
    best.token_id AS token_id,
    multiIf(best.token_id = '', 'unattributed', ifNull(known.name, '') != '', assumeNotNull(known.name), best.token_id)
        AS name,
    best.requests AS requests,
    best.input_tokens AS input_tokens,
    best.output_tokens AS output_tokens,
    best.input_tokens + best.output_tokens AS total_tokens,
    ifNull(owners.email, '') AS token_owner,
    multiIf(
        ifNull(known.service_account_id, '') = '', '',
        ifNull(accounts.name, '') != '', assumeNotNull(accounts.name),
        assumeNotNull(known.service_account_id)) AS service_account
FROM
(
    SELECT
        row_number() OVER (ORDER BY requests DESC, tenant, token_id) AS place,
        tenant, token_id, requests, input_tokens, output_tokens
    FROM
    (
        SELECT
            CAST(tenant, 'String') AS tenant,
            CAST(token_id, 'String') AS token_id,
            sum(requests) AS requests,
            sum(input_tokens) AS input_tokens,
            sum(output_tokens) AS output_tokens
        FROM _users(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String})
        GROUP BY tenant, token_id
        ORDER BY requests DESC, tenant, token_id
        LIMIT {k:UInt32}
    )
) AS best
LEFT JOIN
(
    SELECT tenant, entity_id, name, owner_user_id, service_account_id
    FROM _registry(until = {until:DateTime('UTC')}, entity = 'token', tenant = {tenant:String})
) AS known ON known.tenant = best.tenant AND known.entity_id = best.token_id
LEFT JOIN
(
    SELECT tenant, entity_id, email
    FROM _registry(until = {until:DateTime('UTC')}, entity = 'user', tenant = {tenant:String})
) AS owners ON owners.tenant = best.tenant AND owners.entity_id = ifNull(known.owner_user_id, '')
LEFT JOIN
(
    SELECT tenant, entity_id, name
    FROM _registry(until = {until:DateTime('UTC')}, entity = 'service_account', tenant = {tenant:String})
) AS accounts ON accounts.tenant = best.tenant AND accounts.entity_id = ifNull(known.service_account_id, '')
ORDER BY rank
COMMENT 'D6
The tokens with most requests, their owners and service accounts.
requests requests, input_tokens tokens, output_tokens tokens, total_tokens tokens';

-- Ties by the tenant's bytes, then the user's; requests without a user rank as the user ''.
CREATE OR REPLACE VIEW top_users{cluster} AS
SELECT
    row_number() OVER (ORDER BY requests DESC, tenant, user_id) AS rank,
    tenant,
    user_id,
    requests,
    input_tokens,
    output_tokens,
    input_tokens + output_tokens AS total_tokens
FROM
(
    SELECT
        CAST(tenant, 'String') AS tenant,
        CAST(user_id, 'String') AS user_id,
        sum(requests) AS requests,
        sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens
    FROM _users(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String})
    WHERE {token:String} = '' OR token_id = {token:String}
    GROUP BY tenant, user_id
    ORDER BY requests DESC, tenant, user_id
    LIMIT {k:UInt32}
)
ORDER BY rank
COMMENT 'D6
The users with most requests.
requests requests, input_tokens tokens, output_tokens tokens, total_tokens tokens';

-- The models of the registry belong to no tenant.
CREATE OR REPLACE VIEW requests_by_model{cluster} AS
SELECT
    model,
    if(any_name != '', any_name, model) AS name,
    requests
FROM
(
    SELECT model, max(known) AS any_name, sum(n) AS requests, max(listed) AS is_listed
    FROM
    (
        SELECT CAST(model, 'String') AS model, '' AS known, sum(requests) AS n, 0 AS listed
        FROM _requests(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String}, grain = '')
        WHERE {token:String} = '' OR token_id = {token:String}
        GROUP BY model
        UNION ALL
        SELECT entity_id AS model, name AS known, 0 AS n, NOT deleted AS listed
        FROM _registry(until = {until:DateTime('UTC')}, entity = 'model', tenant = '*')
    )
    GROUP BY model
    HAVING requests > 0 OR is_listed
)
ORDER BY model
COMMENT 'D7
Requests by model; those of the catalogue without any too.
requests requests';

-- For every zone, its offset and the first instant of its month at an instant: a midnight that was skipped is
-- the first instant after it, one that came twice the first of them.
PART _zone_months AS
WITH toInt64(toUnixTimestamp(toStartOfMinute({as_of:DateTime('UTC')}))) AS instant
SELECT
    there.zone AS zone,
    toDateTime(greatest(0, argMin(greatest(o.since, month - o.utc_offset), o.reached)), 'UTC') AS month_since
FROM
(
    SELECT
        zone,
        toInt64(toUnixTimestamp(toStartOfMonth(toDateTime(instant + argMax(utc_offset, since), 'UTC'))::DateTime('UTC')))
            AS month
    FROM _zones
    WHERE since <= instant
    GROUP BY zone
) AS there
INNER JOIN _zones AS o ON o.zone = there.zone
WHERE o.reached > month
GROUP BY zone;

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
                    FROM _registry(until = {as_of:DateTime('UTC')}, entity = 'tenant', tenant = {tenant:String})
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

-- What each tenant did in the windows that end at as_of; '' is all tenants. The month is the tenant's own.
CREATE OR REPLACE VIEW live_windows{cluster} AS
WITH
    toStartOfMinute({as_of:DateTime('UTC')}) AS until,
    toDateTime(if({keep_minute_rows} = 0, 0, greatest(0,
        intDiv(toUnixTimestamp(now()) - {keep_minute_rows} * 86400, 900) * 900 + 900)), 'UTC') AS kept,
    toStartOfFifteenMinutes(until) AS last_quarter,
    until - toIntervalHour(1) AS hour,
    -- the first quarter hour that lies in the hour
    toStartOfFifteenMinutes(hour + toIntervalMinute(14)) AS hour_quarter,
    toUnixTimestamp(toStartOfMonth(until)::DateTime('UTC')) AS utc_month,
    -- the tenants whose month begins at another instant than that of UTC
    (
        SELECT (groupArray(tenant), groupArray(toUnixTimestamp(month_since)))
        FROM _registry(until = {as_of:DateTime('UTC')}, entity = 'tenant', tenant = {tenant:String}) AS registered
        INNER JOIN _zone_months(as_of = {as_of:DateTime('UTC')}) AS months ON months.zone = registered.timezone
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
            AND ({tenant:String} = '' OR tenant = {tenant:String})
        UNION ALL
        SELECT
            tenant, requests, failed, input_tokens, output_tokens, 0 AS tasks,
            0 AS in_1m, 0 AS in_5m, quarter >= hour_quarter AS in_1h,
            toUnixTimestamp(quarter) >= transform(tenant, own_months.1, own_months.2, utc_month) AS in_month
        FROM totals_15m
        WHERE quarter >= least(first_month, hour_quarter) AND quarter < last_quarter
            AND ({tenant:String} = '' OR tenant = {tenant:String})
        UNION ALL
        SELECT
            tenant, 0 AS requests, 0 AS failed, 0 AS input_tokens, 0 AS output_tokens, tasks,
            minute >= until - toIntervalMinute(1) AS in_1m,
            minute >= until - toIntervalMinute(5) AS in_5m,
            minute < hour_quarter OR minute >= last_quarter AS in_1h,
            minute >= last_quarter AS in_month
        FROM tasks_1m
        WHERE minute >= greatest(hour, kept) AND minute < until
            AND ({tenant:String} = '' OR tenant = {tenant:String})
        UNION ALL
        SELECT
            tenant, 0 AS requests, 0 AS failed, 0 AS input_tokens, 0 AS output_tokens, tasks,
            0 AS in_1m, 0 AS in_5m, quarter >= hour_quarter AS in_1h,
            toUnixTimestamp(quarter) >= transform(tenant, own_months.1, own_months.2, utc_month) AS in_month
        FROM tasks_15m
        WHERE quarter >= least(first_month, hour_quarter) AND quarter < last_quarter
            AND ({tenant:String} = '' OR tenant = {tenant:String})
        UNION ALL
        -- every tenant that did anything before: rows of zeros
        SELECT DISTINCT
            tenant, 0 AS requests, 0 AS failed, 0 AS input_tokens, 0 AS output_tokens, 0 AS tasks,
            0 AS in_1m, 0 AS in_5m, 0 AS in_1h, 0 AS in_month
        FROM totals_15m
        WHERE quarter < last_quarter
            AND ({tenant:String} = '' OR tenant = {tenant:String})
        UNION ALL
        SELECT DISTINCT
            tenant, 0 AS requests, 0 AS failed, 0 AS input_tokens, 0 AS output_tokens, 0 AS tasks,
            0 AS in_1m, 0 AS in_5m, 0 AS in_1h, 0 AS in_month
        FROM requests_15m
        WHERE quarter = last_quarter AND first_minute < until
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
ORDER BY tenant, row.1
COMMENT 'L1
What each organization did in the last minute, five minutes, hour, and in its own calendar month.
requests requests, failed_requests requests, input_tokens tokens, output_tokens tokens, tasks tasks';

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
    UNION ALL
    SELECT 'usage.event.v1' AS type, max(last_minute) AS event,
    (
        SELECT minute FROM outcomes_1m WHERE type = 'usage.event.v1' AND outcome = 'counted'
        ORDER BY minute DESC LIMIT 1
    ) AS arrival
    FROM events_15m WHERE quarter = (SELECT max(quarter) FROM events_15m)
    HAVING count() > 0
    UNION ALL
    SELECT 'usage.entity.v1' AS type, toStartOfMinute(toDateTime(max(time), 'UTC')) AS event,
    (
        SELECT minute FROM outcomes_1m WHERE type = 'usage.entity.v1' AND outcome = 'counted'
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
