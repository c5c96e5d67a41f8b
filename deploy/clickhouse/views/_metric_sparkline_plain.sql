-- What metric_sparkline says where all metrics asked for are plain, as _metric_values_plain does.
CREATE OR REPLACE VIEW _metric_sparkline_plain{cluster} AS
SELECT *
FROM _by_day(_chosen, _matching_plain)
ORDER BY metric_id, tenant, day
COMMENT '
What metric_sparkline says, where all metrics asked for are of product events and without instants.
value the metric''s';
