"""``Content-Encoding``, both ways: lz4, zstd, gzip, deflate, br."""

from __future__ import annotations

import zlib
from typing import Any, Protocol

import cramjam

from pipeline.embedded.store.answers import Refusal

# By what they cost: both ends are on one machine.
_PREFERRED = ("lz4", "zstd", "gzip", "deflate", "br")


class Encoder(Protocol):
    """Compresses an answer piece by piece."""

    def add(self, piece: bytes) -> bytes:
        """Take a piece; give what is ready to be sent."""

    def end(self) -> bytes:
        """Give the bytes that are left at the end of the stream."""


class _Plain:
    def add(self, piece: bytes) -> bytes:
        return piece

    def end(self) -> bytes:
        return b""


class _Zlib:
    def __init__(self, *, gzip: bool) -> None:
        self._stream = zlib.compressobj(level=1, wbits=31 if gzip else 15)

    def add(self, piece: bytes) -> bytes:
        return self._stream.compress(piece)

    def end(self) -> bytes:
        return self._stream.flush()


class _Cramjam:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def add(self, piece: bytes) -> bytes:
        self._stream.compress(piece)
        return bytes(self._stream.flush())

    def end(self) -> bytes:
        return bytes(self._stream.finish())


def chosen(accept: str) -> str:
    """The encoding to answer with for an ``Accept-Encoding``; '' for none."""
    offered = {part.split(";")[0].strip().lower() for part in accept.split(",")}
    return next((name for name in _PREFERRED if name in offered), "")


def encoder(encoding: str) -> Encoder:
    """An encoder for one answer; '' leaves it as it is."""
    if not encoding:
        return _Plain()
    if encoding in {"gzip", "deflate"}:
        return _Zlib(gzip=encoding == "gzip")
    module = {"lz4": cramjam.lz4, "zstd": cramjam.zstd, "br": cramjam.brotli}[encoding]
    return _Cramjam(module.Compressor(1))


def decoded(body: bytes, encoding: str) -> bytes:
    """A request's body without its encoding.

    Raises:
        Refusal: the encoding is unknown, or the body is not of it.
    """
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return body
    try:
        if name in {"gzip", "deflate", "x-gzip"}:
            return zlib.decompress(body, wbits=47)
        modules = {"lz4": cramjam.lz4, "zstd": cramjam.zstd, "br": cramjam.brotli}
        if name not in modules:
            raise Refusal(48, "NOT_IMPLEMENTED", f"Unknown compression method {name}")
        return bytes(modules[name].decompress(body))
    except (zlib.error, cramjam.DecompressionError) as error:
        raise Refusal(
            354,
            "CANNOT_DECOMPRESS",
            f"The body is not {name}, as its Content-Encoding says: {error}",
        ) from error
