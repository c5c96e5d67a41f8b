-- What metric_values will say of definitions that are tried out. Of no number of the list, so in no catalogue.
CREATE OR REPLACE VIEW _metric_preview{cluster} AS
SELECT *
FROM _values(_tried, _matching, _whole_since)
ORDER BY metric_id, tenant
COMMENT '
Definitions that are tried out: every one of every customer, as metric_values will have it.
value the metric''s, previous the metric''s, change_percent %, events events, missing events, not_numeric events, not_exact events';
