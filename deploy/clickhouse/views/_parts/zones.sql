-- The version that holds. Rows may be there twice, until they are merged.
PART _zones AS
SELECT zone, since, utc_offset, reached
FROM _zone_offsets
WHERE version = (SELECT argMax(version, loaded_at) FROM _zone_versions);

-- For every zone, its offset and the first instant of its month at an instant: a midnight that was skipped is
-- the first instant after it, one that came twice the first of them.
PART _zone_months AS
WITH toInt64(toUnixTimestamp(toStartOfMinute({as_of:DateTime('UTC')}))) AS instant
SELECT
    there.zone AS zone,
    toDateTime(greatest(0, argMin(greatest(o.since, month - o.utc_offset), o.reached)), 'UTC') AS month_since
FROM
(
    SELECT
        zone,
        toInt64(toUnixTimestamp(toStartOfMonth(toDateTime(instant + argMax(utc_offset, since), 'UTC'))::DateTime('UTC')))
            AS month
    FROM _zones
    WHERE since <= instant
    GROUP BY zone
) AS there
INNER JOIN _zones AS o ON o.zone = there.zone
WHERE o.reached > month
GROUP BY zone;
