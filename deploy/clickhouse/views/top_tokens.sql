-- Ties by the tenant's bytes, then the token's; requests without a token rank as the token ''.
CREATE OR REPLACE VIEW top_tokens{cluster} AS
SELECT
    best.place AS rank,
    best.tenant AS tenant,
    best.token_id AS token_id,
    multiIf(best.token_id = '', 'unattributed', ifNull(known.name, '') != '', assumeNotNull(known.name), best.token_id)
        AS name,
    best.requests AS requests,
    best.input_tokens AS input_tokens,
    best.output_tokens AS output_tokens,
    best.input_tokens + best.output_tokens AS total_tokens,
    ifNull(owners.email, '') AS token_owner,
    multiIf(
        ifNull(known.service_account_id, '') = '', '',
        ifNull(accounts.name, '') != '', assumeNotNull(accounts.name),
        assumeNotNull(known.service_account_id)) AS service_account
FROM
(
    SELECT
        row_number() OVER (ORDER BY requests DESC, tenant, token_id) AS place,
        tenant, token_id, requests, input_tokens, output_tokens
    FROM
    (
        SELECT
            CAST(tenant, 'String') AS tenant,
            CAST(token_id, 'String') AS token_id,
            sum(requests) AS requests,
            sum(input_tokens) AS input_tokens,
            sum(output_tokens) AS output_tokens
        FROM _users()
        GROUP BY tenant, token_id
        ORDER BY requests DESC, tenant, token_id
        LIMIT {k:UInt32}
    )
) AS best
LEFT JOIN
(
    SELECT tenant, entity_id, name, owner_user_id, service_account_id
    FROM _registry(entity = 'token')
) AS known ON known.tenant = best.tenant AND known.entity_id = best.token_id
LEFT JOIN
(
    SELECT tenant, entity_id, email
    FROM _registry(entity = 'user')
) AS owners ON owners.tenant = best.tenant AND owners.entity_id = ifNull(known.owner_user_id, '')
LEFT JOIN
(
    SELECT tenant, entity_id, name
    FROM _registry(entity = 'service_account')
) AS accounts ON accounts.tenant = best.tenant AND accounts.entity_id = ifNull(known.service_account_id, '')
ORDER BY rank
COMMENT 'D6
The tokens with most requests, their owners and service accounts.
requests requests, input_tokens tokens, output_tokens tokens, total_tokens tokens';
