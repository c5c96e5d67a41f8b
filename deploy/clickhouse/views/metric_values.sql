-- A definition is rows, which _values interprets: a metric that was defined a moment ago is answered for all that is
-- kept, and none ever becomes SQL.
CREATE OR REPLACE VIEW metric_values{cluster} AS
SELECT *
FROM _values(_in_force, _matching, _whole_since)
ORDER BY metric_id, tenant
COMMENT 'B1 B2 B5 B6
Every user-defined metric of every customer, with its change against the window before.
value the metric''s, previous the metric''s, change_percent %, events events, missing events, not_numeric events, not_exact events';
