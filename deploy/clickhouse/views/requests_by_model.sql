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
        FROM _requests(grain = '')
        WHERE {token:String} = '' OR token_id = {token:String}
        GROUP BY model
        UNION ALL
        SELECT entity_id AS model, name AS known, 0 AS n, NOT deleted AS listed
        FROM _registry(entity = 'model', tenant = '*')
    )
    GROUP BY model
    HAVING requests > 0 OR is_listed
)
ORDER BY model
COMMENT 'D7
Requests by model; those of the catalogue without any too.
requests requests';
