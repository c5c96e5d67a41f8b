-- For a dry run: what stands at some paths, among the events of some names. Of no number of the list.
CREATE OR REPLACE VIEW _metric_leaves{cluster} AS
SELECT
    path,
    kind,
    count() AS events,
    groupUniqArray(3)(leftUTF8(substring(leaf, 2), 100)) AS examples,
    arraySort(groupUniqArrayArray(100)(paths_inside)) AS inside,
    arrayMap(one -> concat(one.1, ', ', formatDateTime(one.2, '%Y-%m-%dT%H:%i:%SZ', 'UTC')),
        groupArray(3)((tenant, time))) AS of_events
FROM
(
    SELECT
        CAST(tenant, 'String') AS tenant,
        time,
        arrayJoin({paths:Array(String)}) AS path,
        _leaf(path) AS leaf,
        if(leaf != '', [], arrayFilter(other -> startsWith(other, concat(path, '.')),
            CAST(mapKeys(properties), 'Array(String)'))) AS paths_inside,
        multiIf(leaf != '', _kind(leaf), notEmpty(paths_inside), 'object', 'missing') AS kind
    FROM product_events
    WHERE has({names:Array(String)}, name)
        AND time >= {as_of:DateTime('UTC')} - toIntervalDay({days:UInt16}) AND time < {as_of:DateTime('UTC')}
)
GROUP BY path, kind
ORDER BY path, events DESC, kind
COMMENT '
What stands at some paths of the properties of product events, by kind.
events events';
