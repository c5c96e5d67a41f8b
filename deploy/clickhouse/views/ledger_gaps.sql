-- Where the chunks of a log do not tile its offsets, and what retention deleted before it was counted.
-- A row is compared with the greatest end of all rows before it: one inside another is one overlap, and no
-- gap behind it. A log begins with its first chunk.
CREATE OR REPLACE VIEW ledger_gaps{cluster} AS
SELECT
    CAST(topic, 'String') AS topic,
    partition,
    finding.1 AS from_offset,
    finding.2 AS to_offset,
    finding.3 AS kind
FROM
(
    SELECT
        topic, partition, incarnation, a, b, row_kind,
        if(count() OVER before = 0, a, max(b) OVER before) AS reached
    FROM
    (
        -- A ledger row may be there twice until parts are merged.
        SELECT
            topic, partition, incarnation, from_offset AS a,
            argMax(to_offset, recorded_at) AS b, argMax(kind, recorded_at) AS row_kind
        FROM chunks
        GROUP BY topic, partition, incarnation, from_offset
    )
    WINDOW before AS
    (
        PARTITION BY topic, partition, incarnation ORDER BY a
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
)
ARRAY JOIN arrayConcat(
    if(reached < a, [(reached, a, 'gap')], []),
    if(reached > a, [(a, least(b, reached), 'overlap')], []),
    if(row_kind = 'lost', [(a, b, 'lost')], [])
) AS finding
ORDER BY topic, partition, incarnation, from_offset, kind
COMMENT 'L3
Offsets that no chunk covers, that two chunks cover, or that were lost; no rows when all is well.
';
