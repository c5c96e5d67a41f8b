#!/usr/bin/env bash
# Version: chDB 4.4.0 (engine 26.9.2.1); date: 29 November 2026.
#
# An insert under a deduplication token into a table whose materialized view was altered at some
# time (MODIFY QUERY, even to the query it had; MODIFY COMMENT) is deduplicated while the server
# runs, and not against what came before the server's next start:
#
#                                       rows in the target after try and retry, and after restart and retry
#     as it was created                 1, 1
#     MODIFY QUERY to the same query    1, 2
#     ... then DETACH and ATTACH        1, 1
#
# One would guess that a change of the view matters to retries across the change only. But what the
# view's part of the token is made of is not the same before and after the definition is read from
# disk: each server whose view was ever altered has one start at which all retries double.
#
# Why it matters: whoever relies on tokens for exactly-once inserts through views (Kafka consumers
# that send again after a crash) counts twice when store and consumer go down together, once, long
# after the migration. Reading the view again (DETACH, ATTACH) right behind the ALTER avoids it, as
# does making it anew.
#
# Exits 0 while it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check chdb==4.4.0 chdb-core==26.9.0
cd "$folder"
cat > run.py <<'END'
"""Run statements on a database's folder in a process of its own; print what the last one says."""

import sys

from chdb.session import Session

session = Session(sys.argv[1])
for statement in sys.argv[2:]:
    answer = session.query(statement).bytes().decode().strip()
print(answer)
session.close()
END
cat > compare.py <<'END'
import subprocess
import sys

MADE = (
    "CREATE DATABASE d",
    "CREATE TABLE d.head (x UInt8) ENGINE = Null",
    "CREATE TABLE d.target (x UInt8) ENGINE = MergeTree ORDER BY x "
    "SETTINGS non_replicated_deduplication_window = 1000",
    "CREATE MATERIALIZED VIEW d.fills TO d.target AS SELECT x FROM d.head",
)
ALTERED = ("ALTER TABLE d.fills MODIFY QUERY SELECT x FROM d.head",)
READ_AGAIN = ("DETACH TABLE d.fills", "ATTACH TABLE d.fills")
INSERT = (
    "INSERT INTO d.head SETTINGS insert_deduplication_token = 't', insert_deduplicate = 1, "
    "deduplicate_insert = 'enable', deduplicate_blocks_in_dependent_materialized_views = 1, "
    "async_insert = 0 VALUES (1)"
)
COUNT = "SELECT count() FROM d.target"


def started(folder, *statements):
    command = [sys.executable, "run.py", folder, *statements]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def counts(folder, *changes):
    in_one = [started(folder, *MADE, *changes, INSERT, INSERT, COUNT)]
    return [*in_one, started(folder, INSERT, COUNT)]


print("engine", subprocess.run(
    [sys.executable, "run.py", "version", "SELECT version()"],
    check=True, capture_output=True, text=True).stdout.strip())
found = {
    "as created": counts("created"),
    "altered": counts("altered", *ALTERED),
    "altered, read again": counts("again", *ALTERED, *READ_AGAIN),
}
for name, rows in found.items():
    print(f"{name}: rows after try and retry, and after a restart and another retry: {rows}")
if list(found.values()) != [[1, 1], [1, 2], [1, 1]]:
    sys.exit("changed: an altered view is the same to tokens after a restart")
END
"$folder/venv/bin/python" compare.py
