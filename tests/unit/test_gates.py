"""Which partitions may be read (`pipeline.worker.transport.gates`)."""

from __future__ import annotations

from aiokafka import TopicPartition

from pipeline.worker.transport.gates import Gate, Gates

ONE, OTHER = TopicPartition("usage.requests", 0), TopicPartition("usage.requests", 1)


def test_nothing_is_opened_between_a_revocation_and_the_next_assignment() -> None:
    gates = Gates()
    gates.begin()
    gates.open(ONE, Gate(1, 10))
    assert gates.readable == {ONE}
    gates.shut_all()
    gates.open(OTHER, Gate(1, 20))  # it was on its way when the revocation came
    assert (gates.opened, gates.readable) == ({}, set())
    gates.begin()
    gates.open(OTHER, Gate(2, 20))
    assert gates.opened == {OTHER: Gate(2, 20)}


def test_an_assignment_begins_with_all_gates_closed() -> None:
    gates = Gates()
    gates.begin()
    gates.open(ONE, Gate(1, 10))
    gates.begin()
    assert (gates.opened, gates.readable, gates.changed.is_set()) == ({}, set(), False)


def test_nothing_is_opened_before_the_first_assignment() -> None:
    gates = Gates()
    gates.open(ONE, Gate(1, 10))
    assert gates.opened == {}
