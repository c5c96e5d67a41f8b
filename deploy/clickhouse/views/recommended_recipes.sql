-- A10. Every recipe that ever was cloned from one counts for it, if its account is a customer's now. What was
-- overruled at its very instant never was: by a higher place in its partition, by a later arrival in another one.
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
    SELECT origin AS recipe_id, uniqExact(tenant, entity_id) AS clones
    FROM
    (
        SELECT tenant, entity_id, argMax(last_origin, place) AS origin
        FROM
        (
            SELECT
                tenant, entity_id, time,
                argMax(cloned_from, (offset, element)) AS last_origin,
                argMax((arrival, partition), (offset, element)) AS place
            FROM entities
            WHERE entity = 'recipe'
                AND time < toStartOfMinute({as_of:DateTime('UTC')})
                AND tenant IN
                (
                    SELECT tenant FROM _tenants(tenant = '') WHERE customer
                )
                AND (tenant, entity_id) IN
                (
                    SELECT tenant, entity_id FROM entities
                    WHERE entity = 'recipe' AND cloned_from != ''
                        AND time < toStartOfMinute({as_of:DateTime('UTC')})
                )
            GROUP BY tenant, entity_id, time, partition
        )
        GROUP BY tenant, entity_id, time
        HAVING origin != ''
    )
    GROUP BY origin
) AS cloned USING recipe_id
ORDER BY rank
LIMIT {k:UInt32}
COMMENT 'A10
The recommended recipes that customers cloned most, deleted clones included.
clones recipes';
