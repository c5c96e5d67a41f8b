-- Ties by the tenant's bytes.
CREATE OR REPLACE VIEW top_tenants{cluster} AS
SELECT
    best.place AS rank,
    best.tenant AS tenant,
    if(ifNull(known.name, '') != '', assumeNotNull(known.name), best.tenant) AS name,
    best.requests AS requests,
    best.input_tokens AS input_tokens,
    best.output_tokens AS output_tokens,
    best.input_tokens + best.output_tokens AS total_tokens
FROM
(
    SELECT
        row_number() OVER (ORDER BY requests DESC, tenant) AS place,
        tenant, requests, input_tokens, output_tokens
    FROM
    (
        SELECT
            CAST(tenant, 'String') AS tenant,
            sum(requests) AS requests,
            sum(input_tokens) AS input_tokens,
            sum(output_tokens) AS output_tokens
        FROM _totals(tenant = '', grain = '')
        GROUP BY tenant
        ORDER BY requests DESC, tenant
        LIMIT {k:UInt32}
    )
) AS best
LEFT JOIN
(
    SELECT tenant, name
    FROM _registry(entity = 'tenant', tenant = '')
    WHERE entity_id = tenant
) AS known ON known.tenant = best.tenant
ORDER BY rank
COMMENT 'D6
The organizations with most requests.
requests requests, input_tokens tokens, output_tokens tokens, total_tokens tokens';
