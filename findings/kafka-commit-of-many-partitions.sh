#!/usr/bin/env bash
# Version: Apache Kafka 4.1.1 (broker), aiokafka 0.14.0; date: 29 November 2026.
# Needs Java 17 and Maven.
#
# A commit's metadata has a limit for each partition, offset.metadata.max.bytes (4,096 bytes unless
# it is set), and an error of its own beyond it, OffsetMetadataTooLarge. There is another limit, of
# all partitions together: the broker writes a request's offsets as one batch of records, which
# message.max.bytes bounds (1,048,588). Kafka has an error for that as well, InvalidCommitOffsetSize;
# what comes is UnknownError, the error of what nobody thought of:
#
#     240 partitions with 4,000 bytes each    taken
#     280 partitions with 4,000 bytes each    UnknownError (-1), for each of them
#     one partition with 4,097 bytes          OffsetMetadataTooLarge (12)
#
# Why it matters: it is not an error that a client may try again, and no other size is said. A worker
# that has a few hundred partitions and says something with each commit works until a rebalance gives
# it a few more, and then with none. What helps: several commits, each well below the limit.
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
    aiokafka==0.14.0
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
import logging
import sys

from aiokafka import AIOKafkaConsumer, OffsetAndMetadata, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

SERVERS = sys.argv[1]
logging.disable(logging.CRITICAL)  # it would say all of each metadata


async def created():
    for _ in range(60):
        admin = AIOKafkaAdminClient(bootstrap_servers=SERVERS)
        try:
            await admin.start()
            await admin.create_topics([NewTopic("t", 300, 1)])
            return
        except KafkaError:
            await asyncio.sleep(0.5)
        finally:
            await admin.close()


async def commit(partitions, size):
    """What becomes of one commit: "taken", or its error."""
    mine = [TopicPartition("t", n) for n in range(partitions)]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=SERVERS, group_id=f"g-{partitions}-{size}", enable_auto_commit=False
    )
    await consumer.start()
    consumer.assign(mine)
    try:
        await consumer.commit({tp: OffsetAndMetadata(0, "m" * size) for tp in mine})
        return "taken"
    except KafkaError as error:
        return f"{type(error).__name__} ({error.errno})"
    finally:
        await consumer.stop()


async def main():
    await created()
    found = [await commit(240, 4000), await commit(280, 4000), await commit(1, 4097)]
    for (partitions, size), answer in zip([(240, 4000), (280, 4000), (1, 4097)], found):
        print(f"{partitions} partitions with {size} bytes each: {answer}")
    if found != ["taken", "UnknownError (-1)", "OffsetMetadataTooLargeError (12)"]:
        sys.exit("changed: what is too large is answered otherwise")


asyncio.run(main())
END
