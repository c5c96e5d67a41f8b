-- A7.
CREATE OR REPLACE VIEW customers_by_month{cluster} AS
SELECT month, things AS customers
FROM _standing_by_month(entity = 'tenant', tenant = '')
ORDER BY month
COMMENT 'A7
Customers at the end of each month; before as_of, for the running one.
customers customers';
