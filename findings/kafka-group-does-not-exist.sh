#!/usr/bin/env bash
# Version: Apache Kafka 4.1.1 (broker), aiokafka 0.14.0, confluent-kafka 2.16.1 (librdkafka);
# date: 29 November 2026. Needs Java 17 and Maven.
#
# A consumer of the new group protocol (group.protocol=consumer) that joins a live group of the
# classic one is let in: the broker turns the group over, for group.consumer.migration.policy is
# bidirectional by default. Unless the group's assignor gives its members user data: then the one
# that joins ends with a fatal error, "The group id does not exist", of a group that is there, stable
# and described by the same broker. Why is said in the broker's log alone.
#
#     members without user data     the new one is in
#     members with user data        fatal, "The group id does not exist"; the group goes on as it was
#
# Why it matters: who looks for that error looks for a wrong name or an expired group, and the same
# client, in the same group, worked until somebody's assignor had something to say. It is also a way
# to keep members of the new protocol out of a group without touching the broker.
#
# Exits 0 while it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
broker=
ended() {
    if [ "$broker" ]; then kill "$broker" && wait "$broker" || true; fi
    rm -rf "$folder"
}
trap ended EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    aiokafka==0.14.0 confluent-kafka==2.16.1
cd "$folder"
cat >pom.xml <<'END'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>4.1.1</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
END
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DoutputDirectory="$folder/jars"
read -r port controller < <(python3 -c '
import socket
some = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(one.getsockname()[1] for one in some))')
cat >server.properties <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$folder/data
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
END
java -cp "jars/*" kafka.tools.StorageTool format -t AAAAAAAAAAAAAAAAAAAAAQ -c server.properties \
    >format.log 2>&1
java -Xmx512m -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "jars/*" kafka.Kafka \
    server.properties >broker.log 2>&1 &
broker=$!
"$folder/venv/bin/python" - "127.0.0.1:$port" <<'END'
import asyncio
import sys
import time

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

SERVERS = sys.argv[1]
admin = AdminClient({"bootstrap.servers": SERVERS, "log_level": 0})
for _ in range(60):
    try:
        admin.list_topics(timeout=1)
        break
    except KafkaException:
        time.sleep(0.5)
admin.create_topics([NewTopic("t", 1, 1)])["t"].result()


class Saying(RangePartitionAssignor):
    """As the one that comes with the library, but that it gives each member some bytes."""

    name = "saying"

    @classmethod
    def assign(cls, cluster, members):
        return {
            member: ConsumerProtocolMemberAssignment(given.version, given.assignment, b"bytes")
            for member, given in super().assign(cluster, members).items()
        }


def join(group):
    """What becomes of a consumer of the new protocol: its error, or that it is in."""
    consumer = Consumer(
        {"bootstrap.servers": SERVERS, "group.id": group, "group.protocol": "consumer",
         "enable.auto.commit": False, "log_level": 0}
    )
    consumer.subscribe(["t"])
    try:
        for _ in range(150):
            said = consumer.poll(0.2)
            if said is not None and said.error():
                is_fatal = said.error().code() == KafkaError._FATAL
                return f"fatal: {is_fatal}, {said.error().str()}"
            described = admin.describe_consumer_groups([group])[group].result()
            if described.type.name == "CONSUMER":
                return "in"
        return "nothing"
    finally:
        consumer.close()


async def beside(group, assignor):
    had = AIOKafkaConsumer(
        "t", bootstrap_servers=SERVERS, group_id=group, enable_auto_commit=False,
        partition_assignment_strategy=[assignor],
    )
    await had.start()
    while not had.assignment():
        await asyncio.sleep(0.1)
    found = await asyncio.to_thread(join, group)
    described = admin.describe_consumer_groups([group])[group].result()
    await had.stop()
    return found, described.state.name, len(described.members)


plain = asyncio.run(beside("plain", RangePartitionAssignor))
saying = asyncio.run(beside("saying", Saying))
print("members without user data:", plain)
print("members with user data:   ", saying)
if plain[0] != "in" or "group id does not exist" not in saying[0] or "True" not in saying[0]:
    sys.exit("changed: who joins is told otherwise")
if saying[1:] != ("STABLE", 1):
    sys.exit("changed: the group is not what it was")
END
grep -m1 -o "Cannot upgrade classic group.*" broker.log
