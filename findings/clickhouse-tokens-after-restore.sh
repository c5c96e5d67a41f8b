#!/usr/bin/env bash
# Version: chDB 4.4.0 (engine 26.9.2.1); date: 28 November 2026.
#
# A backup has a table's rows, and not the deduplication tokens under which they were inserted; nor
# does a table keep the tokens of a partition that is dropped out of it and attached again:
#
#     INSERT under the token t, twice                       1 row
#     BACKUP, DROP DATABASE, RESTORE, INSERT under t        2 rows
#     DETACH PARTITION, ATTACH PARTITION, INSERT under t    3 rows (then held off: 3 again)
#
# One would guess that an insert that may be repeated before a backup may be repeated after it was
# restored: the window is a setting of the table, the restored table has that setting, and the rows
# are the same parts. Its log of tokens is no part, though, and begins anew.
#
# Why it matters: whoever relies on tokens to repeat an insert of unknown outcome counts it twice if
# a restore, or the moving of a partition, lies between. Before a backup no such insert may be open.
#
# Exits 0 while it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check chdb==4.4.0 chdb-core==26.9.0
mkdir "$folder/backups" "$folder/work"
cat >"$folder/config.xml" <<END
<clickhouse><backups><allowed_path>$folder/backups</allowed_path></backups></clickhouse>
END
cd "$folder/work"
"$folder/venv/bin/python" - "$folder" <<'END'
import sys

from chdb.session import Session

folder = sys.argv[1]
session = Session(f"{folder}/store?config-file={folder}/config.xml")


def ask(sql):
    return session.query(sql).bytes().decode().strip()


def insert():
    ask(
        "INSERT INTO d.target SETTINGS insert_deduplication_token = 't', insert_deduplicate = 1, "
        "deduplicate_insert = 'enable', async_insert = 0 VALUES (1)"
    )
    return int(ask("SELECT count() FROM d.target"))


print("engine", ask("SELECT version()"))
ask("CREATE DATABASE d")
ask(
    "CREATE TABLE d.target (x UInt8) ENGINE = MergeTree ORDER BY x "
    "SETTINGS non_replicated_deduplication_window = 1000"
)
found = [insert(), insert()]
ask("BACKUP DATABASE d TO File('one')")
ask("DROP DATABASE d SYNC")
ask("RESTORE DATABASE d FROM File('one')")
found += [insert(), insert()]
ask("ALTER TABLE d.target DETACH PARTITION tuple()")
ask("ALTER TABLE d.target ATTACH PARTITION tuple()")
found += [insert(), insert()]
print("rows: inserted, repeated; restored, repeated; attached, repeated:", found)
session.close()
if found != [1, 1, 2, 2, 3, 3]:
    sys.exit("changed: tokens are kept through a restore, or through detaching")
END
