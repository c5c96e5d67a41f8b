"""A port is free where it is to be listened on."""

from __future__ import annotations

import socket

import pytest

from pipeline.embedded.processes import EVERYWHERE, LOOPBACK, free_port


@pytest.mark.parametrize(
    ("listens", "wanted", "is_free"),
    [
        (LOOPBACK, LOOPBACK, False),
        (LOOPBACK, EVERYWHERE, False),
        ("0.0.0.0", LOOPBACK, False),
        ("127.0.0.2", LOOPBACK, True),
        ("127.0.0.2", EVERYWHERE, False),
    ],
)
def test_a_port_that_somebody_listens_on_is_not_taken(
    listens: str, wanted: str, is_free: bool
) -> None:
    with socket.create_server((listens, 0)) as somebody:
        port = somebody.getsockname()[1]
        assert (free_port(port, wanted) == port) is is_free
    assert free_port(port, wanted) == port
