"""User-defined metrics beside the views: definitions in the store, changes of them, dry runs.

given    what people hand in, more strictly than the log takes it
stored   every version of each metric
changes  what a definition would change
events   changes as records of Kafka

What a definition is and means: `pipeline.facts.definitions`.
"""
