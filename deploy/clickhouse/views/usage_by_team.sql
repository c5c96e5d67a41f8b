-- The teams that the registry lists at `until`, and all that were used.
CREATE OR REPLACE VIEW usage_by_team{cluster} AS
SELECT
    tenant,
    team_id,
    multiIf(team_id = '', 'unattributed', any_name != '', any_name, team_id) AS name,
    interactions,
    active_users,
    input_tokens,
    output_tokens,
    input_tokens + output_tokens AS total_tokens
FROM
(
    SELECT
        tenant,
        team_id,
        max(name) AS any_name,
        sum(requests) AS interactions,
        sum(users) AS active_users,
        sum(input) AS input_tokens,
        sum(output) AS output_tokens,
        max(listed) AS is_listed
    FROM
    (
        SELECT
            CAST(tenant, 'String') AS tenant,
            CAST(team_id, 'String') AS team_id,
            '' AS name,
            sum(requests) AS requests,
            uniqExactIf(user_id, user_id != '') AS users,
            sum(input_tokens) AS input,
            sum(output_tokens) AS output,
            0 AS listed
        FROM _users()
        GROUP BY tenant, team_id
        UNION ALL
        SELECT tenant, entity_id AS team_id, name, 0 AS requests, 0 AS users, 0 AS input, 0 AS output, listed
        FROM _listed(entity = 'team')
    )
    GROUP BY tenant, team_id
    HAVING interactions > 0 OR is_listed
)
ORDER BY tenant, team_id
COMMENT 'C3
Interactions, users and tokens by team; those of the registry without any too.
interactions requests, active_users users, input_tokens tokens, output_tokens tokens, total_tokens tokens';
