-- The time of the newest change of all, for the views of the registry: a projection of one row per part. The views
-- themselves are files of their own (../views), made anew whenever they change.
ALTER TABLE entities{cluster} ADD PROJECTION IF NOT EXISTS newest (SELECT max(time));
