-- A3.
CREATE OR REPLACE VIEW monthly_usage{cluster} AS
SELECT
    CAST(counted.tenant, 'String') AS tenant,
    registered.external_id AS external_id,
    if(registered.name = '', counted.tenant, registered.name) AS name,
    month,
    tasks,
    assumeNotNull((SELECT _month(newest) FROM _newest())) > month AS closed
FROM
(
    SELECT
        tenant,
        _month(at) AS month,
        sum(tasks) AS tasks
    FROM _tasks()
    WHERE (SELECT throwIf({tz:String} = '', 'no time zone: name one, such as UTC')) = 0
    GROUP BY tenant, month
    HAVING tasks > 0 AND month >= _available_from()
) AS counted
LEFT JOIN
(
    SELECT tenant, name, external_id, admin
    FROM _tenants(as_of = {until:DateTime('UTC')})
) AS registered ON registered.tenant = counted.tenant
WHERE NOT registered.admin
ORDER BY month, tenant
COMMENT 'A3
Tasks of each customer in each calendar month; unregistered and deleted ones too.
tasks tasks';
