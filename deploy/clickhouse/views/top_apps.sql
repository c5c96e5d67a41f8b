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
    FROM _standing(entity = 'connection')
    WHERE tenant IN
    (
        SELECT tenant FROM _tenants() WHERE customer
    )
    GROUP BY app
) AS counted
LEFT JOIN
(
    SELECT entity_id, name FROM _names(entity = 'app', tenant = '*')
) AS named ON named.entity_id = counted.app
ORDER BY rank
LIMIT {k:UInt32}
COMMENT 'A6
The apps with most connections in customers'' accounts.
connections connections';
