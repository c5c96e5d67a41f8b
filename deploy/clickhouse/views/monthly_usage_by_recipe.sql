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
        _month(at) AS month,
        sum(tasks) AS tasks
    FROM _tasks()
    WHERE (SELECT throwIf({tz:String} = '', 'no time zone: name one, such as UTC')) = 0
        AND tenant NOT IN
        (
            SELECT tenant FROM _admins(as_of = {until:DateTime('UTC')})
        )
    GROUP BY tenant, recipe_id, month
    HAVING tasks > 0 AND month >= _available_from()
) AS counted
LEFT JOIN
(
    SELECT tenant, entity_id, name
    FROM _names(entity = 'recipe', as_of = {until:DateTime('UTC')})
) AS named ON named.tenant = counted.tenant AND named.entity_id = counted.recipe_id
ORDER BY month, tenant, recipe_id
COMMENT 'A3
Tasks of each recipe in each calendar month.
tasks tasks';
