"""Real parts for tests: a Kafka broker, the embedded store, workers, and an independent recount.

waiting        await a condition instead of sleeping
process        one child process: output kept, killed, paused, always ended
kafka_jars     Apache Kafka, and ZooKeeper, from Maven, once, into a cache
zookeeper_server  one ZooKeeper on a free port
kafka_broker   one Kafka broker (KRaft) on a free port, which can be killed and restarted
store          the embedded store, which can be killed, copied and put back
proxy          a TCP proxy that can refuse, hang and cut
produce        mixed events into a topic, fast, by a seed
contract       a slow reading of one record by the events' contract
recount        what a log must come to, from the log alone
compare        the store, the ledger and the group against the recount
scene          all of it, for one test: topics and group of its own, workers
fixtures       the pytest fixtures
"""
