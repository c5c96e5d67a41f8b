"""What somebody who may write any SQL tries, to see of other organizations what is not theirs.

``{view}`` is a view of theirs with their own organization (`beta` is somebody else's), ``{name}``
its name, ``{arguments}`` its arguments but the organization.
"""

from __future__ import annotations

FOREIGN = ("beta", "gamma", "Zeta", "alpha", "delta", "eps", "partner", "stranger", "brien")
"""Organizations that are not theirs: no answer has one of these words."""

ARGUMENTS = (
    "'beta'",
    "'nobody at all'",
    "'*'",
    "'%'",
    "'ACME'",
    "'acme '",
    "' acme'",
    "'acme\\0'",
    "'acme\\' OR 1 = 1 --'",
    "'\\' OR \\'\\' = \\''",
    "concat('be', 'ta')",
    "(SELECT 'beta')",
    "lower('BETA')",
    "toString('beta')",
    "CAST('beta', 'LowCardinality(String)')",
)
"""Of another organization: each is refused, of every view."""

ODD_ARGUMENTS = ("NULL", "['acme']", "1", "('acme', 'beta')", "tenant", "*", "currentUser()")
"""Of no organization, or none that can be: refused too, or of their own."""

REFUSED = (
    # arguments that are not a view's
    "SELECT * FROM {name}({arguments}, tenant = 'acme', tenant = 'beta')",
    "SELECT * FROM {name}({arguments})",
    "SELECT * FROM {name}({arguments}, TENANT = 'beta')",
    "SELECT * FROM {name}",
    # the tables themselves, and everything about them
    "SELECT * FROM usage.requests_15m",
    "SELECT count() FROM usage.requests_15m",
    "SELECT tenant FROM usage.totals_15m LIMIT 1",
    "SELECT * FROM usage._access",
    "SELECT * FROM usage._keys",
    "SELECT * FROM usage.live_windows(as_of = now(), tenant = '')",
    "SELECT * FROM usage.as_of",
    "SELECT 1 WHERE (SELECT count() FROM usage.requests_15m) > 0",
    "SELECT * FROM {view} AS a, usage.requests_15m AS b",
    "SELECT * FROM {view} UNION ALL SELECT * FROM usage.requests_15m",
    "SELECT 'beta' IN (SELECT tenant FROM usage.requests_15m)",
    "SELECT 'beta' IN usage._access",
    "SELECT * FROM usage.requests_1m_mv",
    "DESCRIBE usage.requests_15m",
    "SHOW CREATE TABLE usage.requests_15m",
    "SHOW CREATE VIEW usage.live_windows",
    "EXISTS TABLE usage.requests_15m",
    "CHECK TABLE usage.requests_15m",
    "EXPLAIN ESTIMATE SELECT * FROM usage.requests_15m",
    "EXPLAIN SELECT * FROM usage.requests_15m",
    "EXPLAIN QUERY TREE SELECT * FROM usage.requests_15m",
    "USE usage",
    # table functions
    "SELECT * FROM merge('usage', '.*')",
    "SELECT * FROM merge('.*', 'requests')",
    "SELECT * FROM remote('127.0.0.1', 'usage', 'requests_15m')",
    "SELECT * FROM cluster('default', usage, requests_15m)",
    "SELECT * FROM view(SELECT * FROM usage.requests_15m)",
    "SELECT * FROM loop('usage', 'requests_15m') LIMIT 1",
    "SELECT * FROM mergeTreeIndex('usage', 'requests_15m')",
    "SELECT * FROM mergeTreeProjection('usage', 'requests_15m', 'p')",
    "SELECT * FROM mergeTreeTextIndex('usage', 'requests_15m', 'i')",
    "SELECT * FROM dictionary('usage._access')",
    "SELECT * FROM file('/etc/passwd')",
    "SELECT * FROM file('*/*/data.bin', 'RawBLOB')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'RawBLOB')",
    "SELECT * FROM s3('http://127.0.0.1:1/a', 'RawBLOB')",
    "SELECT * FROM executable('cat', 'RawBLOB', 'a String')",
    "SELECT * FROM sqlite('/etc/a.db', 't')",
    "SELECT * FROM Python('x')",
    # functions
    "SELECT hasColumnInTable('usage', 'requests_15m', 'tenant')",
    "SELECT joinGet('usage._access', 'role', 'beta')",
    "SELECT dictGet('usage._access', 'role', 'beta')",
    "SELECT sleepEachRow(1000000) FROM {view}",
    "SELECT addressToLine(1)",
    # to be somebody else, or more
    "EXECUTE AS owner SELECT 1",
    "SET ROLE owner",
    "GRANT SELECT ON usage.* TO default",
    "CREATE USER eve",
    "CREATE ROW POLICY p ON usage.requests_15m USING 1 TO ALL",
    "CREATE SETTINGS PROFILE p SETTINGS readonly = 0",
    "ALTER USER default SETTINGS readonly = 0",
    "SET readonly = 0",
    "SET readonly = 1",
    "SELECT 1 SETTINGS readonly = 0",
    "SHOW CREATE USER owner",
    "SHOW GRANTS FOR owner",
    # to change something
    "CREATE FUNCTION currentUser AS () -> 'owner'",
    "CREATE FUNCTION has AS (a, b) -> 1",
    "CREATE OR REPLACE FUNCTION throwIf AS (a, b) -> 0",
    "CREATE VIEW usage_tenant.mine AS SELECT * FROM usage.requests_15m",
    "CREATE OR REPLACE VIEW {name} AS SELECT 1",
    "CREATE TABLE usage_tenant.mine ENGINE = Memory AS SELECT * FROM usage.requests_15m",
    "CREATE TABLE usage_tenant.mine AS usage.requests_15m ENGINE = Merge('usage', '.*')",
    (
        "CREATE DICTIONARY usage_tenant.d (user String, role String) PRIMARY KEY user "
        "SOURCE(CLICKHOUSE(DB 'usage' TABLE '_access')) LAYOUT(FLAT()) LIFETIME(0)"
    ),
    "CREATE MATERIALIZED VIEW usage_tenant.m ENGINE = Memory AS SELECT * FROM usage.requests_in",
    "CREATE DATABASE mine",
    "ALTER TABLE {name} MODIFY SQL SECURITY NONE",
    "ALTER TABLE {name} MODIFY QUERY SELECT * FROM usage.requests_15m",
    "ALTER TABLE usage._access DELETE WHERE 1",
    "INSERT INTO usage._access (user, tenant, role) VALUES ('default', 'beta', 'admin')",
    "INSERT INTO FUNCTION file('/tmp/never.csv') SELECT 1",
    "SELECT 1 INTO OUTFILE '/nowhere/never.csv'",
    "DELETE FROM usage._access WHERE 1",
    "UPDATE usage._access SET tenant = 'beta' WHERE 1",
    "DROP VIEW {name}",
    "DROP TABLE usage._access",
    "RENAME TABLE usage._access TO usage._old",
    "EXCHANGE TABLES usage._access AND usage._keys",
    "TRUNCATE TABLE usage._access",
    "DETACH TABLE usage._access",
    "ATTACH TABLE usage._access",
    "OPTIMIZE TABLE usage.requests_15m",
    "BACKUP TABLE usage.requests_15m TO Disk('default', 'x')",
    "RESTORE TABLE usage.requests_15m FROM Disk('default', 'x')",
    "SYSTEM FLUSH LOGS",
    "SYSTEM RELOAD CONFIG",
    "SYSTEM STOP MERGES usage.requests_15m",
    # settings beyond their bounds
    "SELECT 1 SETTINGS max_execution_time = 0",
    "SELECT 1 SETTINGS max_execution_time = 121",
    "SELECT 1 SETTINGS max_memory_usage = 0",
    "SELECT 1 SETTINGS max_result_rows = 0",
    "SELECT 1 SETTINGS max_rows_to_read = 0",
    "SELECT 1 SETTINGS max_threads = 64",
    "SELECT 1 SETTINGS result_overflow_mode = 'break'",
    "SELECT 1 SETTINGS timeout_overflow_mode = 'break'",
    "SELECT 1 SETTINGS send_logs_level = 'trace'",
    "SELECT 1 SETTINGS query_cache_share_between_users = 1",
    "SELECT 1 SETTINGS short_circuit_function_evaluation = 'disable'",
    "SELECT * FROM {view} SETTINGS enable_global_with_statement = 0",
    "SELECT * FROM {view} SETTINGS additional_table_filters = {{'usage._access': '1'}}",
    "SELECT * FROM {view} SETTINGS additional_table_filters = {{'{name}': '1'}}",
)
"""Each is refused."""

OWN = (
    "SELECT * FROM {name}({arguments}, tenant = 'beta', tenant = 'acme')",
    # names of what the view is made of, taken by somebody else
    "WITH 'beta' AS _callers_tenant SELECT * FROM {view}",
    "WITH 'beta' AS asked, ['beta'] AS held, 1 AS every, 1 AS allowed SELECT * FROM {view}",
    "WITH (SELECT 'beta') AS tenant, 'owner' AS user SELECT * FROM {view}",
    (
        "WITH `_access` AS (SELECT 'default' AS user, 'beta' AS tenant, 'admin' AS role) "
        "SELECT * FROM {view}"
    ),
    "WITH requests_15m AS (SELECT 1 AS tenant) SELECT * FROM {view}",
    "SELECT * FROM (SELECT 'beta' AS _callers_tenant) AS x CROSS JOIN {view} AS y",
    "SELECT y.* FROM {view} AS y",
    "SELECT * FROM {view} AS tenant",
    "SELECT * FROM view(SELECT * FROM {view})",
    # conditions and settings that change how it is answered
    "SELECT * FROM {view} WHERE 1 OR tenant = 'beta'",
    "SELECT * FROM {view} WHERE tenant != '' OR 1",
    "SELECT * FROM {view} SETTINGS optimize_move_to_prewhere = 0",
    "SELECT * FROM {view} SETTINGS query_plan_enable_optimizations = 0",
    "SELECT * FROM {view} SETTINGS query_plan_filter_push_down = 1, query_plan_merge_filters = 1",
    "SELECT * FROM {view} SETTINGS enable_scalar_subquery_optimization = 0",
    "SELECT * FROM {view} SETTINGS additional_result_filter = '1 OR tenant = \\'beta\\''",
    "SELECT * FROM {view} SETTINGS final = 1",
    "SELECT * FROM {view} SETTINGS use_query_cache = 1",
    "SELECT * FROM {view} SETTINGS use_skip_indexes = 0, force_primary_key = 0",
    "SELECT * FROM {view} SETTINGS join_use_nulls = 1, transform_null_in = 1",
    "SELECT * FROM {view} SETTINGS extremes = 1",
    "SELECT * FROM {view} SETTINGS empty_result_for_aggregation_by_empty_set = 1",
    "SELECT * FROM {view} SETTINGS log_comment = 'beta'",
    "SELECT * FROM {view} SETTINGS allow_experimental_parallel_reading_from_replicas = 0",
)
"""Each is refused, or answered with just what is theirs."""

LOOKS = (
    "SELECT * FROM viewIfPermitted(SELECT tenant FROM usage.totals_15m ELSE null('tenant String'))",
    "KILL QUERY WHERE 1",
    "SHOW DATABASES",
    "SHOW TABLES FROM usage",
    "SHOW TABLES FROM usage_tenant",
    "SHOW FULL TABLES",
    "SHOW COLUMNS FROM requests_15m FROM usage",
    "SHOW INDEX FROM requests_15m FROM usage",
    "SHOW PROCESSLIST",
    "SHOW USERS",
    "SHOW ACCESS",
    "SHOW GRANTS",
    "SHOW SETTINGS LIKE 'max_rows_to_read'",
    "SHOW DICTIONARIES",
    "SHOW POLICIES",
    "SHOW QUOTA",
    "SHOW CLUSTERS",
    "SHOW FUNCTIONS LIKE 'currentU%'",
    "SELECT database, name, total_rows, total_bytes FROM system.tables",
    "SELECT * FROM system.databases",
    "SELECT * FROM system.columns",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM information_schema.columns",
    *(
        f"SELECT * FROM system.{table}"
        for table in """
        parts parts_columns detached_parts projection_parts projections data_skipping_indices
        merges mutations moves replicas replication_queue part_log query_log query_thread_log
        query_views_log processes metrics events asynchronous_metrics text_log trace_log
        metric_log crash_log session_log users roles grants row_policies quotas quotas_usage
        settings_profiles dictionaries view_refreshes query_cache query_condition_cache
        filesystem_cache disks storage_policies clusters distribution_queue
        distributed_ddl_queue zookeeper warnings asynchronous_inserts dropped_tables
        user_processes remote_data_paths current_roles
        """.split()  # noqa: SIM905 - one name a word
    ),
    "SELECT currentUser(), currentDatabase(), currentProfiles(), currentRoles(), version()",
    "SELECT getSetting('readonly'), hostName(), uptime(), tcpPort()",
    "DESCRIBE {view}",
    "DESCRIBE {name}",
    "SHOW CREATE VIEW {name}",
    "EXPLAIN AST SELECT * FROM {view}",
    "EXPLAIN SYNTAX SELECT * FROM {view}",
    "EXPLAIN QUERY TREE SELECT * FROM {view}",
    "EXPLAIN PLAN actions = 1 SELECT * FROM {view}",
    "EXPLAIN PIPELINE SELECT * FROM {view}",
    "EXPLAIN indexes = 1 SELECT * FROM {view}",
)
"""Each is refused, or answered without a word of others; never with rows of the tables."""

ORACLES = (
    "SELECT count() FROM {view} WHERE throwIf(tenant = 'beta') = 0",
    "SELECT count() FROM {view} WHERE tenant = 'acme' AND throwIf(tenant = 'beta') = 0",
    (
        "SELECT count() FROM {view} WHERE 1 / if(tenant = 'beta', 0, 1) > 0 "
        "AND intDiv(1, if(tenant = 'beta', 0, 1)) = 1"
    ),
    "SELECT count() FROM {view} PREWHERE throwIf(tenant = 'beta') = 0",
    "SELECT count() FROM {view} HAVING sum(throwIf(tenant = 'beta')) = 0",
    "SELECT count() FROM (SELECT * FROM {view} ORDER BY throwIf(tenant = 'beta') LIMIT 1000)",
    (
        "SELECT count() FROM {view} AS y INNER JOIN (SELECT arrayJoin(['acme', 'beta']) AS tenant) "
        "AS x ON x.tenant = y.tenant AND throwIf(y.tenant = 'beta') = 0"
    ),
    (
        "SELECT count() FROM {view} WHERE throwIf(tenant = 'beta') = 0 "
        "SETTINGS query_plan_merge_filters = 0, optimize_move_to_prewhere = 0"
    ),
    "SELECT count() FROM {view} WHERE NOT ignore(throwIf(tenant = 'beta')) = 0 OR 1",
)
"""Conditions that fail where a row of somebody else is met: with one word for another each must be
answered alike, whether that organization is there or not."""
