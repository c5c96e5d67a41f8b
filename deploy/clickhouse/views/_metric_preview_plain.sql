-- What _metric_preview says where all definitions are plain, in half the words; else it refuses.
CREATE OR REPLACE VIEW _metric_preview_plain{cluster} AS
SELECT *
FROM _values(_tried, _matching_plain, _events_whole_since)
ORDER BY metric_id, tenant
COMMENT '
Definitions that are tried out, of product events and without instants, as metric_values will have them.
value the metric''s, previous the metric''s, change_percent %, events events, missing events, not_numeric events, not_exact events';
