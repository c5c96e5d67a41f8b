"""The command line, as a process: what it prints where, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest


def usage(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("USAGE_")}
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    return subprocess.run(
        command, env=clean | environ, capture_output=True, text=True, timeout=60, check=False
    )


def test_help_names_every_command() -> None:
    done = usage("--help")
    assert done.returncode == 0
    commands = """
        access api audit backup broker check dead-letter docs key metric migrate panels plan query
        report restore rewind run settings simulate status store tail topics views worker
    """
    listed = done.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed if line[2:3].isalpha()] == commands.split()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["wroker"], "'wroker' is not a command; did you mean 'worker'?"),
        (["metrics"], "'metrics' is not a command; did you mean 'docs metrics'?"),
        (["topics", "chek"], "'chek' is not a command; did you mean 'check'?"),
        (["settings", "--mark"], "No such option"),
        (["worker", "--port", "0"], "0 is not in the range"),
        (["worker", "--log-format", "xml"], "'xml' is not one of 'text', 'json'"),
        (["rewind"], "Missing option '--to-store'"),
    ],
)
def test_what_is_unknown_is_named(arguments: list[str], said: str) -> None:
    done = usage(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_for_a_person_is_one_line_and_a_code() -> None:
    done = usage("topics", "check", USAGE_PARTITIONS="many")
    assert done.returncode == 78
    assert done.stderr == (
        "usage: USAGE_PARTITIONS is 'many'; allowed: a whole number from 1 to 10000\n"
    )


def test_a_worker_logs_as_its_option_says() -> None:
    nobody = {"USAGE_CLICKHOUSE": "http://127.0.0.1:1/usage", "USAGE_LOG_FORMAT": "text"}
    done = usage("worker", "--log-format", "json", **nobody)
    assert done.returncode == 75
    [line] = done.stderr.splitlines()
    said = json.loads(line)
    assert (said["level"], said["message"].partition(":")[0]) == ("error", "stopped")


def test_settings_are_listed_without_secrets() -> None:
    done = usage("settings", USAGE_CLICKHOUSE="http://me:hunter2@h:1/d")
    assert done.returncode == 0
    assert "USAGE_CLICKHOUSE=http://me:***@h:1/d\n" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr
