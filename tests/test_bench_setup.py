"""./bench.sh on machines that lack something, and the ``needs`` marker: named, with exit 3, or skipped with the remedy."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import TOOLS

from .places import ROOT

SYSTEM_TOOLS = ("bash", "dirname", "cat", "cksum", "grep", "mkdir", "cp", "rm", "awk", "tail", "cut", "id", "flock", "env")


class Machine:
    """A checkout and a PATH that holds a few system tools and what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.bin = folder / "bin"
        self.checkout.mkdir()
        self.bin.mkdir()
        for name in ("bench.sh", "pyproject.toml"):
            shutil.copy(ROOT / name, self.checkout / name)
        shutil.copytree(ROOT / "requirements", self.checkout / "requirements")
        shutil.copytree(ROOT / "tests" / "judges", self.checkout / "tests" / "judges")
        for tool in SYSTEM_TOOLS:
            if found := shutil.which(tool):
                (self.bin / tool).symlink_to(found)

    def program(self, name: str, body: str) -> None:
        path = self.bin / name
        path.unlink(missing_ok=True)  # it may be a link to the machine's own program, which must not be written through
        path.write_text(f"#!/usr/bin/env bash\n{body}\n")
        path.chmod(0o755)

    def made_up(self, level: str, python: str) -> None:
        """A .venv/ that is up to date for this level, with a stand-in for its Python."""
        venv = self.checkout / ".venv"
        (venv / "bin").mkdir(parents=True)
        (venv / "bin" / "activate").write_text(f"VIRTUAL_ENV={venv}\n")
        for name in ("python", "vhc-bench"):
            (venv / "bin" / name).write_text(f"#!/usr/bin/env bash\n{python}\n")
            (venv / "bin" / name).chmod(0o755)
        locked = [self.checkout / "requirements" / f"{'run' if level == 'run' else 'test'}.txt", self.checkout / "pyproject.toml"]
        stamp = subprocess.run(["cksum", *map(str, locked)], capture_output=True, text=True, check=True).stdout
        (venv / f"{level}.stamp").write_text(stamp)

    def run(self, *args: str, **environ: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.bin), **environ}
        command = ["bash", "bench.sh", *args]
        return subprocess.run(command, cwd=self.checkout, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_setup_names_python_when_there_is_none(machine: Machine) -> None:
    done = machine.run("setup")
    assert done.returncode == 3
    assert "Python 3.11 or later is missing: no python3 was found" in done.stderr


def test_setup_names_a_python_that_is_too_old(machine: Machine) -> None:
    machine.program("python3", "echo 3.9.2; exit 1")
    done = machine.run("setup")
    assert done.returncode == 3
    assert "python3 is 3.9.2" in done.stderr


def test_setup_names_python3_venv_when_ensurepip_is_absent(machine: Machine) -> None:
    machine.program("python3", 'case "$2" in *ensurepip*) exit 1 ;; esac; echo 3.11.2')
    done = machine.run("setup")
    assert done.returncode == 3
    assert "apt-get install python3-venv" in done.stderr


def test_setup_names_the_registry_when_it_does_not_answer(machine: Machine) -> None:
    machine.program("python3", f'exec {sys.executable} "$@"')
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
    done = machine.run("setup", **nowhere)
    assert done.returncode == 3, done.stderr
    assert "the package registry cannot be reached" in done.stderr
    assert not list(machine.checkout.glob(".venv/*.stamp"))


def test_setup_without_a_home_keeps_to_the_checkout(machine: Machine) -> None:
    machine.program("python3", 'echo "$HOME" >>homes; echo 3.9.2; exit 1')
    machine.run("setup")
    machine.run("setup", HOME="")
    homes = set((machine.checkout / "homes").read_text().split())
    assert homes == {str(machine.checkout / ".cache" / "home")}


def test_packages_are_named_where_they_may_not_be_installed(machine: Machine) -> None:
    machine.program("dpkg-query", "exit 1")
    machine.program("apt-get", "exit 99")
    machine.program("id", "echo 1000")
    done = machine.run("test")
    assert "these Debian packages are missing, and could not be installed here: pcscd vsmartcard-vpcd" in done.stderr
    assert "sudo apt-get install" in done.stderr
    assert "Python 3.11 or later is missing" in done.stderr, "it goes on with what can be run"


def test_packages_that_are_missing_are_an_error_in_ci(machine: Machine) -> None:
    machine.program("dpkg-query", "exit 1")
    machine.program("id", "echo 1000")
    done = machine.run("test", CI="true")
    assert done.returncode == 3
    assert "CI=true forbids to go on without them: pcscd" in done.stderr


def test_packages_are_installed_by_root(machine: Machine) -> None:
    machine.program("dpkg-query", "echo 'pcscd:installed opensc:installed gcc:installed '")
    machine.program("apt-get", 'echo "$@" >>apt-calls')
    machine.program("id", "echo 0")
    done = machine.run("test")
    update, install = (machine.checkout / "apt-calls").read_text().splitlines()
    assert update.endswith(" update")
    wanted = "vsmartcard-vpcd vsmartcard-vpicc pcsc-tools libpcsclite-dev python3-dev postgresql dbus tshark"
    assert install.endswith(f"install -y --no-install-recommends {wanted}")
    assert "installing Debian packages for the tests: vsmartcard-vpcd vsmartcard-vpicc pcsc-tools" in done.stderr


BENCHMARKS = """case "$*" in
    -\\ *) printf 'one\\tfirst\\ntwo\\tsecond\\n' ;;
    *benchmarks.one*) exit {one} ;;
    *benchmarks.two*) exit {two} ;;
esac"""


@pytest.mark.parametrize(("one", "two", "code", "says"), [
    (0, 0, 0, ""), (3, 0, 3, "not measured: one; what is missing"), (3, 1, 1, "failed: two"), (2, 3, 1, "failed: one"),
])
def test_bench_tells_what_could_not_be_measured_from_what_failed(
    machine: Machine, one: int, two: int, code: int, says: str
) -> None:
    machine.made_up("test", BENCHMARKS.format(one=one, two=two))
    done = machine.run("bench")
    assert done.returncode == code, done.stderr
    assert says in done.stderr


def test_bench_makes_what_every_benchmark_needs(machine: Machine) -> None:
    """With what `run` installs alone, pyscard is missing."""
    machine.made_up("run", "exit 0")
    assert "installing the packages of level 'test'" in machine.run("bench").stderr


@pytest.mark.parametrize("code", [0, 1, 5])
def test_run_prints_what_the_command_prints_and_nothing_more(machine: Machine, code: int) -> None:
    machine.made_up("run", f'echo "$@"; echo runs/x-1-001/report.html; exit {code}')
    done = machine.run("run")
    assert done.returncode == code
    assert done.stdout.splitlines() == ["run scenarios/clinic_morning.toml", "runs/x-1-001/report.html"]
    assert done.stderr == ""


JUDGES_FAIL = """case "$*" in
    *pytest*) echo "tests run" ;;
    *) echo "no judges today"; exit 1 ;;
esac"""


def test_judges_that_cannot_be_installed_are_named_and_the_tests_run(machine: Machine) -> None:
    machine.made_up("test", JUDGES_FAIL)
    done = machine.run("test")
    assert (done.returncode, done.stdout) == (0, "tests run\n")
    assert "could not be installed: the tests that need them are skipped" in done.stderr


def test_judges_that_cannot_be_installed_are_an_error_in_ci(machine: Machine) -> None:
    machine.made_up("test", JUDGES_FAIL)
    done = machine.run("test", CI="true")
    assert (done.returncode, done.stdout) == (3, "")
    assert "the packages of tests/judges/ were not installed" in done.stderr


def test_judges_that_are_there_are_not_installed_again(machine: Machine) -> None:
    machine.made_up("test", JUDGES_FAIL)
    files = ("tests/judges/requirements.txt", "tests/judges/package-lock.json")
    stamp = subprocess.run(["cksum", *files], cwd=machine.checkout, capture_output=True, text=True, check=True).stdout
    folder = machine.checkout / ".cache" / "judges"
    folder.mkdir(parents=True)
    (folder / "stamp").write_text(stamp)
    done = machine.run("test", CI="true")
    assert (done.returncode, done.stdout, done.stderr) == (0, "tests run\n", "")


def test_lock_files_carry_no_address() -> None:
    locks = [*(ROOT / "requirements").glob("*.txt"), *(ROOT / "tests" / "judges").glob("*.[tj][xs]*")]
    assert {"run.txt", "test.txt", "requirements.txt", "package-lock.json"} <= {lock.name for lock in locks}
    assert [lock.name for lock in locks if "://" in lock.read_text(encoding="utf-8")] == []


def test_unknown_command_is_wrong_use(machine: Machine) -> None:
    done = machine.run("mend")
    assert done.returncode == 2
    assert "no command 'mend'" in done.stderr


def test_help_teaches_every_command(machine: Machine) -> None:
    commands = re.findall(r"^cmd_(\w+)\(\)", (ROOT / "bench.sh").read_text(encoding="utf-8"), re.MULTILINE)
    text = machine.run("help").stdout
    assert {"run", "test", "check", "bench", "lock", "clean"} <= set(commands)
    assert [name for name in commands if not re.search(rf"^  {name}\b", text, re.MULTILINE)] == []


def test_packages_that_tools_name_are_in_the_one_list(machine: Machine) -> None:
    listed = machine.run("packages").stdout.split()
    assert {name for tool in TOOLS.values() for name in tool.packages} == set(listed)


PROBE = """
import pytest

@pytest.mark.needs("opensc")
def test_probe():
    pass
"""


def _probe(folder: Path, environ: Mapping[str, str], source: str = PROBE, *, opensc: bool = False) -> str:
    """What pytest prints for one test that needs opensc, on a machine that has it or not."""
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "conftest.py")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = needs(*tools): as in the project\n")
    (folder / "test_probe.py").write_text(source)
    path = folder / "bin"
    path.mkdir()
    if opensc:
        (path / "opensc-tool").touch(mode=0o755)
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", "-p", "no:xdist", str(folder)]
    environment = {"PATH": str(path), "COLUMNS": "400", **environ}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_needs_skips_with_what_is_missing_and_how_to_get_it(tmp_path: Path) -> None:
    text = _probe(tmp_path, {})
    assert "1 skipped" in text
    assert "needs opensc: the program opensc-tool is missing; run ./bench.sh test" in text


def test_needs_runs_the_test_when_the_tool_is_there(tmp_path: Path) -> None:
    assert "1 passed" in _probe(tmp_path, {"CI": "true"}, opensc=True)


@pytest.mark.parametrize("environ", [{"CI": "true"}, {"BENCH_REQUIRE": "pcsc, opensc"}])
def test_needs_is_an_error_when_the_tool_is_required(tmp_path: Path, environ: dict[str, str]) -> None:
    assert "1 error" in _probe(tmp_path, environ)


def test_needs_refuses_a_tool_that_nobody_knows(tmp_path: Path) -> None:
    assert "needs opensk; known tools: pcsc" in _probe(tmp_path, {}, PROBE.replace("opensc", "opensk"))


def test_require_refuses_a_tool_that_nobody_knows(tmp_path: Path) -> None:
    assert "BENCH_REQUIRE names psc" in _probe(tmp_path, {"BENCH_REQUIRE": "psc"})
