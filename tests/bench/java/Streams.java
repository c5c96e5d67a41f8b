import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;

/** Kafka Streams as its documentation shows it: a windowed aggregate, its store and changelog. */
public class Streams {
  public static void main(String[] arguments) throws Exception {
    long due = Long.parseLong(arguments[3]);
    Properties config = new Properties();
    config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
    config.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[4]);
    config.put(StreamsConfig.STATE_DIR_CONFIG, arguments[5]);
    Serde<Event> events = Serdes.serdeFrom((topic, event) -> null, (topic, value) -> read(value));
    Serde<long[]> sums = Serdes.serdeFrom((topic, sum) -> written(sum), (topic, value) -> sum(value));
    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(
            arguments[1],
            Consumed.with(Serdes.String(), events)
                .withTimestampExtractor((record, time) -> ((Event) record.value()).millis()))
        .groupByKey()
        .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofMinutes(1), Duration.ofDays(1)))
        .aggregate(
            () -> new long[2],
            (tenant, event, sum) -> added(event, sum),
            Materialized.with(Serdes.String(), sums));
    KafkaStreams streams = new KafkaStreams(builder.build(), config);
    streams.setUncaughtExceptionHandler(
        failure -> {
          failure.printStackTrace();
          Runtime.getRuntime().halt(1);
          return null;
        });
    streams.start();
    while (Event.ADDED.sum() < due) {
      Thread.sleep(20);
    }
    streams.close(); // what its caches hold goes into the store and the changelog
    Event.end(due);
  }

  private static long[] added(Event event, long[] sum) {
    Event.ADDED.increment();
    return new long[] {sum[0] + 1, sum[1] + event.tokens};
  }

  private static Event read(byte[] value) {
    try {
      return Event.read(value);
    } catch (IOException failure) {
      throw new SerializationException(failure);
    }
  }

  private static byte[] written(long[] sum) {
    return sum == null ? null : ByteBuffer.allocate(16).putLong(sum[0]).putLong(sum[1]).array();
  }

  private static long[] sum(byte[] value) {
    if (value == null) {
      return null;
    }
    ByteBuffer given = ByteBuffer.wrap(value);
    return new long[] {given.getLong(), given.getLong()};
  }
}
