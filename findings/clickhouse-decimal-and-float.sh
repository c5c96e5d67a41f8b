#!/usr/bin/env bash
# Version: chDB 4.4.0 (engine 26.9.2.1); date: 28 November 2026.
#
# Between a Decimal of 18 places and a Float64 ClickHouse multiplies or divides by 10^18 in floating
# point. One would guess that the nearest double comes out, and that a whole number survives:
#
#     toFloat64(toDecimal128('39595.05', 18))     39595.049999999996, not 39595.05
#     toDecimal256(200.0, 18)                     200.000000000000000006, not 200
#     whole numbers below 100,000 as a Decimal of 18 places, made a Float64: 12,976 are not whole
#     whole Float64 below 1,000 as a Decimal256 of 18 places: 870 are not whole
#
# By way of text all of them are right: toFloat64(toString(d)), toDecimal256(toString(f), 18). A
# Decimal64 of two places has no such case among 4,000 amounts.
#
# Why it matters: money and measures are kept as decimals of many places, and averages, percentages
# and charts take doubles of them. A price shown as 39595.049999999996, or 200 that does not equal
# 200, is then no error of the sum.
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
    return session.query(sql + " SETTINGS precise_float_parsing = 1").bytes().decode().strip()


amounts = (
    "(SELECT toString(number * 7919 % 1000003) || '.' || leftPad(toString(number % 100), 2, '0') "
    "AS text FROM numbers(4000))"
)
print("engine", ask("SELECT version()"))
found = {
    "39595.05": ask("SELECT toFloat64(toDecimal128('39595.05', 18))"),
    "200.0": ask("SELECT toDecimal256(200.0, 18)").strip('"'),
    "whole, to Float64": ask(
        "SELECT countIf(toFloat64(toDecimal256(toString(number), 18)) != number) FROM numbers(100000)"
    ),
    "whole, to Decimal256": ask(
        "SELECT countIf(toDecimal256(toFloat64(number), 18) != number) FROM numbers(1000)"
    ),
    "of two places": ask(
        f"SELECT countIf(toFloat64(toDecimal64(text, 2)) != toFloat64(text)) FROM {amounts}"
    ),
    "by way of text": ask(
        "SELECT countIf(toFloat64(toString(toDecimal256(text, 18))) != toFloat64(text)) "
        f"FROM {amounts}"
    ),
}
for what, value in found.items():
    print(what, value)
session.close()
if list(found.values()) != ["39595.049999999996", "200.000000000000000006", "12976", "870", "0", "0"]:
    sys.exit("changed: these conversions between Decimal and Float64 are others")
END
