-- Product events are kept one by one, with their properties: user-defined metrics are made of them. In weeks, so
-- that what is older than the setting goes with its whole part; in granules of 1,024 rows, since most questions are
-- of one name and organization. What was inserted by a worker that knows no times is not kept: it has none.
ALTER TABLE events_in{cluster}
    ADD COLUMN IF NOT EXISTS time DateTime64(3, 'UTC') DEFAULT toDateTime64('1900-01-01 00:00:00', 3, 'UTC')
        COMMENT 'of the event; before 1970: of an older release, which did not send it',
    ADD COLUMN IF NOT EXISTS properties Map(LowCardinality(String), String)
        COMMENT 'path to leaf, as in product_events',
    MODIFY COMMENT 'Head of product events: what chunks insert; it keeps nothing, events_1m, events_15m and product_events take from it';

CREATE TABLE IF NOT EXISTS product_events{cluster}
(
    name LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'of the event',
    tenant LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the organization that the event belongs to',
    time DateTime64(3, 'UTC') CODEC(ZSTD(1)) COMMENT 'of the event',
    user_id LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the user; empty: none',
    properties Map(LowCardinality(String), String) CODEC(ZSTD(1))
        COMMENT 'path to leaf: n number, x number that is not exact, s string, b1 true, b0 false, a array, o empty object'
)
ENGINE = {engine:MergeTree}
PARTITION BY toMonday(time)
ORDER BY (name, tenant, time)
SETTINGS index_granularity = 1024, ttl_only_drop_parts = 1, {window}, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Product events one by one, with their properties, for as long as the setting keeps them';

CREATE MATERIALIZED VIEW IF NOT EXISTS product_events_mv{cluster} TO product_events AS
SELECT name, tenant, time, user_id, properties
FROM events_in
WHERE time >= toDateTime64('1970-01-01 00:00:00', 3, 'UTC');
