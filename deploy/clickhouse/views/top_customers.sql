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
        since = toDateTime(
            greatest(addMonths(toDate({as_of:DateTime('UTC')}), -toInt64({months:UInt32})), _available_from()) - 1, 'UTC'
        ),
        until = {as_of:DateTime('UTC')},
        tenant = ''
    )
    WHERE (SELECT throwIf({tz:String} = '', 'no time zone: name one, such as UTC')) = 0
        AND _month(at) >= greatest(
            addMonths(_month(toStartOfMinute({as_of:DateTime('UTC')})), 1 - toInt64({months:UInt32})),
            _available_from()
        )
    GROUP BY tenant
    HAVING tasks > 0
) AS counted
LEFT JOIN
(
    SELECT tenant, name, admin FROM _tenants(tenant = '')
) AS registered ON registered.tenant = counted.tenant
WHERE NOT registered.admin
ORDER BY rank
LIMIT {k:UInt32}
COMMENT 'A2
The customers with most tasks in the month of as_of, up to it, and the months before it.
tasks tasks';
