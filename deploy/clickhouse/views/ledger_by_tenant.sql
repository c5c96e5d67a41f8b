-- The same by tenant; of a record that names none, or no type that can be read, they are ''.
CREATE OR REPLACE VIEW ledger_by_tenant{cluster} AS
SELECT
    CAST(tenant, 'String') AS tenant,
    CAST(type, 'String') AS type,
    sumIf(events, outcome = 'counted') AS counted,
    sumIf(events, outcome = 'duplicate') AS duplicate,
    sumIf(events, outcome = 'rejected') AS rejected
FROM outcomes_1m
WHERE minute >= toStartOfMinute({since:DateTime('UTC')})
    AND minute < toStartOfMinute({until:DateTime('UTC')})
GROUP BY tenant, type
HAVING counted + duplicate + rejected > 0
ORDER BY tenant, type
COMMENT 'L3
What became of the events of each tenant and type; they are empty where they could not be read, the type also where it is unknown.
counted events, duplicate events, rejected events';
