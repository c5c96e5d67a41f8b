#!/usr/bin/env bash
# Version: aiokafka 0.14.0; date: 29 November 2026.
#
# Its sticky assignor evens out how many partitions each member has of all topics together, and
# nothing more. Members that join one after the other take whole topics over. Four topics of 64
# partitions, of which each member reads all:
#
#     2 members: 0 and 64 partitions of the topic `d`
#     4 members: 0, 0, 22 and 42; in another order of the topics 0, 0, 0 and 64
#     8 members: 0 to 17
#     8 members that join at the same time: 8 each
#
# Why it matters: where one topic has nearly all records, as it is with facts and their master data,
# a second, third and fourth consumer bring nothing, and nothing says so: all have as many
# partitions. What helps: the round-robin assignor, at the price of moving most partitions at each
# rebalance, or an assignor of one's own that spreads each topic.
#
# Exits 0 while it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check aiokafka==0.14.0
cd "$folder"
"$folder/venv/bin/python" - <<'END'
import sys
from types import SimpleNamespace

from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor as Sticky

TOPICS = {topic: set(range(64)) for topic in "abcd"}
cluster = SimpleNamespace(topics=lambda: list(TOPICS), partitions_for_topic=TOPICS.get)


def join(had, members):
    """The assignment of a group of these members, which had this."""
    said = {m: Sticky._metadata(list(TOPICS), had.get(m), 1 if m in had else -1) for m in members}
    found = Sticky.assign(cluster, said)
    return {member: found[member].partitions() for member in members}


def of_d(had):
    return sorted(sum(tp.topic == "d" for tp in partitions) for partitions in had.values())


had, seen = {}, {}
for count in range(1, 9):
    had = join(had, [f"member-{n}" for n in range(count)])
    seen[count] = of_d(had)
    totals = sorted(len(partitions) for partitions in had.values())
    print(f"{count} members: {seen[count]} of the topic d, {totals[0]} to {totals[-1]} in all")
at_once = of_d(join({}, [f"member-{n}" for n in range(8)]))
print(f"8 members that join at the same time: {at_once} of the topic d")
if seen[2] != [0, 64] or seen[4][:2] != [0, 0] or seen[8][0] != 0 or at_once != [8] * 8:
    sys.exit("changed: topics are spread otherwise")
END
