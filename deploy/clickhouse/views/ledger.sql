-- What became of the events whose record's timestamp lies in [since, until).
CREATE OR REPLACE VIEW ledger{cluster} AS
SELECT
    CAST(topic, 'String') AS topic,
    partition,
    counted + duplicate + rejected AS received,
    sumIf(events, outcome = 'counted') AS counted,
    sumIf(events, outcome = 'duplicate') AS duplicate,
    sumIf(events, outcome = 'rejected') AS rejected,
    sumIf(events, outcome = 'skipped') AS skipped
FROM partitions_1m
WHERE events > 0
    AND minute >= toStartOfMinute({since:DateTime('UTC')})
    AND minute < toStartOfMinute({until:DateTime('UTC')})
GROUP BY topic, partition
ORDER BY topic, partition
COMMENT 'L3
What became of the events of each partition, by the timestamp of their records.
received events, counted events, duplicate events, rejected events, skipped records';
