"""The same exploration for *groups*: ranges of several partitions, inserted as one block.

Two workers and two or three partitions of a topic. What a worker decides when it is assigned
partitions is decided by the real functions of `pipeline.protocol.groups`; what Kafka and ClickHouse
do with it is modelled in `kafka` and `store`. What concerns one partition alone (stale batches,
holes, a recreated topic, …) is left to the model beside it. ``docs/decisions/groups.md`` has the
rule, the argument and what is left out.
"""
