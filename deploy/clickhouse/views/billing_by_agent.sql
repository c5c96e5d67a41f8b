-- What is nobody's is the agent '', so that the parts add up to the whole.
CREATE OR REPLACE VIEW billing_by_agent{cluster} AS
SELECT
    bill.tenant AS tenant,
    bill.agent_id AS agent_id,
    multiIf(agent_id = '', 'unattributed', ifNull(known.name, '') != '', assumeNotNull(known.name), agent_id) AS name,
    bill.currency AS currency,
    bill.cost AS cost,
    bill.unpriced_requests AS unpriced_requests
FROM
(
    SELECT
        CAST(tenant, 'String') AS tenant,
        CAST(agent_id, 'String') AS agent_id,
        CAST(currency, 'String') AS currency,
        sum(cost) AS cost,
        sumIf(requests, currency = '') AS unpriced_requests
    FROM _users()
    GROUP BY tenant, agent_id, currency
    HAVING cost != 0 OR unpriced_requests > 0
) AS bill
LEFT JOIN
(
    SELECT tenant, entity_id, name
    FROM _registry(entity = 'agent')
) AS known ON known.tenant = bill.tenant AND known.entity_id = bill.agent_id
ORDER BY tenant, agent_id, currency
COMMENT 'C1 C5
What each agent cost, by currency; unpriced requests in a row without one.
cost currency, unpriced_requests requests';
