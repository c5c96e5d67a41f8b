"""`tests/setup.sh`, on machines that have nothing: what it installs, or the one command it says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASH = shutil.which("bash") or "/bin/bash"
OF_FAULTS = "maven prometheus procps curl chromium kcat nodejs npm golang-go"
POLICY = 'echo "apt-cache $@" >&2\ncase $2 in openjdk-{}-*) echo "  Candidate: 1" ;; esac\n'


class Machine:
    """A checkout, and the only programs that are on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._programs = folder / "bin"
        self._programs.mkdir()
        shutil.copy(ROOT / "tests" / "setup.sh", folder)

    def has(self, **programs: str) -> None:
        for name, script in programs.items():
            path = self._programs / name.replace("_", "-")
            path.write_text(f"#!{BASH}\n{script}\n")
            path.chmod(0o755)

    def set_up(self, target: str) -> subprocess.CompletedProcess[str]:
        command = [BASH, str(self.folder / "setup.sh"), target]
        path = {"PATH": str(self._programs)}
        return subprocess.run(command, env=path, cwd=self.folder, capture_output=True, text=True)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def debian(machine: Machine, uid: int, java: int = 17) -> None:
    machine.has(
        id=f"echo {uid}",
        apt_get='echo "apt-get $@" >&2',
        apt_cache=POLICY.format(java),
        env=f'[[ $1 != *=* ]] || shift; [[ $1 == {BASH} ]] || exec "$@"',
    )


def test_without_apt_get_it_says_one_command(machine: Machine) -> None:
    machine.has(python3="")
    done = machine.set_up("faults")
    assert done.returncode == 1
    command = "\nbrew install openjdk@17 maven prometheus curl chromium kcat node go\n"
    assert command in done.stderr
    assert f"packages of Debian: openjdk-17-jdk-headless {OF_FAULTS}" in done.stderr


@pytest.mark.parametrize("java", [17, 21, 25])
def test_root_of_a_bare_debian_gets_all_of_it_with_the_java_that_there_is(
    machine: Machine, java: int
) -> None:
    debian(machine, uid=0, java=java)
    done = machine.set_up("faults")
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("apt-get")]
    assert said[0] == "apt-get update -qq", "before it is asked which Java there is"
    packages = f"python3-venv openjdk-{java}-jdk-headless {OF_FAULTS}"
    assert said[1:] == [f"apt-get install -y -qq --no-install-recommends {packages}"]


def test_a_user_who_may_not_install_is_told_the_command(machine: Machine) -> None:
    debian(machine, uid=1000)
    machine.has(sudo="exit 1", python3="")
    done = machine.set_up("test")
    assert done.returncode == 1
    packages = "openjdk-17-jdk-headless maven prometheus procps curl chromium"
    assert f"\nsudo apt-get install {packages}\n" in done.stderr


def test_an_older_java_is_as_good_as_none(machine: Machine) -> None:
    here = dict.fromkeys(("python3", "mvn", "prometheus", "promtool", "ps", "curl", "chromium"), "")
    machine.has(**here, java="""echo 'openjdk version "11.0.2" 2019-01-15' >&2""")
    assert "\nbrew install openjdk@17\n" in machine.set_up("test").stderr
    machine.has(java="""echo 'openjdk version "21" 2023-09-19' >&2""")
    assert machine.set_up("test").returncode == 0


def test_quick_needs_python_alone(machine: Machine) -> None:
    machine.has(python3="")
    assert machine.set_up("quick").returncode == 0
