-- Rows A1 to A10 of the numbers: tasks, customers, connections, recipes. Plain views; those with an
-- underscore are parts of the others. Which table serves which, and why: docs/decisions/registry-views.md.
--
-- The registry is read as it stood at until or as_of. A customer is a registered tenant that is not deleted
-- and is not the admin's own account. Task numbers leave out the admin's tasks, and no others.

-- What was overruled at its very instant: where several partitions speak of one thing at one time, that one
-- holds whose last row there has the greatest (arrival, partition). Without those rows, the table's own order is
-- the order in which states hold. Of one kind, and of tenants. Producers key by tenant, so a tenant is usually
-- in one partition, and there is nothing to find.
PART _overruled AS
SELECT
    entity, tenant, entity_id, time,
    arrayJoin(arrayFilter(p -> p != holds, arrayDistinct(rows.1))) AS partition
FROM
(
    SELECT
        entity, tenant, entity_id, time,
        groupArray((partition, (offset, element), arrival)) AS rows,
        arrayFilter(r -> NOT arrayExists(s -> s.1 = r.1 AND s.2 > r.2, rows), rows) AS lasts,
        arrayReverseSort(r -> (r.3, r.1), lasts)[1].1 AS holds
    FROM entities
    WHERE entity IN ('tenant', {entity:String})
        AND ({tenant:String} = '' OR tenant = {tenant:String})
        AND (tenant, cityHash64(entity, entity_id, time)) IN
        (
            SELECT tenant, cityHash64(entity, entity_id, time) AS moment
            FROM entities
            WHERE entity IN ('tenant', {entity:String})
                AND ({tenant:String} = '' OR tenant = {tenant:String})
                AND (entity, tenant) IN
                (
                    SELECT entity, tenant
                    FROM entities
                    WHERE entity IN ('tenant', {entity:String})
                        AND ({tenant:String} = '' OR tenant = {tenant:String})
                    GROUP BY entity, tenant
                    HAVING min(partition) < max(partition)
                    SETTINGS optimize_aggregation_in_order = 1
                )
            GROUP BY tenant, moment
            HAVING min(partition) < max(partition)
        )
    GROUP BY entity, tenant, entity_id, time
    HAVING min(partition) < max(partition)
);

-- The things of one kind that stand before as_of: not deleted, and connected, or running.
PART _standing AS
SELECT tenant, entity_id, app
FROM
(
    SELECT
        tenant, entity_id, app,
        deleted = 0 AND status = multiIf(
            {entity:String} = 'connection', 'connected', {entity:String} = 'recipe', 'running', status
        ) AS stands
    FROM entities
    WHERE entity = {entity:String}
        AND time < toStartOfMinute({as_of:DateTime('UTC')})
        AND ({tenant:String} = '' OR tenant = {tenant:String})
        AND (entity, tenant, entity_id, time, partition) NOT IN
        (
            SELECT entity, tenant, entity_id, time, partition
            FROM _overruled(entity = {entity:String}, tenant = {tenant:String})
        )
    -- The table's order, backwards: the newest row of each comes first, and nothing is sorted.
    ORDER BY entity DESC, tenant DESC, entity_id DESC, time DESC, partition DESC, offset DESC, element DESC
    LIMIT 1 BY entity, tenant, entity_id
)
WHERE stands;

-- The names of all things of one kind before as_of, deleted ones too: the name, else the id. A deletion
-- without attributes keeps the last name there was. The last row of each partition first, then of those.
PART _names AS
SELECT
    tenant, entity_id,
    multiIf(
        entity_id = '', 'unattributed',
        argMax(name, place) != '', argMax(name, place),
        argMax(bare, place) AND argMax(named, named_place) != '', argMax(named, named_place),
        entity_id
    ) AS name
FROM
(
    WITH
        toUInt128(toUnixTimestamp64Milli(time)) AS at,
        bitShiftLeft(at, 80) + bitShiftLeft(toUInt128(offset), 16) + element AS place_in_partition,
        bitShiftLeft(at, 80) + bitShiftLeft(toUInt128(toUnixTimestamp64Milli(arrival)), 32) + partition AS place_
    SELECT
        tenant, entity_id,
        argMax(place_, place_in_partition) AS place,
        argMax(entities.name, place_in_partition) AS name,
        argMax(deleted AND attributes = '{}', place_in_partition) AS bare,
        argMaxIf(place_, place_in_partition, entities.name != '') AS named_place,
        argMaxIf(entities.name, place_in_partition, entities.name != '') AS named
    FROM entities
    WHERE entity = {entity:String}
        AND time < toStartOfMinute({as_of:DateTime('UTC')})
        AND ({tenant:String} = '' OR tenant = {tenant:String})
    GROUP BY tenant, entity_id, partition
)
GROUP BY tenant, entity_id;

-- Every tenant that was registered before as_of, deleted ones too.
PART _tenants AS
SELECT
    tenant,
    argMax(state, place) AS last,
    multiIf(
        last.3 != '', last.3,
        last.4 AND argMax(named, named_place) != '', argMax(named, named_place),
        tenant
    ) AS name,
    last.5 AS external_id,
    last.6 AS subscription,
    last.2 = 'admin' AS admin,
    NOT last.1 AND NOT admin AS customer
FROM
(
    WITH
        toUInt128(toUnixTimestamp64Milli(time)) AS at,
        bitShiftLeft(at, 80) + bitShiftLeft(toUInt128(offset), 16) + element AS place_in_partition,
        bitShiftLeft(at, 80) + bitShiftLeft(toUInt128(toUnixTimestamp64Milli(arrival)), 32) + partition AS place_
    SELECT
        tenant,
        argMax(place_, place_in_partition) AS place,
        argMax(
            (deleted, kind, name, deleted AND attributes = '{}', external_id, subscription), place_in_partition
        ) AS state,
        argMaxIf(place_, place_in_partition, name != '') AS named_place,
        argMaxIf(name, place_in_partition, name != '') AS named
    FROM entities
    WHERE entity = 'tenant'
        AND time < toStartOfMinute({as_of:DateTime('UTC')})
        AND ({tenant:String} = '' OR tenant = {tenant:String})
    GROUP BY tenant, partition
)
GROUP BY tenant;

-- Only those that are the admin's own account.
PART _admins AS
SELECT tenant
FROM
(
    SELECT
        tenant,
        argMax(kind, (time, offset, element)) AS kind,
        argMax((time, arrival, partition), (time, offset, element)) AS place
    FROM entities
    WHERE entity = 'tenant'
        AND time < toStartOfMinute({as_of:DateTime('UTC')})
        AND ({tenant:String} = '' OR tenant = {tenant:String})
    GROUP BY tenant, partition
)
GROUP BY tenant
HAVING argMax(kind, place) = 'admin';

-- The time of the newest counted event of all, to the quarter hour: no month ends within one. The rollups know
-- theirs from their partitions; the change log has a projection of one row per part for it.
ALTER TABLE entities{cluster} ADD PROJECTION IF NOT EXISTS newest (SELECT max(time));

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

-- Tasks in [since, until), the admin's too: from the quarter hours that lie in it, and from minutes at its two
-- ends, as long as those are kept.
PART _tasks AS
WITH
    toStartOfMinute({since:DateTime('UTC')}) AS start,
    toStartOfMinute({until:DateTime('UTC')}) AS stop,
    toStartOfFifteenMinutes(start + INTERVAL 14 MINUTE) AS first_quarter,
    toStartOfFifteenMinutes(stop) AS last_quarter,
    if(
        {keep_minute_rows} = 0,
        toDateTime(0, 'UTC'),
        toStartOfFifteenMinutes(toTimeZone(now(), 'UTC') - INTERVAL {keep_minute_rows} DAY) + INTERVAL 15 MINUTE
    ) AS kept
SELECT tenant, quarter AS at, recipe_id, tasks
FROM tasks_15m
WHERE quarter >= start AND quarter < last_quarter
    AND ({tenant:String} = '' OR tenant = {tenant:String})
UNION ALL
SELECT tenant, minute AS at, recipe_id, tasks
FROM tasks_1m
WHERE minute >= start AND minute < stop AND (minute < first_quarter OR minute >= last_quarter)
    AND minute >= kept
    AND ({tenant:String} = '' OR tenant = {tenant:String});

-- How many things of one kind stood in customers' accounts at the end of each of the last months (before as_of,
-- for the running one): each change counts from its month on, in those months in which its tenant is a customer.
PART _standing_by_month AS
WITH
    toStartOfMonth(toTimeZone(toStartOfMinute({as_of:DateTime('UTC')}), {tz:String})) AS this_month,
    throwIf(
        {months:UInt32} > 1 + dateDiff('month', toDate('1970-01-01'), this_month),
        'months reaches back before January 1970; ask for fewer'
    ) + throwIf({tz:String} = '', 'no time zone: name one, such as UTC') AS refused,
    addMonths(this_month, 1 - toInt64({months:UInt32})) AS first_month,
    range({months:UInt32} + refused) AS places
SELECT addMonths(first_month, place) AS month, toUInt64(counts[place + 1]) AS things
FROM
(
    SELECT
        arrayResize(sumForEach(arrayMap((n, is_customer) -> n * is_customer, n, is_customer)), length(places))
            AS counts
    FROM
    (
        SELECT
            arrayResize(sumForEachIf(steps, entity = {entity:String}), length(places)) AS n,
            arrayResize(sumForEachIf(steps, entity = 'tenant'), length(places)) AS is_customer
        FROM
        (
            SELECT
                tenant, entity,
                arrayMap(p -> if(p >= place, sum(delta), 0), places) AS steps
            FROM
            (
                SELECT
                    entity, tenant, time,
                    deleted = 0 AND multiIf(
                        entity = 'connection', status = 'connected',
                        entity = 'recipe', status = 'running',
                        entity = 'tenant', kind != 'admin',
                        true
                    ) AS stands,
                    stands - lagInFrame(stands, 1, 0) OVER
                    (
                        PARTITION BY entity, tenant, entity_id ORDER BY time, partition, offset, element
                        ROWS BETWEEN 1 PRECEDING AND CURRENT ROW
                    ) AS delta
                FROM entities
                WHERE entity IN ('tenant', {entity:String})
                    AND time < toStartOfMinute({as_of:DateTime('UTC')})
                    AND ({tenant:String} = '' OR tenant = {tenant:String})
                    AND (entity, tenant, entity_id, time, partition) NOT IN
                    (
                        SELECT entity, tenant, entity_id, time, partition
                        FROM _overruled(entity = {entity:String}, tenant = {tenant:String})
                    )
            )
            WHERE delta != 0
            GROUP BY
                tenant, entity,
                greatest(
                    toRelativeMonthNum(toTimeZone(time, {tz:String})) - toRelativeMonthNum(first_month), 0
                ) AS place
        )
        GROUP BY tenant
    )
)
ARRAY JOIN places AS place
ORDER BY month;

-- A1. A month is closed once the newest event of all is past it.
CREATE OR REPLACE VIEW tasks_by_month{cluster} AS
WITH
    toStartOfMinute({since:DateTime('UTC')}) AS start,
    toStartOfMinute({until:DateTime('UTC')}) AS stop,
    toStartOfMonth(toTimeZone(start, {tz:String})) AS first,
    toStartOfMonth(toTimeZone(stop - INTERVAL 1 MINUTE, {tz:String})) AS last,
    if(start < stop, 1 + greatest(dateDiff('month', first, last), 0), 0) AS length
SELECT
    month,
    if(month < '2020-10-01', NULL, sum(tasks)) AS tasks,
    month >= '2020-10-01' AS available,
    toStartOfMonth(toTimeZone(assumeNotNull((SELECT newest FROM _newest)), {tz:String})) > month AS closed
FROM
(
    SELECT toStartOfMonth(toTimeZone(at, {tz:String})) AS month, sum(tasks) AS tasks
    FROM _tasks(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String})
    WHERE tenant NOT IN
    (
        SELECT tenant FROM _admins(as_of = {until:DateTime('UTC')}, tenant = {tenant:String})
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

-- A2.
CREATE OR REPLACE VIEW top_customers{cluster} AS
SELECT
    row_number() OVER (ORDER BY tasks DESC, counted.tenant) AS rank,
    CAST(counted.tenant, 'String') AS tenant,
    if(registered.name = '', counted.tenant, registered.name) AS name,
    tasks
FROM
(
    SELECT tenant, sum(tasks) AS tasks
    FROM _tasks(
        since = toUnixTimestamp(toDateTime(
            addMonths(
                toStartOfMonth(toTimeZone(toStartOfMinute({as_of:DateTime('UTC')}), {tz:String})),
                1 - toInt64({months:UInt32})
            ),
            {tz:String}
        )),
        until = {as_of:DateTime('UTC')},
        tenant = ''
    )
    WHERE (SELECT throwIf({tz:String} = '', 'no time zone: name one, such as UTC')) = 0
    GROUP BY tenant
    HAVING tasks > 0
) AS counted
LEFT JOIN
(
    SELECT tenant, name, admin FROM _tenants(as_of = {as_of:DateTime('UTC')}, tenant = '')
) AS registered ON registered.tenant = counted.tenant
WHERE NOT registered.admin
ORDER BY rank
LIMIT {k:UInt32}
SETTINGS join_use_nulls = 0
COMMENT 'A2
The customers with most tasks in the month of as_of, up to it, and the months before it.
tasks tasks';

-- A3.
CREATE OR REPLACE VIEW monthly_usage{cluster} AS
SELECT
    CAST(counted.tenant, 'String') AS tenant,
    registered.external_id AS external_id,
    if(registered.name = '', counted.tenant, registered.name) AS name,
    month,
    tasks,
    toStartOfMonth(toTimeZone(assumeNotNull((SELECT newest FROM _newest)), {tz:String})) > month AS closed
FROM
(
    SELECT
        tenant,
        toStartOfMonth(toTimeZone(at, {tz:String})) AS month,
        sum(tasks) AS tasks
    FROM _tasks(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String})
    WHERE (SELECT throwIf({tz:String} = '', 'no time zone: name one, such as UTC')) = 0
    GROUP BY tenant, month
    HAVING tasks > 0 AND month >= '2020-10-01'
) AS counted
LEFT JOIN
(
    SELECT tenant, name, external_id, admin
    FROM _tenants(as_of = {until:DateTime('UTC')}, tenant = {tenant:String})
) AS registered ON registered.tenant = counted.tenant
WHERE NOT registered.admin
ORDER BY month, tenant
SETTINGS join_use_nulls = 0
COMMENT 'A3
Tasks of each customer in each calendar month; unregistered and deleted ones too.
tasks tasks';

CREATE OR REPLACE VIEW monthly_usage_by_recipe{cluster} AS
SELECT
    CAST(counted.tenant, 'String') AS tenant,
    CAST(counted.recipe_id, 'String') AS recipe_id,
    multiIf(
        named.name != '', named.name,
        counted.recipe_id = '', 'unattributed',
        counted.recipe_id
    ) AS name,
    month,
    tasks
FROM
(
    SELECT
        tenant,
        recipe_id,
        toStartOfMonth(toTimeZone(at, {tz:String})) AS month,
        sum(tasks) AS tasks
    FROM _tasks(since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, tenant = {tenant:String})
    WHERE (SELECT throwIf({tz:String} = '', 'no time zone: name one, such as UTC')) = 0
        AND tenant NOT IN
        (
            SELECT tenant FROM _admins(as_of = {until:DateTime('UTC')}, tenant = {tenant:String})
        )
    GROUP BY tenant, recipe_id, month
    HAVING tasks > 0 AND month >= '2020-10-01'
) AS counted
LEFT JOIN
(
    SELECT tenant, entity_id, name
    FROM _names(entity = 'recipe', as_of = {until:DateTime('UTC')}, tenant = {tenant:String})
) AS named ON named.tenant = counted.tenant AND named.entity_id = counted.recipe_id
ORDER BY month, tenant, recipe_id
SETTINGS join_use_nulls = 0
COMMENT 'A3
Tasks of each recipe in each calendar month.
tasks tasks';

-- A4, A5.
CREATE OR REPLACE VIEW connections_by_month{cluster} AS
SELECT month, things AS connections
FROM _standing_by_month(
    entity = 'connection', as_of = {as_of:DateTime('UTC')}, months = {months:UInt32}, tz = {tz:String},
    tenant = {tenant:String}
)
ORDER BY month
COMMENT 'A4 A5
Connected connections in customers'' accounts at the end of each month; before as_of, for the running one.
connections connections';

-- A6.
CREATE OR REPLACE VIEW top_apps{cluster} AS
SELECT
    row_number() OVER (ORDER BY connections DESC, counted.app) AS rank,
    counted.app AS app,
    multiIf(named.name != '', named.name, counted.app = '', 'unattributed', counted.app) AS name,
    connections
FROM
(
    SELECT app, count() AS connections
    FROM _standing(entity = 'connection', as_of = {as_of:DateTime('UTC')}, tenant = {tenant:String})
    WHERE tenant IN
    (
        SELECT tenant FROM _tenants(as_of = {as_of:DateTime('UTC')}, tenant = {tenant:String}) WHERE customer
    )
    GROUP BY app
) AS counted
LEFT JOIN
(
    SELECT entity_id, name FROM _names(entity = 'app', as_of = {as_of:DateTime('UTC')}, tenant = '*')
) AS named ON named.entity_id = counted.app
ORDER BY rank
LIMIT {k:UInt32}
SETTINGS join_use_nulls = 0
COMMENT 'A6
The apps with most connections in customers'' accounts.
connections connections';

-- A7.
CREATE OR REPLACE VIEW customers_by_month{cluster} AS
SELECT month, things AS customers
FROM _standing_by_month(
    entity = 'tenant', as_of = {as_of:DateTime('UTC')}, months = {months:UInt32}, tz = {tz:String},
    tenant = ''
)
ORDER BY month
COMMENT 'A7
Customers at the end of each month; before as_of, for the running one.
customers customers';

-- When each tenant sent a request, an action or a product event in the week before as_of.
PART _seen_lately AS
WITH
    toStartOfMinute({as_of:DateTime('UTC')}) AS stop,
    toStartOfFifteenMinutes(stop) AS last_quarter,
    if(last_quarter < 604800, toDateTime(0, 'UTC'), last_quarter - INTERVAL 7 DAY) AS start,
    if(
        {keep_minute_rows} = 0,
        toDateTime(0, 'UTC'),
        toStartOfFifteenMinutes(toTimeZone(now(), 'UTC') - INTERVAL {keep_minute_rows} DAY) + INTERVAL 15 MINUTE
    ) AS kept
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
    FROM _tenants(as_of = {as_of:DateTime('UTC')}, tenant = '')
    WHERE customer AND (SELECT throwIf({tz:String} = '', 'no time zone: name one, such as UTC')) = 0
    UNION ALL
    SELECT tenant, false, '', '', '', sum(tasks), 0, 0, 0, toDateTime(0, 'UTC')
    FROM _tasks(
        since = toUnixTimestamp(toDateTime(
            toStartOfMonth(toTimeZone(toStartOfMinute({as_of:DateTime('UTC')}), {tz:String})), {tz:String}
        )),
        until = {as_of:DateTime('UTC')},
        tenant = ''
    )
    GROUP BY tenant
    UNION ALL
    SELECT tenant, false, '', '', '', 0, count(), 0, 0, toDateTime(0, 'UTC')
    FROM _standing(entity = 'connection', as_of = {as_of:DateTime('UTC')}, tenant = '')
    GROUP BY tenant
    UNION ALL
    SELECT tenant, false, '', '', '', 0, 0, count(), 0, toDateTime(0, 'UTC')
    FROM _standing(entity = 'recipe', as_of = {as_of:DateTime('UTC')}, tenant = '')
    GROUP BY tenant
    UNION ALL
    SELECT tenant, false, '', '', '', 0, 0, 0, count(), toDateTime(0, 'UTC')
    FROM _standing(entity = 'user', as_of = {as_of:DateTime('UTC')}, tenant = '')
    GROUP BY tenant
    UNION ALL
    SELECT tenant, false, '', '', '', 0, 0, 0, 0, seen
    FROM _seen_lately(as_of = {as_of:DateTime('UTC')})
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
        SELECT tenant FROM _tenants(as_of = {as_of:DateTime('UTC')}, tenant = '')
        WHERE customer AND tenant NOT IN (SELECT tenant FROM _seen_lately(as_of = {as_of:DateTime('UTC')}))
    )
    GROUP BY tenant
)
GROUP BY tenant
HAVING max(listed)
ORDER BY tenant
COMMENT 'A7 A8
Every customer with what it has and did; registered, not deleted.
tasks_this_month tasks, connections connections, active_recipes recipes, users users';

-- A9.
CREATE OR REPLACE VIEW active_recipes_by_month{cluster} AS
SELECT month, things AS recipes
FROM _standing_by_month(
    entity = 'recipe', as_of = {as_of:DateTime('UTC')}, months = {months:UInt32}, tz = {tz:String},
    tenant = {tenant:String}
)
ORDER BY month
COMMENT 'A9
Recipes that ran in customers'' accounts at the end of each month; before as_of, for the running one.
recipes recipes';

-- A10. Every recipe that ever said it was cloned from one counts for it, if its account is a customer's now.
CREATE OR REPLACE VIEW recommended_recipes{cluster} AS
SELECT
    row_number() OVER (ORDER BY clones DESC, recipe_id) AS rank,
    recipe_id,
    name,
    clones
FROM
(
    SELECT entity_id AS recipe_id, argMin(if(last.2 = '', entity_id, last.2), tenant) AS name
    FROM
    (
        SELECT tenant, entity_id, argMax(state, place) AS last
        FROM
        (
            SELECT
                tenant, entity_id,
                argMax((NOT deleted AND recommended, name), (time, offset, element)) AS state,
                argMax((time, arrival, partition), (time, offset, element)) AS place
            FROM entities
            WHERE entity = 'recipe'
                AND time < toStartOfMinute({as_of:DateTime('UTC')})
                AND (tenant, entity_id) IN
                (
                    SELECT tenant, entity_id FROM entities
                    WHERE entity = 'recipe' AND recommended
                        AND time < toStartOfMinute({as_of:DateTime('UTC')})
                )
            GROUP BY tenant, entity_id, partition
        )
        GROUP BY tenant, entity_id
    )
    WHERE last.1
    GROUP BY entity_id
) AS recommended
INNER JOIN
(
    SELECT cloned_from AS recipe_id, uniqExact(tenant, entity_id) AS clones
    FROM entities
    WHERE entity = 'recipe' AND cloned_from != ''
        AND time < toStartOfMinute({as_of:DateTime('UTC')})
        AND tenant IN
        (
            SELECT tenant FROM _tenants(as_of = {as_of:DateTime('UTC')}, tenant = '') WHERE customer
        )
    GROUP BY cloned_from
) AS cloned USING recipe_id
ORDER BY rank
LIMIT {k:UInt32}
COMMENT 'A10
The recommended recipes that customers cloned most, deleted clones included.
clones recipes';
