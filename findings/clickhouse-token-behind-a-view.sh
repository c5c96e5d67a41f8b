#!/usr/bin/env bash
# Version: chDB 4.4.0 (engine 26.9.2.1); date: 28 November 2026.
#
# A deduplication token that reached a table through a materialized view is not known to an insert
# straight into that table, and the other way round, though the rows are the same and both are
# deduplicated (insert_deduplication_token, deduplicate_blocks_in_dependent_materialized_views = 1):
#
#     INSERT INTO head under the token t    twice    1 row in the view's target
#     INSERT INTO target under the token t  twice    2 rows: one more, once
#
# Why it matters: to fill one target of several views again, the natural idea is to insert into that
# table alone under the tokens of then, so that what had arrived is dropped. It is not: it counts
# twice. What has arrived must be told otherwise; tokens only hold off the repeats of one way.
#
# Exits 0 while it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check chdb==4.4.0 chdb-core==26.9.0
cd "$folder"
"$folder/venv/bin/python" - <<'END'
import sys

from chdb.session import Session

session = Session()


def ask(sql):
    return session.query(sql).bytes().decode().strip()


def insert(table):
    ask(
        f"INSERT INTO {table} SETTINGS insert_deduplication_token = 't', insert_deduplicate = 1, "
        "deduplicate_insert = 'enable', deduplicate_blocks_in_dependent_materialized_views = 1, "
        "async_insert = 0 VALUES (1)"
    )
    return int(ask("SELECT count() FROM target"))


print("engine", ask("SELECT version()"))
ask("CREATE DATABASE d")
ask("USE d")
ask("CREATE TABLE head (x UInt8) ENGINE = Null")
ask(
    "CREATE TABLE target (x UInt8) ENGINE = MergeTree ORDER BY x "
    "SETTINGS non_replicated_deduplication_window = 1000"
)
ask("CREATE MATERIALIZED VIEW fills TO target AS SELECT x FROM head")
found = [insert(table) for table in ("head", "head", "target", "target", "head")]
print("rows in the target after head, head, target, target, head:", found)
session.close()
if found != [1, 1, 2, 2, 2]:
    sys.exit("changed: the token of the view's block and of a direct insert are the same")
END
