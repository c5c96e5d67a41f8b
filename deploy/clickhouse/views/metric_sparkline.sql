-- A bar for each day of the zone that the window touches: the first and the last are cut by the window, so that bars of
-- counts and sums add up to the value shown beside them.
CREATE OR REPLACE VIEW metric_sparkline{cluster} AS
SELECT *
FROM _by_day(_chosen)
ORDER BY metric_id, tenant, day
COMMENT 'B3
User-defined metrics day by day of a zone, over their own windows.
value the metric''s';
