// Send COUNT requests with CloudEvents' SDK and kafkajs: node produce_sdk.mjs SERVERS COUNT [TOPIC-PREFIX]
import { CloudEvent, Kafka as Binding } from "cloudevents";
import { CompressionTypes, Kafka, Partitioners } from "kafkajs";

const [servers, count, prefix = ""] = process.argv.slice(2);
const BATCH = 500;

/** An event as a record of the binary form, as kafkajs takes it. */
function record(event) {
  const { headers, value } = Binding.binary(event);
  return {
    key: event.subject,
    // The SDK has a header for each attribute that it knows, most of them undefined, which kafkajs does not send.
    headers: Object.fromEntries(Object.entries(headers).filter(([, text]) => typeof text === "string")),
    value: JSON.stringify(value), // the SDK hands the object over
    // No `timestamp`: the SDK's is the event's time as a string; Kafka's own should say when it was sent.
  };
}

function request(tenant, user) {
  return new CloudEvent({
    source: "/examples/node-sdk", // the SDK makes a random id, and a time in milliseconds
    type: "usage.request.v1",
    subject: tenant,
    data: {
      operation: "chat",
      model: "gpt-4o-mini",
      status_code: 200,
      duration_ms: 12.5,
      user_id: user,
      input_tokens: 100,
      output_tokens: 20,
      cost: "0.00021",
    },
  });
}

const producer = new Kafka({ clientId: "example-node-sdk", brokers: servers.split(",") }).producer({
  createPartitioner: Partitioners.DefaultPartitioner, // murmur2, that of Java's clients
  idempotent: true,
  maxInFlightRequests: 1,
});

await producer.connect();
try {
  for (let sent = 0; sent < Number(count); sent += BATCH) {
    const size = Math.min(BATCH, Number(count) - sent);
    const messages = Array.from({ length: size }, (_, i) => record(request(`sdk-${(sent + i) % 3}`, `u-${i % 7}`)));
    await producer.send({ topic: `${prefix}usage.requests`, acks: -1, compression: CompressionTypes.GZIP, messages });
  }
} finally {
  await producer.disconnect();
}
console.log(`sent ${count} events`);
