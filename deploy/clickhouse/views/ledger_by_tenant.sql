-- The same by tenant; of a record that names none, or no type that can be read, they are ''.
CREATE OR REPLACE VIEW ledger_by_tenant{cluster} AS
SELECT
    CAST(tenant, 'String') AS tenant,
    CAST(type, 'String') AS type,
    sumIf(events, outcome = 'counted') AS counted,
    sumIf(events, outcome = 'duplicate') AS duplicate,
    sumIf(events, outcome = 'rejected') AS rejected,
    sumIf(events, outcome = 'duplicate' AND reason = 'conflict') AS conflicts
FROM partitions_1m
WHERE minute >= toStartOfMinute({since:DateTime('UTC')})
    AND minute < toStartOfMinute({until:DateTime('UTC')})
GROUP BY tenant, type
HAVING counted + duplicate + rejected > 0
ORDER BY tenant, type
COMMENT 'L3
What became of the events of each tenant and type; both are empty where unreadable, the type where unknown too.
counted events, duplicate events, rejected events, conflicts events';
