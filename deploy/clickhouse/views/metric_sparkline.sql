CREATE OR REPLACE VIEW metric_sparkline{cluster} AS
SELECT *
FROM _by_day(_chosen, _matching)
ORDER BY metric_id, tenant, day
COMMENT 'B3
User-defined metrics day by day of a zone, over their own windows.
value the metric''s';
