"""A TCP proxy between worker and store that can refuse, hang, cut, delay and forget."""

from __future__ import annotations

import contextlib
import enum
import socket
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from tests.support.harness.process import free_port

_CHUNK_BYTES = 65536


class Mode(enum.Enum):
    """What the proxy does with connections."""

    PASS = "pass"
    REFUSE = "refuse"  # nothing listens; open connections are cut
    HANG = "hang"  # connections are taken, and nothing passes in either direction
    LOSE_ANSWERS = "lose answers"  # requests arrive; the connection is cut at the first answer


class Proxy:
    """Passes 127.0.0.1:``port`` on to 127.0.0.1:``target``, in the mode it is set to."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._mode = Mode.PASS
        self._passing = threading.Event()
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._forgotten: set[socket.socket] = set()
        self.delay_seconds = 0.0
        """How long each piece of an answer waits."""
        self.lost_answers = 0
        self.held_bytes = 0
        """What HANG holds back just now, of requests."""

    def __enter__(self) -> Self:
        self._passing.set()
        self._listen()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.set(Mode.REFUSE)
        self._passing.set()

    def set(self, mode: Mode) -> None:
        """Change the mode. Open connections are cut, but for HANG: there they stay, silent.

        After HANG, PASS lets through what was held back: requests that arrive late.
        """
        with self._lock:  # what is accepted from here on knows the mode
            before, self._mode = self._mode, mode
        if mode is Mode.HANG:
            self._passing.clear()
            return
        if mode is Mode.REFUSE:
            self._close_listener()  # ahead of the cut, which reaches all that were taken
        if before is not Mode.HANG or mode is not Mode.PASS:
            self._cut()
        self._passing.set()
        if mode is not Mode.REFUSE and self._listener is None:
            self._listen()

    @contextlib.contextmanager
    def during(self, mode: Mode) -> Iterator[None]:
        """Set a mode for the block, then pass again."""
        self.set(mode)
        try:
            yield
        finally:
            self.set(Mode.PASS)

    def forget(self) -> int:
        """Leave open connections half-open, as a rebooted peer would; return how many.

        Nothing passes on them any more, and nobody is told; new ones pass.
        """
        self._forgotten |= self._connections
        return len(self._connections) // 2

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _close_listener(self) -> None:
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
            self._listener.close()
            self._listener = None

    def _cut(self) -> None:
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            _close(connection)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=10)
            except OSError:
                _close(client)
                continue
            server.settimeout(None)
            with self._lock:
                refused = self._mode is Mode.REFUSE
                if not refused:
                    self._connections |= {client, server}
            if refused:
                _close(client)
                _close(server)
                continue
            for source, sink, answers in ((client, server, False), (server, client, True)):
                threading.Thread(
                    target=self._pump, args=(source, sink, answers), daemon=True
                ).start()

    def _pump(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        try:
            while data := source.recv(_CHUNK_BYTES):
                self._hold(0 if answers else len(data))
                if answers:
                    time.sleep(self.delay_seconds)
                if sink in self._forgotten:
                    continue
                if answers and self._mode is Mode.LOSE_ANSWERS:
                    self.lost_answers += 1
                    break
                sink.sendall(data)
            else:
                if sink in self._forgotten:
                    return
                sink.shutdown(socket.SHUT_WR)  # a request may end before its answer begins
                return
        except OSError:
            pass
        with self._lock:
            self._connections -= {source, sink}
        for connection in (source, sink):
            _close(connection)

    def _hold(self, request_bytes: int) -> None:
        with self._lock:
            self.held_bytes += request_bytes
        self._passing.wait()
        with self._lock:
            self.held_bytes -= request_bytes


def _close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
