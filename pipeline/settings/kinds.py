"""Kinds of values that a setting can have: how each is read from text, and what is allowed.

A kind's ``read`` raises ``ValueError`` for anything else; the caller names the variable, shows what
was found and says what is allowed.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, NamedTuple, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_DATABASE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOOK = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_BROKER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})")
_HIGHEST_PORT = 65535
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_NEXT_ADDRESS = re.compile(r"\s*([,;])\s*(?=https?://)")


@dataclass(frozen=True)
class Kind(Generic[T]):
    """How a value is read, and the words that say what is allowed."""

    read: Callable[[str], T]
    allowed: str
    secret: bool = False


class Secret:
    """A string that shows itself to nobody who does not ask with :meth:`reveal`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself; never log it."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret('***')" if self._value else "Secret('')"

    def __str__(self) -> str:
        return "***" if self._value else ""


class Address(NamedTuple):
    """A host and its port; as text, an IPv6 address is in brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True)
class StoreUrl:
    """Where ClickHouse is and as whom; its text hides the password."""

    scheme: Literal["http", "https"]
    shards: tuple[tuple[Address, ...], ...]
    """The replicas of each shard, in the order in which they are asked; one server: one of one."""
    user: str
    password: Secret
    database: str

    @property
    def host(self) -> str:
        """The first address's host."""
        return self.shards[0][0].host

    @property
    def port(self) -> int:
        """The first address's port."""
        return self.shards[0][0].port

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All of them, shard by shard."""
        return tuple(address for replicas in self.shards for address in replicas)

    @property
    def secure(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme == "https"

    def at(self, address: Address) -> str:
        """An address as a URL, of nothing secret."""
        return f"{self.scheme}://{address}"

    def __str__(self) -> str:
        """All addresses, as the setting has them; whom they are asked as is in the first alone."""
        listed = ";".join(",".join(map(self.at, replicas)) for replicas in self.shards)
        first = f"{self.scheme}://{self.user}:***@{self.shards[0][0]}/{self.database}"
        return listed.replace(self.at(self.shards[0][0]), first, 1)


def text(allowed: str = "any text") -> Kind[str]:
    """Any text without line breaks or control characters."""

    def read(value: str) -> str:
        if not value.isprintable():
            raise ValueError(value)
        return value

    return Kind(read, allowed)


def words() -> Kind[tuple[str, ...]]:
    """A kind: words separated by commas, none or more."""

    def read(value: str) -> tuple[str, ...]:
        if not value.isprintable():
            raise ValueError(value)
        return tuple(word.strip() for word in value.split(",") if word.strip())

    return Kind(read, "words separated by commas, or empty")


def networks() -> Kind[tuple[str, ...]]:
    """Addresses and networks, separated by commas; none that holds every address."""

    def read(value: str) -> tuple[str, ...]:
        found = tuple(word.strip() for word in value.split(",") if word.strip())
        for one in found:
            if ipaddress.ip_network(one).prefixlen == 0:
                raise ValueError(value)
        return found

    return Kind(
        read,
        "addresses and networks like 10.0.0.7, 10.1.0.0/16 or fd00::/8, separated by commas, none "
        "of all addresses; or empty",
    )


def is_safe_url(value: str) -> bool:
    """Whether it is an address that nobody on the way can answer for: https, or this machine."""
    url = urlsplit(value)
    if not url.hostname or url.username or url.fragment or not value.isprintable() or " " in value:
        return False
    return url.scheme == "https" or (url.scheme == "http" and is_loopback(url.hostname))


def safe_url() -> Kind[str]:
    """``https://…``, or ``http://127.0.0.1…``, or nothing."""

    def read(value: str) -> str:
        if value and not is_safe_url(value):
            raise ValueError(value)
        return value

    return Kind(read, "https://…, on this machine http:// too, or empty")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def secret() -> Kind[Secret]:
    """A kind: any text, never shown, which may come from a file."""
    return Kind(Secret, "any text", secret=True)


def integer(low: int, high: int) -> Kind[int]:
    """A kind: a whole number within bounds, both ends included."""

    def read(value: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", value):
            raise ValueError(value)
        number = int(value)
        if not low <= number <= high:
            raise ValueError(value)
        return number

    return Kind(read, f"a whole number from {low} to {high}")


def number(low: float, high: float) -> Kind[float]:
    """A kind: a number within bounds, both ends included."""

    def read(value: str) -> float:
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
            raise ValueError(value)
        result = float(value)
        if not math.isfinite(result) or not low <= result <= high:
            raise ValueError(value)
        return result

    return Kind(read, f"a number from {low:g} to {high:g}")


def boolean() -> Kind[bool]:
    """A kind: ``true`` or ``false``."""

    def read(value: str) -> bool:
        return {"true": True, "false": False}[value.lower()]

    return Kind(_key_error_is_value_error(read), "true or false")


def one_of(*values: str) -> Kind[str]:
    """One of a few words; case does not matter, the spelling given here is what comes out."""
    words = {value.lower(): value for value in values}

    def read(value: str) -> str:
        return words[value.lower()]

    return Kind(_key_error_is_value_error(read), f"one of {', '.join(values)}")


def name(allowed: str, longest: int, *, empty: bool = False) -> Kind[str]:
    """A name as Kafka allows them for topics: letters, digits, ``.``, ``_`` and ``-``."""

    def read(value: str) -> str:
        if (value or not empty) and (not _NAME.fullmatch(value) or len(value) > longest):
            raise ValueError(value)
        return value

    return Kind(read, allowed)


def hook() -> Kind[str]:
    """A kind: ``module:function``, or nothing."""

    def read(value: str) -> str:
        if value and not _HOOK.fullmatch(value):
            raise ValueError(value)
        return value

    return Kind(read, "module:function, or empty")


def brokers() -> Kind[str]:
    """``host:port``, several with commas between; spaces around them are dropped."""

    def read(value: str) -> str:
        parts = [part.strip() for part in value.split(",")]
        for part in parts:
            match = _BROKER.fullmatch(part)
            if not match or not 0 < int(match[2]) <= _HIGHEST_PORT:
                raise ValueError(value)
        return ",".join(parts)

    return Kind(read, "host:port, several with commas between")


def file() -> Kind[Path | None]:
    """A kind: the path of a file that exists, or nothing."""

    def read(value: str) -> Path | None:
        if not value:
            return None
        path = Path(value)
        if not path.is_file():
            raise ValueError(value)
        return path

    return Kind(read, "the path of a file that exists, or empty")


def folder() -> Kind[Path]:
    """A kind: the path of a folder, which need not exist yet."""

    def read(value: str) -> Path:
        path = Path(value)
        if not value or "\0" in value or (path.exists() and not path.is_dir()):
            raise ValueError(value)
        return path

    return Kind(read, "the path of a folder; it is made when it does not exist")


def store_url() -> Kind[StoreUrl]:
    """``http(s)://user:password@host:port/database``; user ``default``, port 8123 or 8443.

    Further addresses follow behind ``,`` (a replica of the same shard) or ``;`` (the next shard).
    """
    return Kind(
        _read_store_url,
        "http(s)://user:password@host:port/database, the name percent-encoded where "
        "it has reserved characters; of a cluster, followed by ,http(s)://host:port for each "
        "further replica of the shard, and by ;http(s)://host:port for the next shard",
        secret=True,
    )


def _read_store_url(value: str) -> StoreUrl:
    parts = _NEXT_ADDRESS.split(value)
    first = _read_one_url(parts[0])
    shards = [[first]]
    for mark, text in zip(parts[1::2], parts[2::2], strict=True):
        if mark == ";":
            shards.append([])
        shards[-1].append(_read_one_url(text, first))
    addresses = [_address(url) for replicas in shards for url in replicas]
    if len(set(addresses)) < len(addresses):
        raise ValueError(value)
    return StoreUrl(
        scheme="https" if first.scheme == "https" else "http",
        shards=tuple(tuple(map(_address, replicas)) for replicas in shards),
        user=unquote(first.username or "default"),
        password=Secret(unquote(first.password or "")),
        database=first.path.removeprefix("/"),
    )


def _read_one_url(value: str, first: SplitResult | None = None) -> SplitResult:
    """One address; a later one repeats what the first one says of user and database, or nothing."""
    url = urlsplit(value)
    if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment:
        raise ValueError(value)
    if url.port == 0 or not _HOST.fullmatch(url.hostname):
        raise ValueError(value)
    if first is None:
        if not _DATABASE.fullmatch(url.path.removeprefix("/")):
            raise ValueError(value)
        return url
    whom = url.username, url.password
    if url.scheme != first.scheme or url.path not in {"", "/", first.path}:
        raise ValueError(value)
    if whom not in {(None, None), (first.username, first.password)}:
        raise ValueError(value)
    return url


def _address(url: SplitResult) -> Address:
    return Address(url.hostname or "", url.port or (8443 if url.scheme == "https" else 8123))


def _key_error_is_value_error(read: Callable[[str], T]) -> Callable[[str], T]:
    def wrapped(value: str) -> T:
        try:
            return read(value)
        except KeyError:
            raise ValueError(value) from None

    return wrapped
