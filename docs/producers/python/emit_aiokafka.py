"""Send COUNT events with aiokafka: emit_aiokafka.py SERVERS COUNT [TOPIC-PREFIX]."""

import asyncio
import sys
from datetime import UTC, datetime

from schemas import RecipeAction
from schemas.emit import AsyncEmitter


async def main(servers: str, count: int, topic_prefix: str = "") -> None:
    """Send ``count`` steps of one recipe's job, by turns of three tenants."""
    job = datetime.now(UTC).isoformat()
    emitter = AsyncEmitter(servers, source="/examples/aiokafka", topic_prefix=topic_prefix)
    async with emitter:
        for step in range(count):
            action = RecipeAction(
                recipe_id="r-12",
                job_id=job,
                step=step,
                kind="action",
                outcome="succeeded",
                app="salesforce",
            )
            # An id of its own, so that the same step emitted again would be counted once.
            await emitter.emit(action, tenant=f"aiokafka-{step % 3}", id=f"{job}/{step}")
    # Here every event is in Kafka, or EmitError was raised.
    print(f"sent {count} events")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
