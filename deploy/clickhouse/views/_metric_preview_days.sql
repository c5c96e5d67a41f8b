-- What metric_sparkline will say of definitions that are tried out. Of no number of the list, so in no catalogue.
CREATE OR REPLACE VIEW _metric_preview_days{cluster} AS
SELECT *
FROM _by_day(_tried, _matching)
ORDER BY metric_id, tenant, day
COMMENT '
Definitions that are tried out, day by day of a zone, as metric_sparkline will have them.
value the metric''s';
