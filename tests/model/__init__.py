"""An exhaustive exploration of the chunk protocol's small interleavings.

Two workers and one partition of a few records. Every order is tried in which the workers' steps,
the broker's and store's late answers, faults and an operator's actions can follow each other, and
in every state that comes up the tables and the ledger are checked (`invariants`). What a worker
decides is decided by the real functions of `pipeline.protocol.chunks`; what Kafka's coordinator and
ClickHouse do with it is modelled in `group` and `store`.

Each safeguard of the protocol can be taken out (`safeguards`); the exploration then finds the
shortest way to a wrong state. ``python -m tests.model`` prints these.
"""
