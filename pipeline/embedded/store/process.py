"""The store's process: opens the folder, listens, says so, and ends when told."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from aiohttp import web

from pipeline.embedded.store.engine import Engine
from pipeline.embedded.store.folder import Folder
from pipeline.embedded.store.front import Front
from pipeline.errors import StoreUnavailable

HOST = "127.0.0.1"
_LARGEST_BODY_BYTES = 1 << 30
_LARGEST_URL_BYTES = 1 << 20
_GRACE_SECONDS = 1.0


def main(path: Path, port: int) -> int:
    """Serve the store in ``path`` on 127.0.0.1 until SIGTERM or SIGINT; 0 picks a free port.

    Prints one line with its URL when it is ready.

    Returns:
        The process's exit code, 0.

    Raises:
        StoreRefused: the folder is in use, damaged, or not a store's.
        StoreUnavailable: the port is taken.
    """
    folder = Folder(path)
    engine = Engine(folder.engine, folder.config)
    damaged = engine.damaged()
    engine.publish_settled_days()
    if damaged:
        print(
            f"usage: {len(damaged)} damaged parts of tables were set aside, their rows are lost: "
            f"{', '.join(damaged[:3])}; put the folder back to a copy",
            file=sys.stderr,
        )
    running = asyncio.run(_serve(engine, folder, port))
    if running:
        # Threads that do not end cannot be waited for. Nothing is lost: parts are whole or not.
        sys.stdout.flush()
        os._exit(0)
    engine.close()
    folder.close()
    return 0


async def _serve(engine: Engine, folder: Folder, port: int) -> int:
    """Serve until a signal; returns how many queries would not end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    front = Front(engine, folder.tmp)
    app = web.Application(client_max_size=_LARGEST_BODY_BYTES)
    app.router.add_get("/ping", front.ping)
    app.router.add_get("/replicas_status", front.ping)
    app.router.add_get("/", front.query)
    app.router.add_post("/", front.query)
    runner = web.AppRunner(
        app,
        access_log=None,
        handler_cancellation=True,  # a client that goes away ends its query
        auto_decompress=False,  # done in codecs, which knows lz4 as well
        max_line_size=_LARGEST_URL_BYTES,
        max_field_size=_LARGEST_URL_BYTES,
        shutdown_timeout=0.2,
    )
    await runner.setup()
    site = web.TCPSite(runner, HOST, port, backlog=1024)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise StoreUnavailable(
            f"port {port} of {HOST} cannot be used: {error.strerror}; choose another with --port"
        ) from error
    bound = runner.addresses[0][1]
    print(f"store ready: http://{HOST}:{bound} (ClickHouse {engine.version})", flush=True)
    await stop.wait()
    front.runs.kill_all()
    await runner.cleanup()
    deadline = time.monotonic() + _GRACE_SECONDS
    while front.runs and time.monotonic() < deadline:
        front.runs.kill_all()
        await asyncio.sleep(0.05)
    if not front.runs:
        front.runs.close()
    return len(front.runs)
