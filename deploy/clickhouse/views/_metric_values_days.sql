-- What _metric_values_plain says, from days that were added up before where _metric_days_kept says that they hold: what
-- that gave is what this takes. It refuses where they have gone since.
CREATE OR REPLACE VIEW _metric_values_days{cluster} AS
SELECT *
FROM _values(_chosen, _matching_days, _events_whole_since)
ORDER BY metric_id, tenant
COMMENT '
What metric_values says, with days that were added up before.
value the metric''s, previous the metric''s, change_percent %, events events, missing events, not_numeric events, not_exact events';
