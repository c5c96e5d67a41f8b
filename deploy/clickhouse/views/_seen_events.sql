-- For who defines a metric: the names to choose from. Of no number of the list, so in no catalogue.
CREATE OR REPLACE VIEW _seen_events{cluster} AS
SELECT
    CAST(name, 'String') AS name,
    count() AS events,
    max(time) AS last_seen
FROM product_events
WHERE time >= {as_of:DateTime('UTC')} - toIntervalDay({days:UInt16}) AND time < {as_of:DateTime('UTC')}
GROUP BY name
ORDER BY events DESC, name
LIMIT {k:UInt32}
COMMENT '
The names of the product events of some days, the most frequent first.
events events';
