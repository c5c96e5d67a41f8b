#!/usr/bin/env bash
# Version: chDB 4.4.0 (engine 26.9.2.1); date: 28 November 2026.
#
# Native without a client's revision (files, chDB, INTO OUTFILE) forgets the time zone of a column
# whose type is `DateTime('zone')`, and of no other: inside Nullable or Array, and as DateTime64,
# the zone is there. With `output_format_native_encode_types_in_binary_format = 1` it is there too:
#
#     DateTime('Asia/Tokyo')             named  DateTime
#     Nullable(DateTime('Asia/Tokyo'))   named  Nullable(DateTime('Asia/Tokyo'))
#     DateTime64(0, 'Asia/Tokyo')        named  DateTime64(0, 'Asia/Tokyo')
#
# Why it matters: a reader of the file shows such instants in the reader's or UTC's zone, hours from
# where they were written, while the column beside them is right. Days and months that are taken
# from them shift. What helps: types in binary format, DateTime64, or `client_protocol_version` of
# 54337 or newer where a server answers.
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
print("engine", session.query("SELECT version()").bytes().decode().strip())
ZONE = b"Asia/Tokyo"
kept = {}
for name in (
    "DateTime('Asia/Tokyo')",
    "Nullable(DateTime('Asia/Tokyo'))",
    "Array(DateTime('Asia/Tokyo'))",
    "DateTime64(0, 'Asia/Tokyo')",
):
    quoted = name.replace("'", "\\'")
    sql = f"SELECT defaultValueOfTypeName('{quoted}') AS t"
    binary = "SETTINGS output_format_native_encode_types_in_binary_format = 1"
    kept[name] = [
        ZONE in session.query(f"{sql} {more}", "Native").bytes() for more in ("", binary)
    ]
    print(f"{name}: zone in Native {kept[name][0]}, with types in binary format {kept[name][1]}")
session.close()
if list(kept.values()) != [[False, True], *[[True, True]] * 3]:
    sys.exit("changed: see above")
END
