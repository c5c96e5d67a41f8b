-- Who may see what, and the keys of programs. pipeline/access reads them; so do the views of the second
-- database, in which everybody sees their own organizations. Nobody else needs a grant on them.

-- A row for each change; the newest of a user, organization and role holds. Read with FINAL, which leaves
-- out what was revoked.
CREATE TABLE IF NOT EXISTS _access{cluster}
(
    user String COMMENT 'as ClickHouse, the issuer of tokens or the proxy names them',
    tenant String COMMENT 'an organization; * is all',
    role LowCardinality(String) COMMENT 'viewer, manager, admin, operator',
    changed_at DateTime64(6, 'UTC') DEFAULT now64(6),
    changed_by String,
    revoked UInt8
)
ENGINE = {engine:ReplacingMergeTree(changed_at, revoked)}
ORDER BY (user, tenant, role)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;

-- A row when a key is made, and one when it is revoked, which holds for good whatever clocks say. Read with
-- FINAL.
CREATE TABLE IF NOT EXISTS _keys{cluster}
(
    id String,
    secret_sha256 String COMMENT 'of the secret, as hexadecimal digits; the secret itself is nowhere',
    name String,
    role LowCardinality(String),
    scope Array(String) COMMENT 'organizations; * is all',
    created_at DateTime64(3, 'UTC'),
    created_by String,
    expires_at Nullable(DateTime64(3, 'UTC')),
    revoked_at Nullable(DateTime64(3, 'UTC')),
    revoked UInt8
)
ENGINE = {engine:ReplacingMergeTree(revoked)}
ORDER BY id
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;

-- When each key was used last, to the minute: a table of its own, so that no use can undo a revocation.
CREATE TABLE IF NOT EXISTS _key_uses{cluster}
(
    id String,
    used_at DateTime64(3, 'UTC')
)
ENGINE = {engine:ReplacingMergeTree(used_at)}
ORDER BY id
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1;
