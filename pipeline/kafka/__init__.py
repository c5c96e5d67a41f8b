"""Kafka from outside: clients, topics, the group, and what its faults mean."""
