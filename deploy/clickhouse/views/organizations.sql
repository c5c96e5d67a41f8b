-- Whoever the registry lists at as_of, and whoever did anything before it.
CREATE OR REPLACE VIEW organizations{cluster} AS
SELECT
    tenant,
    if(max(named) = '', tenant, max(named)) AS name,
    if(max(told) = '', 'customer', max(told)) AS kind,
    max(stands) AS registered
FROM
(
    SELECT tenant, name AS named, kind AS told, NOT deleted AS stands, 0 AS seen FROM _tenants()
    UNION ALL
    SELECT CAST(tenant, 'String') AS tenant, '' AS named, '' AS told, false AS stands, 1 AS seen FROM _seen()
)
GROUP BY tenant
HAVING max(stands) OR max(seen)
ORDER BY tenant
COMMENT 'D1
The organizations that are registered, and those that were seen though they are not.
';
