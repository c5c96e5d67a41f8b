-- Entities: a change log. A row is the whole state of one thing, as it stands from `time` on; none
-- is ever changed or merged away, so that any past instant can be read. Before T, that row stands
-- whose time is the greatest below T; at the same time, within a partition the one of the higher
-- (offset, element), between partitions those ones' (arrival, partition).
CREATE TABLE IF NOT EXISTS entities_in{cluster}
(
    tenant String COMMENT '* of models and apps',
    entity LowCardinality(String) COMMENT 'tenant, user, team, …',
    entity_id String,
    time DateTime64(3, 'UTC'),
    arrival DateTime64(3, 'UTC') COMMENT 'the timestamp of the record',
    partition UInt32,
    offset Int64,
    element UInt32 COMMENT 'place in its batch; 0 outside of one',
    deleted UInt8,
    attributes String COMMENT 'a JSON object, compact, as sent but for nulls; {} where there is none',
    name String,
    kind String,
    external_id String,
    subscription String,
    timezone String,
    billing_anchor_day UInt8,
    email String,
    role String,
    team_id String,
    owner_user_id String,
    service_account_id String,
    status String,
    recommended UInt8,
    cloned_from String,
    app String
)
ENGINE = Null;

CREATE TABLE IF NOT EXISTS entities{cluster}
(
    tenant String COMMENT '* of models and apps',
    entity LowCardinality(String) COMMENT 'tenant, user, team, …',
    entity_id String,
    time DateTime64(3, 'UTC'),
    arrival DateTime64(3, 'UTC') COMMENT 'the timestamp of the record',
    partition UInt32,
    offset Int64,
    element UInt32 COMMENT 'place in its batch; 0 outside of one',
    deleted UInt8,
    attributes String COMMENT 'a JSON object, compact, as sent but for nulls; {} where there is none',
    -- Those attributes that the contract knows for the entity: '' or 0 where absent.
    name String,
    kind String,
    external_id String,
    subscription String,
    timezone String,
    billing_anchor_day UInt8,
    email String,
    role String,
    team_id String,
    owner_user_id String,
    service_account_id String,
    status String,
    recommended UInt8,
    cloned_from String,
    app String,
    -- As the rollups have it, to be checked against the ledger like them.
    changes UInt8 ALIAS 1,
    quarter DateTime('UTC') ALIAS toStartOfFifteenMinutes(time)
)
ENGINE = {engine:MergeTree}
ORDER BY (entity, tenant, entity_id, time, partition, offset, element)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS entities_mv{cluster} TO entities AS
SELECT
    tenant, entity, entity_id, time, arrival, partition, offset, element, deleted, attributes,
    name, kind, external_id, subscription, timezone, billing_anchor_day, email, role, team_id,
    owner_user_id, service_account_id, status, recommended, cloned_from, app
FROM entities_in;
