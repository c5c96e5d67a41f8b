import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/** What all of them read of an event, by Jackson's streaming parser; a POJO, as Flink wants it. */
public class Event {
  /** How many were added up, of this process. */
  public static final LongAdder ADDED = new LongAdder();

  private static final JsonFactory JSON = new JsonFactory();
  private static final AtomicLong READ = new AtomicLong();
  private static final long WARM = Long.getLong("warm");
  private static volatile long begun;

  public String tenant;
  public String time;
  public long tokens;

  public static Event read(byte[] value) throws IOException {
    if (READ.getAndIncrement() == WARM) {
      begun = cpuNanos();
    }
    Event event = new Event();
    try (JsonParser parser = JSON.createParser(value)) {
      parser.nextToken();
      for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
        switch (name) {
          case "subject" -> event.tenant = parser.nextTextValue();
          case "time" -> event.time = parser.nextTextValue();
          case "data" -> event.readData(parser);
          default -> skip(parser);
        }
      }
    }
    return event;
  }

  private void readData(JsonParser parser) throws IOException {
    parser.nextToken();
    for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
      switch (name) {
        case "input_tokens", "output_tokens" -> tokens += parser.nextLongValue(0);
        default -> skip(parser);
      }
    }
  }

  private static void skip(JsonParser parser) throws IOException {
    if (parser.nextToken() == JsonToken.START_OBJECT || parser.currentToken() == JsonToken.START_ARRAY) {
      parser.skipChildren();
    }
  }

  /** Its time in epoch milliseconds. */
  public long millis() {
    return Instant.parse(time).toEpochMilli();
  }

  /** Say what the process took since it was warm, if so many were added up; end it. */
  public static void end(long due) {
    long spent = cpuNanos() - begun;
    if (ADDED.sum() != due) {
      System.out.println("added up " + ADDED.sum() + " events of " + due);
      Runtime.getRuntime().halt(1);
    }
    System.out.printf("cpu %.3f%n", spent / 1e9);
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  private static long cpuNanos() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
  }
}
