"""Bytes, and how far they were read; what was read goes on as it is, or rewritten."""

from __future__ import annotations


class Short(Exception):
    """What is to be read has not come yet."""


class Cursor:
    """Reads on in ``data``; ``written`` is what was read, as it shall go on."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at
        self._done: list[bytes] = []
        self._copied = at

    @property
    def written(self) -> list[bytes]:
        """The pieces of what was read, in order."""
        return [*self._done, self.data[self._copied : self.at]]

    def skip(self, count: int) -> None:
        """Read so many bytes."""
        if self.at + count > len(self.data):
            raise Short
        self.at += count

    def byte(self) -> int:
        """Read one byte."""
        self.skip(1)
        return self.data[self.at - 1]

    def fixed(self, width: int = 8) -> int:
        """Read an unsigned integer, little end first."""
        self.skip(width)
        return int.from_bytes(self.data[self.at - width : self.at], "little")

    def varint(self) -> int:
        """Read an integer in groups of seven bits."""
        value = shift = 0
        while True:
            group = self.byte()
            value |= (group & 127) << shift
            if group < 128:
                return value
            shift += 7

    def string(self) -> str:
        """Read a string; its bytes as Latin-1, so that they can go on as they are."""
        length = self.varint()
        self.skip(length)
        return self.data[self.at - length : self.at].decode("latin-1")

    def rewrite(self, start: int, instead: bytes) -> None:
        """Let ``instead`` go on for what was read since ``start``."""
        self._done += [self.data[self._copied : start], instead]
        self._copied = self.at


def varint(value: int) -> bytes:
    """An integer in groups of seven bits."""
    groups = bytearray()
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])


def string(text: str) -> bytes:
    """A string with its length; its characters are bytes read as Latin-1."""
    return varint(len(text)) + text.encode("latin-1")
