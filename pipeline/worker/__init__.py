"""The worker: from fetched records to committed offsets.

The way of a batch, step by step (the numbers are those of `pipeline.protocol.chunks`):

- `transport.thread` fetches it, in a thread of its own; `pipeline.kafka.lenient` parses
  what aiokafka does not; `transport.batches` hands it on whole, one for each partition and fetch.
- An agent (``agents/``, one for each topic) takes it by `work.Work.pieces`, which waits while
  `pressure.Pressure` says so.
- (1) `work.Work.fold` lets `protocol.partition.Partition.adding` fold it into the open chunk, in
  the thread of `folding`: `facts.reader` decodes its records, drops repeats and appends what is
  left to the chunk's columns.
- (2) `work.Work.flush_forever` seals chunks, at each interval or when they are large.
- (3-7) `flusher.Flusher.flush` intends them, inserts their tables, sends what was rejected to the
  dead-letter topic, writes the ledger and commits. What a table refuses, `set_aside` takes out.

Before the first batch of a partition, `takeover.Takeover` decides where it begins, and `rebuild`
reads the ids of what lies before. `live` and `telemetry` are what is seen of it all from outside;
`process` puts the parts together, `app` is the Faust app between them.
"""
