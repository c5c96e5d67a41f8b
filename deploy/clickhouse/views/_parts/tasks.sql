-- The first month of which tasks are known; what is before it is not available, and counts nowhere.
MACRO _available_from() AS toDate('2020-10-01');

-- Tasks in [since, until), the admin's too.
PART _tasks AS
WITH _range()
SELECT tenant, quarter AS at, recipe_id, tasks
FROM tasks_15m
WHERE _in_quarters() AND _of_tenant()
UNION ALL
SELECT tenant, minute AS at, recipe_id, tasks
FROM tasks_1m
WHERE _at_the_ends() AND _of_tenant();
