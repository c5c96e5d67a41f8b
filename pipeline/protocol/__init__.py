"""The chunk protocol without Kafka: its decisions, an open chunk, the store's books.

``chunks`` is the place to begin reading.
"""
