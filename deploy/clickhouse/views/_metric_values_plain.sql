-- What metric_values says, of one metric or of all, where those are plain, in half the words; else it refuses. Of no
-- number of the list, so in no catalogue: who asks metric_values by the API or the command line is answered by it.
CREATE OR REPLACE VIEW _metric_values_plain{cluster} AS
SELECT *
FROM _values(_chosen, _matching_plain, _events_whole_since)
ORDER BY metric_id, tenant
COMMENT '
What metric_values says, where all metrics asked for are of product events and without instants.
value the metric''s, previous the metric''s, change_percent %, events events, missing events, not_numeric events, not_exact events';
