// Send COUNT requests with kafkajs, in the binary form: node produce.mjs SERVERS COUNT [TOPIC-PREFIX]
import { randomUUID } from "node:crypto";
import { CompressionTypes, Kafka, Partitioners } from "kafkajs";

const [servers, count, prefix = ""] = process.argv.slice(2);
const BATCH = 500;

/** A record of the binary form: attributes are headers, the value is `data`. */
function record(tenant, data) {
  return {
    key: tenant,
    headers: {
      "content-type": "application/json",
      ce_specversion: "1.0",
      ce_id: randomUUID(),
      ce_source: "/examples/node",
      ce_type: "usage.request.v1",
      ce_subject: tenant,
      ce_time: new Date().toISOString(),
    },
    value: JSON.stringify(data),
  };
}

const producer = new Kafka({ clientId: "example-node", brokers: servers.split(",") }).producer({
  createPartitioner: Partitioners.DefaultPartitioner, // murmur2, that of Java's clients
  idempotent: true, // implies acks from all in-sync replicas
  maxInFlightRequests: 1, // kafkajs keeps the order only so
});

await producer.connect();
try {
  for (let sent = 0; sent < Number(count); sent += BATCH) {
    const size = Math.min(BATCH, Number(count) - sent);
    const messages = Array.from({ length: size }, (_, i) =>
      record(`node-${(sent + i) % 3}`, {
        operation: "chat",
        model: "gpt-4o-mini",
        status_code: 200,
        duration_ms: 12.5,
        user_id: `u-${i % 7}`,
        input_tokens: 100,
        output_tokens: 20,
        cost: "0.00021", // as a string: a double would not hold every cost
      }),
    );
    // Rejects when they are not in Kafka after kafkajs' own retries.
    await producer.send({
      topic: `${prefix}usage.requests`,
      acks: -1,
      compression: CompressionTypes.GZIP,
      messages,
    });
  }
} finally {
  await producer.disconnect();
}
console.log(`sent ${count} events`);
