-- Why events were rejected, by the record's timestamp.
CREATE OR REPLACE VIEW rejections{cluster} AS
SELECT
    CAST(topic, 'String') AS topic,
    CAST(reason, 'String') AS reason,
    sum(events) AS rejected
FROM partitions_1m
WHERE outcome = 'rejected'
    AND minute >= toStartOfMinute({since:DateTime('UTC')})
    AND minute < toStartOfMinute({until:DateTime('UTC')})
GROUP BY topic, reason
HAVING rejected > 0
ORDER BY topic, reason
COMMENT 'L3
Why events were rejected, by topic.
rejected events';
