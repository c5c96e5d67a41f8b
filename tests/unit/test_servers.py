"""Which of several servers is asked, and when the next one is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.clickhouse.servers import Server, Servers
from pipeline.errors import StoreRefused, StoreUnavailable


class Cluster:
    """Servers by their addresses; what each does when it is opened or asked can be set."""

    def __init__(self, *addresses: str) -> None:
        self.opening: dict[str, Exception] = {}
        self.answering: dict[str, Exception] = {}
        self.asked: list[str] = []
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.servers = Servers(addresses, self._open, self.closed.append)

    def _open(self, where: str) -> str:
        self.opened.append(where)
        if where in self.opening:
            raise self.opening[where]
        return where

    def ask(self, *, may_ask_again: bool) -> str:
        return self.servers.ask(self._call(), may_ask_again=may_ask_again)

    def _call(self) -> Callable[[Server[str]], str]:
        def call(server: Server[str]) -> str:
            self.asked.append(server.where)
            if server.where in self.answering:
                raise self.answering[server.where]
            return server.client

        return call


def away(where: str) -> StoreUnavailable:
    return StoreUnavailable(f"{where} does not answer")


def test_the_first_is_asked_as_long_as_it_answers() -> None:
    cluster = Cluster("a", "b")
    assert [cluster.ask(may_ask_again=True) for _ in range(3)] == ["a"] * 3
    assert cluster.servers.opened == ("a",)


def test_the_next_is_asked_where_one_is_away_and_stays_the_one_that_is_asked() -> None:
    cluster = Cluster("a", "b", "c")
    cluster.answering = {"a": away("a")}
    assert [cluster.ask(may_ask_again=True) for _ in range(2)] == ["b", "b"]
    cluster.answering = {"b": away("b"), "c": away("c")}
    assert cluster.ask(may_ask_again=True) == "a"
    assert cluster.asked == ["a", "b", "b", "b", "c", "a"]


def test_a_server_that_is_come_back_to_is_opened_anew() -> None:
    cluster = Cluster("a", "b")
    for away_now in "ab":
        cluster.answering = {away_now: away(away_now)}
        cluster.ask(may_ask_again=True)
    assert (cluster.opened, cluster.closed) == (["a", "b", "a"], ["a", "b"])


def test_what_may_have_had_an_effect_is_left_to_who_calls_next() -> None:
    cluster = Cluster("a", "b")
    cluster.answering = {"a": away("a")}
    with pytest.raises(StoreUnavailable, match="a does not answer"):
        cluster.ask(may_ask_again=False)
    assert cluster.ask(may_ask_again=False) == "b"


def test_a_server_that_was_not_even_reached_is_passed_over_whatever_is_asked() -> None:
    cluster = Cluster("a", "b")
    cluster.opening = {"a": away("a")}
    assert cluster.ask(may_ask_again=False) == "b"


def test_each_is_asked_once_and_the_last_ones_words_are_said() -> None:
    cluster = Cluster("a", "b")
    cluster.opening = {"a": away("a")}
    cluster.answering = {"b": away("b")}
    with pytest.raises(StoreUnavailable, match="b does not answer"):
        cluster.ask(may_ask_again=True)
    assert cluster.asked == ["b"]


@pytest.mark.parametrize("error", [StoreRefused("no"), StoreUnavailable("", is_of_request=True)])
def test_what_another_would_answer_alike_is_not_asked_of_it(error: Exception) -> None:
    cluster = Cluster("a", "b")
    cluster.answering = {"a": error}
    with pytest.raises(type(error)):
        cluster.ask(may_ask_again=True)
    assert cluster.servers.where == "a"


def test_two_that_meet_the_same_leave_it_once() -> None:
    cluster = Cluster("a", "b", "c")
    cluster.servers.leave("a")
    cluster.servers.leave("a")
    assert cluster.servers.where == "b"
