-- A4, A5.
CREATE OR REPLACE VIEW connections_by_month{cluster} AS
SELECT month, things AS connections
FROM _standing_by_month(entity = 'connection')
ORDER BY month
COMMENT 'A4 A5
Connected connections in customers'' accounts at the end of each month; before as_of, for the running one.
connections connections';
