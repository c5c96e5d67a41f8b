-- Ties by the tenant's bytes, then the user's; requests without a user rank as the user ''.
CREATE OR REPLACE VIEW top_users{cluster} AS
SELECT
    row_number() OVER (ORDER BY requests DESC, tenant, user_id) AS rank,
    tenant,
    user_id,
    requests,
    input_tokens,
    output_tokens,
    input_tokens + output_tokens AS total_tokens
FROM
(
    SELECT
        CAST(tenant, 'String') AS tenant,
        CAST(user_id, 'String') AS user_id,
        sum(requests) AS requests,
        sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens
    FROM _users()
    WHERE {token:String} = '' OR token_id = {token:String}
    GROUP BY tenant, user_id
    ORDER BY requests DESC, tenant, user_id
    LIMIT {k:UInt32}
)
ORDER BY rank
COMMENT 'D6
The users with most requests.
requests requests, input_tokens tokens, output_tokens tokens, total_tokens tokens';
