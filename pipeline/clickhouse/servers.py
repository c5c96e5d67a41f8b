"""Which of several servers is asked: the one that answered last, and after it the next.

They are replicas of one shard, or any servers of a cluster where each gives the same answer. A
server that was left is asked again when all behind it have been.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, NamedTuple, TypeVar

from pipeline.errors import StoreUnavailable

C = TypeVar("C")
T = TypeVar("T")


class Server(NamedTuple, Generic[C]):
    """One server's address, and what speaks to it."""

    where: str
    client: C


class Servers(Generic[C]):
    """Opens a client of each server when it is first asked; for many threads.

    ``open_at`` opens one by its address, and raises `StoreUnavailable` where another may be asked.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        open_at: Callable[[str], C],
        close: Callable[[C], None] = lambda _: None,
    ) -> None:
        self._addresses = tuple(addresses)
        self._open_at = open_at
        self._close = close
        self._clients: dict[str, C] = {}
        self._lock = threading.Lock()
        self._at = 0

    def __len__(self) -> int:
        return len(self._addresses)

    @property
    def where(self) -> str:
        """The address that is asked next."""
        return self._addresses[self._at]

    @property
    def opened(self) -> tuple[C, ...]:
        """The clients that were opened."""
        with self._lock:
            return tuple(self._clients.values())

    def current(self) -> Server[C]:
        """The server that is asked now. Raises what ``open_at`` does."""
        return self._server(self.where)

    def _server(self, where: str) -> Server[C]:
        with self._lock:
            client = self._clients.get(where)
        if client is None:
            opened = self._open_at(where)  # two threads may: the first one's is kept
            with self._lock:
                client = self._clients.setdefault(where, opened)
        return Server(where, client)

    def leave(self, where: str) -> None:
        """Ask the next one from now on, unless somebody has already left this one.

        Its client is closed: who comes back opens another, and asks the server anew who it is.
        """
        with self._lock:
            if self._addresses[self._at] != where or len(self._addresses) == 1:
                return
            self._at = (self._at + 1) % len(self._addresses)
            client = self._clients.pop(where, None)
        if client is not None:
            self._close(client)

    def ask(self, call: Callable[[Server[C]], T], *, may_ask_again: bool) -> T:
        """Call with the server that is asked now; where it is away, with each of the others.

        ``may_ask_again``: whether a call that failed may have had its effect and be made again all
        the same. If not, it goes on to another server only where nobody was reached.

        Raises:
            StoreUnavailable: none of those that were asked answers; what the last one met.
        """
        for left in reversed(range(len(self._addresses))):
            where, is_opened = self.where, False
            try:
                server = self._server(where)
                is_opened = True
                return call(server)
            except StoreUnavailable as error:
                may_go_on = may_ask_again or not is_opened
                if self.is_last(where, error, left) or not may_go_on:
                    raise
        raise AssertionError("no address was given")

    def is_last(self, where: str, error: StoreUnavailable, left: int) -> bool:
        """Leave a server that is away, and say whether no other is to be asked.

        ``left``: how many were not asked yet.
        """
        if error.is_of_request:
            return True
        self.leave(where)
        return not left

    def close(self) -> None:
        """Close every client that was opened."""
        for client in self.opened:
            with suppress(OSError):
                self._close(client)
