#!/usr/bin/env bash
# Version: chDB 4.4.0 (engine 26.9.2.1); date: 28 November 2026.
#
# On a session that is used again, the rows that a query gave before it failed stand before the
# answer of the next query, in every format, and nothing says so:
#
#     SELECT number + 7000, throwIf(number = 5) ...   raises, as it should
#     SELECT 1                                        answers 7000, 7001, 7002 ... and then 1
#
# The query after that is answered right.
#
# Why it matters: whoever catches the error and goes on with the same session (a web service, a
# retry) takes rows of another question for part of an answer. As Native
# or CSV the answer is well-formed. What helps: a session for each query, or a query whose answer
# is thrown away after each error.
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

FAILS = "SELECT number + 7000 AS n, throwIf(number = 5) FROM numbers(10) SETTINGS max_block_size = 1"
strangers = 0
session = Session()
print("engine", session.query("SELECT version()").bytes().decode().strip())
for output in ("CSV", "JSONEachRow"):
    try:
        session.query(FAILS, output)
        sys.exit("the query did not fail")
    except RuntimeError as error:
        print(f"{output}: failed with {str(error)[:10]}")
    first = session.query("SELECT 1 AS a", output).bytes().decode().splitlines()
    second = session.query("SELECT 1 AS a", output).bytes().decode().splitlines()
    print(f"{output}: SELECT 1 AS a answers {first}, and asked again {second}")
    strangers += len(first) - 1
    assert len(second) == 1
session.close()
if not strangers:
    sys.exit("changed: no row of the failed query is in the next answer")
END
