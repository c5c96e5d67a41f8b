-- What _metric_preview_days says where all definitions are plain, in half the words; else it refuses.
CREATE OR REPLACE VIEW _metric_preview_days_plain{cluster} AS
SELECT *
FROM _by_day(_tried, _matching_plain)
ORDER BY metric_id, tenant, day
COMMENT '
Definitions that are tried out, of product events and without instants, day by day of a zone.
value the metric''s';
