"""Send COUNT events with confluent-kafka: emit_confluent.py SERVERS COUNT [TOPIC-PREFIX]."""

import sys
from decimal import Decimal

from schemas import Entity, Request
from schemas.emit import Emitter


def main(servers: str, count: int, topic_prefix: str = "") -> None:
    """Describe a user, then send ``count`` requests by turns of three tenants."""
    with Emitter(servers, source="/examples/confluent", topic_prefix=topic_prefix) as emitter:
        user = Entity(entity="user", entity_id="u-1", attributes={"name": "Mira", "role": "member"})
        emitter.emit(user, tenant="confluent-0")
        for i in range(count):
            request = Request(
                operation="chat",
                model="gpt-4o-mini",
                status_code=200,
                duration_ms=12.5,
                user_id=f"u-{i % 7}",
                input_tokens=100,
                output_tokens=20,
                cost=Decimal("0.00021"),
            )
            emitter.emit(request, tenant=f"confluent-{i % 3}")
    # Here every event is in Kafka, or EmitError was raised.
    print(f"sent {count} events")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
