"""The command ``usage``: one subcommand for each process and each act of an operator.

What a subcommand needs is imported when it runs, so that ``usage --help`` is instant and a broken
optional part breaks nothing else.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from pipeline.cli import docs, events, processes, views
from pipeline.cli.access import access
from pipeline.cli.audit import audit
from pipeline.cli.backup import backup, restore
from pipeline.cli.dead_letter import dead_letter
from pipeline.cli.groups import Commands
from pipeline.cli.key import key
from pipeline.cli.metric import metric
from pipeline.cli.migrate import migrate
from pipeline.cli.panels import panels
from pipeline.cli.plan import plan
from pipeline.cli.report import report
from pipeline.cli.rewind import rewind
from pipeline.cli.simulate import simulate
from pipeline.cli.status import status
from pipeline.cli.topics import topics
from pipeline.errors import UsageError
from pipeline.process.printable import printable

_INTERRUPTED = 130  # 128 + SIGINT, as shells count


def main() -> NoReturn:
    """Run the command line; a :class:`UsageError` is one line on stderr and its exit code."""
    try:
        code = cli.main(prog_name="usage", standalone_mode=False)
    except UsageError as error:
        print(f"usage: {printable(' '.join(error.message.split()))}", file=sys.stderr)
        code = error.exit_code
    except click.ClickException as error:
        error.message = printable(error.message)
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = _INTERRUPTED
    sys.exit(code if isinstance(code, int) else 0)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="usage-pipeline", message="%(version)s")
def cli() -> None:
    """Exact usage numbers: events in Kafka become rows in ClickHouse, each counted once.

    Settings are environment variables that begin with USAGE_; `usage settings` lists them.
    """


for command in (
    processes.run,
    processes.worker,
    processes.api,
    processes.broker,
    processes.store,
    migrate,
    topics,
    audit,
    status,
    plan,
    views.views,
    views.query,
    panels,
    report,
    backup,
    restore,
    rewind,
    docs.docs,
    docs.settings,
    access,
    key,
    metric,
    dead_letter,
    events.tail,
    events.check,
    simulate,
):
    cli.add_command(command)
