import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Properties;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Sends COUNT requests with kafka-clients, in the structured form: SERVERS COUNT [TOPIC-PREFIX]. */
public final class UsageProducer {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final byte[] STRUCTURED =
            "application/cloudevents+json".getBytes(StandardCharsets.UTF_8);

    public static void main(String[] arguments) throws Exception {
        String servers = arguments[0];
        int count = Integer.parseInt(arguments[1]);
        String topic = (arguments.length > 2 ? arguments[2] : "") + "usage.requests";

        AtomicReference<Exception> failure = new AtomicReference<>();
        try (KafkaProducer<String, byte[]> producer = new KafkaProducer<>(config(servers))) {
            for (int i = 0; i < count; i++) {
                String tenant = "java-" + i % 3; // the key: one tenant, one partition
                ProducerRecord<String, byte[]> record =
                        new ProducerRecord<>(topic, tenant, JSON.writeValueAsBytes(event(tenant, i)));
                record.headers().add("content-type", STRUCTURED);
                producer.send(record, (sent, error) -> failure.compareAndSet(null, error));
            }
        } // close() sends what is left, and waits for it
        if (failure.get() != null) {
            throw failure.get();
        }
        System.out.println("sent " + count + " events");
    }

    private static Properties config(String servers) {
        Properties config = new Properties();
        config.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, servers);
        config.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, StringSerializer.class);
        config.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
        config.put(ProducerConfig.ACKS_CONFIG, "all");
        config.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
        config.put(ProducerConfig.COMPRESSION_TYPE_CONFIG, "lz4");
        config.put(ProducerConfig.LINGER_MS_CONFIG, 50);
        // An event may have 1 MiB, to which the default leaves no room for what Kafka adds.
        config.put(ProducerConfig.MAX_REQUEST_SIZE_CONFIG, 2 * 1024 * 1024);
        return config;
    }

    private static ObjectNode event(String tenant, int i) {
        ObjectNode data =
                JSON.createObjectNode()
                        .put("operation", "chat")
                        .put("model", "gpt-4o-mini")
                        .put("status_code", 200)
                        .put("duration_ms", 12.5)
                        .put("user_id", "u-" + i % 7)
                        .put("input_tokens", 100)
                        .put("output_tokens", 20)
                        .put("cost", new BigDecimal("0.00021"));
        ObjectNode event =
                JSON.createObjectNode()
                        .put("specversion", "1.0")
                        .put("id", UUID.randomUUID().toString())
                        .put("source", "/examples/java")
                        .put("type", "usage.request.v1")
                        .put("subject", tenant)
                        .put("time", Instant.now().toString());
        event.set("data", data);
        return event;
    }
}
