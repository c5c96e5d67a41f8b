-- The registry as it stood at an instant. Which table serves which view, and why: docs/decisions/registry-views.md.
--
-- A customer is a registered tenant that is not deleted and is not the admin's own account.

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
        AND _of_tenant()
        AND (tenant, cityHash64(entity, entity_id, time)) IN
        (
            SELECT tenant, cityHash64(entity, entity_id, time) AS moment
            FROM entities
            WHERE entity IN ('tenant', {entity:String})
                AND _of_tenant()
                AND (entity, tenant) IN
                (
                    SELECT entity, tenant
                    FROM entities
                    WHERE entity IN ('tenant', {entity:String})
                        AND _of_tenant()
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
        AND _of_tenant()
        AND (entity, tenant, entity_id, time, partition) NOT IN
        (
            SELECT entity, tenant, entity_id, time, partition
            FROM _overruled()
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
        AND _of_tenant()
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
    last.2 AS kind,
    last.1 AS deleted,
    kind = 'admin' AS admin,
    NOT deleted AND NOT admin AS customer
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
        AND _of_tenant()
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
        AND _of_tenant()
    GROUP BY tenant, partition
)
GROUP BY tenant
HAVING argMax(kind, place) = 'admin';

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
        AND _of_tenant()
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
        AND _of_tenant()
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
        SELECT tenant FROM _standing_tenants()
    ) AS listed
FROM _registry();

-- How many things of one kind stood in customers' accounts at the end of each of the last months (before as_of,
-- for the running one): each change counts from its month on, in those months in which its tenant is a customer.
PART _standing_by_month AS
WITH
    _month(toStartOfMinute({as_of:DateTime('UTC')})) AS this_month,
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
                    AND _of_tenant()
                    AND (entity, tenant, entity_id, time, partition) NOT IN
                    (
                        SELECT entity, tenant, entity_id, time, partition
                        FROM _overruled()
                    )
            )
            WHERE delta != 0
            GROUP BY
                tenant, entity,
                greatest(
                    _month_number(time) - toRelativeMonthNum(first_month), 0
                ) AS place
        )
        GROUP BY tenant
    )
)
ARRAY JOIN places AS place
ORDER BY month;
