"""Conditions on the ledger's rows (`pipeline.protocol.ledger_rows`)."""

from __future__ import annotations

from pipeline.protocol.chunks import Source
from pipeline.protocol.ledger_rows import From, conditions


def test_a_condition_names_each_log_once_and_binds_what_is_not_a_number() -> None:
    logs = [From(Source("t'", n), "i", 10 * n) for n in (2, 0)] + [From(Source("s", 1), "j", 5)]
    [(sql, parameters)] = conditions(logs)
    assert sql == (
        "((topic = {topic_0:String} AND incarnation = {incarnation_0:String} "
        "AND ((partition = 1 AND from_offset >= 5))) "
        "OR (topic = {topic_1:String} AND incarnation = {incarnation_1:String} "
        "AND ((partition = 0 AND from_offset >= 0) OR (partition = 2 AND from_offset >= 20))))"
    )
    assert parameters == {
        "topic_0": "s",
        "incarnation_0": "j",
        "topic_1": "t'",
        "incarnation_1": "i",
    }


def test_many_logs_are_several_conditions_and_none_is_none() -> None:
    assert list(conditions([])) == []
    many = [From(Source("t", n), "i", 0) for n in range(1200)]
    found = [sql.count("partition = ") for sql, _ in conditions(many)]
    assert sum(found) == len(many)
    assert max(found) <= 500
