"""What a process says: one line for each thing that an operator can act on."""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING

import orjson

from pipeline.process.printable import printable, printable_json

if TYPE_CHECKING:
    from pipeline.settings import Settings

QUIET = ("aiokafka", "faust", "mode", "kafka", "asyncio", "urllib3", "clickhouse_connect")
"""Libraries of which only what is wrong is heard; what matters of them we say ourselves."""

SAY_AGAIN_SECONDS = 60.0
"""A library tries some things ten times a second, and says each time that it failed."""

PLACE = ("topic", "partition", "from_offset", "to_offset")
"""What a line of JSON has besides, where it is about a partition."""


def place(
    source: tuple[str, int], from_offset: int | None = None, to_offset: int | None = None
) -> dict[str, object]:
    """Return the ``extra`` of a line about a partition, or about its offsets [from, to)."""
    return dict(zip(PLACE, (*source, from_offset, to_offset), strict=True))


class Repeats(logging.Filter):
    """Lets each sentence of a library pass once in `SAY_AGAIN_SECONDS`, whatever it is about."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the line is to be heard; ours always are."""
        if record.name.partition(".")[0] not in QUIET:
            return True
        sentence, now = (record.name, str(record.msg)), record.created
        if now - self._said.get(sentence, -math.inf) < SAY_AGAIN_SECONDS:
            return False
        recent = {s: at for s, at in self._said.items() if now - at < SAY_AGAIN_SECONDS}
        self._said = recent | {sentence: now}
        return True


class TextFormatter(logging.Formatter):
    """Time, level and message on one line, whatever the message holds; then the traceback."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own
        """Return the line; what a producer wrote cannot begin another one."""
        return printable(super().formatMessage(record))


class JsonFormatter(logging.Formatter):
    """Writes each log record as one JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, logger, message, `PLACE`, ``fields``, and the traceback if any."""
        line: dict[str, object] = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        found = {name: getattr(record, name, None) for name in PLACE}
        line |= {name: value for name, value in found.items() if value is not None}
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return printable_json(orjson.dumps(line).decode())


def configure(settings: Settings) -> None:
    """Set the level and the format of this process' log, on standard error."""
    handler = logging.StreamHandler()
    formatter = JsonFormatter() if settings.log_format == "json" else TextFormatter()
    formatter.converter = time.gmtime
    formatter.default_msec_format = "%s.%03dZ"
    formatter.default_time_format = "%Y-%m-%dT%H:%M:%S"
    handler.setFormatter(formatter)
    if settings.log_level != "debug":
        handler.addFilter(Repeats())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(
            logging.DEBUG if settings.log_level == "debug" else logging.ERROR
        )
