-- For who defines a metric: the properties to choose from, and what they are. Of no number of the list.
CREATE OR REPLACE VIEW _seen_properties{cluster} AS
SELECT
    path,
    kind,
    count() AS events,
    groupUniqArray(3)(leftUTF8(substring(leaf, 2), 100)) AS examples
FROM
(
    SELECT
        one.1 AS path,
        one.2 AS leaf,
        _kind(leaf) AS kind
    FROM
    (
        SELECT arrayJoin(CAST(properties, 'Array(Tuple(String, String))')) AS one
        FROM product_events
        WHERE has({names:Array(String)}, name)
            AND time >= {as_of:DateTime('UTC')} - toIntervalDay({days:UInt16}) AND time < {as_of:DateTime('UTC')}
    )
)
GROUP BY path, kind
ORDER BY sum(events) OVER (PARTITION BY path) DESC, path, events DESC
LIMIT {k:UInt32}
COMMENT '
The properties of product events of some days, by kind, the most frequent first.
events events';
