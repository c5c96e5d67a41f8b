import java.io.IOException;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;

/** Flink as its documentation shows it: a Kafka source, a key, a window, an aggregate. */
public class Flink {
  public static void main(String[] arguments) throws Exception {
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
    KafkaSource<Event> source =
        KafkaSource.<Event>builder()
            .setBootstrapServers(arguments[0])
            .setTopics(arguments[1])
            .setGroupId(arguments[4])
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setBounded(OffsetsInitializer.latest())
            .setValueOnlyDeserializer(new Json())
            .build();
    WatermarkStrategy<Event> times =
        WatermarkStrategy.<Event>forBoundedOutOfOrderness(Duration.ofMinutes(1))
            .withTimestampAssigner((event, timestamp) -> event.millis());
    environment
        .fromSource(source, times, "requests")
        .keyBy(event -> event.tenant)
        .window(TumblingEventTimeWindows.of(Duration.ofMinutes(1)))
        .aggregate(new Sums())
        .sinkTo(new DiscardingSink<>());
    environment.execute();
    Event.end(Long.parseLong(arguments[3]));
  }

  static class Json extends AbstractDeserializationSchema<Event> {
    @Override
    public Event deserialize(byte[] value) throws IOException {
      return Event.read(value);
    }
  }

  static class Sums implements AggregateFunction<Event, Tuple2<Long, Long>, Tuple2<Long, Long>> {
    @Override
    public Tuple2<Long, Long> createAccumulator() {
      return Tuple2.of(0L, 0L);
    }

    @Override
    public Tuple2<Long, Long> add(Event event, Tuple2<Long, Long> sum) {
      Event.ADDED.increment();
      return Tuple2.of(sum.f0 + 1, sum.f1 + event.tokens);
    }

    @Override
    public Tuple2<Long, Long> getResult(Tuple2<Long, Long> sum) {
      return sum;
    }

    @Override
    public Tuple2<Long, Long> merge(Tuple2<Long, Long> one, Tuple2<Long, Long> other) {
      return Tuple2.of(one.f0 + other.f0, one.f1 + other.f1);
    }
  }
}
