-- What is nobody's is the team '', so that the parts add up to the whole.
CREATE OR REPLACE VIEW billing_by_team{cluster} AS
SELECT
    bill.tenant AS tenant,
    bill.team_id AS team_id,
    multiIf(team_id = '', 'unattributed', ifNull(known.name, '') != '', assumeNotNull(known.name), team_id) AS name,
    bill.currency AS currency,
    bill.cost AS cost,
    bill.unpriced_requests AS unpriced_requests
FROM
(
    SELECT
        CAST(tenant, 'String') AS tenant,
        CAST(team_id, 'String') AS team_id,
        CAST(currency, 'String') AS currency,
        sum(cost) AS cost,
        sumIf(requests, currency = '') AS unpriced_requests
    FROM _users()
    GROUP BY tenant, team_id, currency
    HAVING cost != 0 OR unpriced_requests > 0
) AS bill
LEFT JOIN
(
    SELECT tenant, entity_id, name
    FROM _registry(entity = 'team')
) AS known ON known.tenant = bill.tenant AND known.entity_id = bill.team_id
ORDER BY tenant, team_id, currency
COMMENT 'C1 C5
What each team cost, by currency; unpriced requests in a row without one.
cost currency, unpriced_requests requests';
