"""What a process says: one line for each thing that an operator can act on."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from pipeline.settings import Settings

QUIET = ("aiokafka", "faust", "mode", "kafka", "asyncio", "urllib3", "clickhouse_connect")
"""Libraries of which only what is wrong is heard; what matters of them we say ourselves."""


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, logger, message, and the traceback where there is one."""
        line = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def configure(settings: Settings) -> None:
    """Set the level and the format of this process' log, on standard error."""
    handler = logging.StreamHandler()
    json = settings.log_format == "json"
    formatter = (
        JsonFormatter() if json else logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    )
    formatter.converter = time.gmtime
    formatter.default_msec_format = "%s.%03dZ"
    formatter.default_time_format = "%Y-%m-%dT%H:%M:%S"
    handler.setFormatter(formatter)
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(
            logging.DEBUG if settings.log_level == "debug" else logging.ERROR
        )
