import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** A plain consumer and a HashMap: no group, no commits, no state that outlives the process. */
public class Plain {
  record Key(String tenant, String minute) {}

  public static void main(String[] arguments) throws IOException {
    Map<String, Object> config =
        Map.of(
            "bootstrap.servers", arguments[0],
            "enable.auto.commit", false,
            "auto.offset.reset", "earliest",
            "max.poll.records", 4096,
            "max.partition.fetch.bytes", 4 << 20,
            "fetch.min.bytes", 65_536);
    ByteArrayDeserializer bytes = new ByteArrayDeserializer();
    int partitions = Integer.parseInt(arguments[2]);
    long due = Long.parseLong(arguments[3]), seen = 0;
    Map<Key, long[]> sums = new HashMap<>();
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config, bytes, bytes)) {
      List<TopicPartition> all =
          IntStream.range(0, partitions).mapToObj(n -> new TopicPartition(arguments[1], n)).toList();
      consumer.assign(all);
      while (seen < due) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
          Event event = Event.read(record.value());
          Key key = new Key(event.tenant, event.time.substring(0, 16));
          long[] sum = sums.computeIfAbsent(key, absent -> new long[2]);
          sum[0] += 1;
          sum[1] += event.tokens;
          seen += 1;
        }
      }
    }
    sums.values().forEach(sum -> Event.ADDED.add(sum[0]));
    Event.end(due);
  }
}
