-- A user is a tenant's: the same id in two tenants is two users.
CREATE OR REPLACE VIEW telemetry_summary{cluster} AS
SELECT sum(of_tenant) AS interactions, sum(users) AS active_users
FROM
(
    SELECT sum(requests) AS of_tenant, uniqExactIf(user_id, user_id != '') AS users
    FROM _users()
    GROUP BY tenant
)
COMMENT 'C1
Interactions, and the users who had one.
interactions requests, active_users users';
