"""Emit events to Kafka, with confluent-kafka or with aiokafka.

::

    from schemas import Request
    from schemas.emit import Emitter

    with Emitter("kafka-1:9092", source="/gateway/eu-1") as emitter:
        emitter.emit(
            Request(operation="chat", model="gpt-4o-mini", status_code=200, duration_ms=812.5),
            tenant="acme",
        )

``AsyncEmitter`` is the same for asyncio: ``async with`` and ``await emitter.emit(...)``. Keep one
emitter for the life of the process.

What is guaranteed: each event is checked against the contract before it is sent (``InvalidEvent``
at once). The client sends it again until all in-sync replicas have it, without making a second
copy (an idempotent producer), in order within a tenant. The tenant is the key, and the partitioner
is the Java clients' (murmur2) in both, so a tenant's events stay in one partition whichever is
used. Every event is in Kafka when ``flush`` or the end of the ``with`` block returns; what is not
raises ``EmitError`` with each failed event, or went to ``on_failure``.

What is not: events wait in memory for a moment (``linger``) and are gone if the process is killed
meanwhile. Who needs more keeps a record of its own, emits again, and gives each event its ``id``:
an event of the same ``source`` and ``id`` within the last million offsets of its partition is
counted once. More processes or more partitions are no problem for counting; only a repeat that
comes to another partition is not recognised.
"""

from schemas.emit.aio import AsyncEmitter
from schemas.emit.base import EmitError, Failure
from schemas.emit.confluent import Emitter
from schemas.encoding import InvalidEvent

__all__ = ["AsyncEmitter", "EmitError", "Emitter", "Failure", "InvalidEvent"]
