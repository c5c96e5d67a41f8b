-- A9.
CREATE OR REPLACE VIEW active_recipes_by_month{cluster} AS
SELECT month, things AS recipes
FROM _standing_by_month(entity = 'recipe')
ORDER BY month
COMMENT 'A9
Recipes that ran in customers'' accounts at the end of each month; before as_of, for the running one.
recipes recipes';
