"""One module for each source topic: how its batches come to be chunks.

Each says what a record of its topic is decoded to, what becomes of that in the open chunk of its
partition, and which tables the chunk feeds. From there `pipeline.worker.flusher` takes it.
"""
