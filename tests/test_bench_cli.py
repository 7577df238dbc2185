"""The command line as a person uses it: right, wrong, and broken off."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench.cli import main
from bench.drivers import ble, nfc, pcsc
from bench.record import State, state

from . import report_pages
from .places import MORNING, ROOT

unembedded, unpainted = report_pages.unembedded, report_pages.unpainted
BAND = 'params.arrivals.bands=[{start="09:00", end="09:30", per_hour=30}]'


def call(*words: str) -> Result:
    return CliRunner().invoke(main, list(words), catch_exceptions=False)


def process(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench.cli", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "COLUMNS": "120"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job of a shell would ignore Ctrl-C
    )


def said(*words: str) -> tuple[int, str, str]:
    child = process(*words)
    out, err = child.communicate(timeout=120)
    return child.returncode, out, err


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str, str]:
    """A run directory, and the code, output and errors with which the command made it. Tests leave it as it is."""
    run = tmp_path_factory.mktemp("finished") / "run"
    return run, *said("run", str(MORNING), "-n", "1", "--set", BAND, "--out", str(run))


def test_run_ends_with_the_path_of_its_report(finished: tuple[Path, int, str, str]) -> None:
    run, code, out, err = finished
    assert (code, err) == (0, "")
    *summary, last = out.splitlines()
    assert last == str(run / "report.html")
    assert Path(last).stat().st_size > 50_000
    assert len(summary) == 5


@pytest.mark.usefixtures("unpainted")
def test_run_quietly_prints_the_path_alone(tmp_path: Path) -> None:
    result = call("run", str(MORNING), "-q", "-n", "1", "--set", BAND, "--out", str(tmp_path / "run"))
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'run' / 'report.html'}\n")


def test_run_will_not_write_into_another_run(finished: tuple[Path, int, str, str]) -> None:
    run = finished[0]
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    code, _, err = said("run", str(MORNING), "-q", "-n", "1", "--set", BAND, "--out", str(run))
    assert code == 2
    assert str(run) in err
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


@pytest.mark.usefixtures("unpainted")
def test_run_with_nobody_coming_says_that_nothing_ran(tmp_path: Path) -> None:
    result = call("run", str(MORNING), "-n", "1", "--set", "params.arrivals.bands=[]", "--out", str(tmp_path / "run"))
    assert result.exit_code == 5
    assert "no patient came" in result.stderr


def test_ctrl_c_keeps_what_was_played(tmp_path: Path) -> None:
    child = process("run", str(MORNING), "-n", "200", "--out", str(tmp_path / "run"))
    journal = tmp_path / "run" / "journal"
    for _ in range(600):  # until it plays
        if journal.exists() and any(p.stat().st_size > 10_000 for p in journal.iterdir()):
            break
        try:
            child.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(child.communicate())
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert state(tmp_path / "run") is State.INTERRUPTED
    assert out.splitlines()[-1].endswith("report.html")
    assert "Traceback" not in err


def test_report_is_made_again_the_same(finished: tuple[Path, int, str, str], tmp_path: Path) -> None:
    run = shutil.copytree(finished[0], tmp_path / "run")
    page = (run / "report.html").read_bytes()
    (run / "report.html").unlink()
    code, out, _ = said("report", str(run))
    assert code == 0
    assert out.splitlines()[-1] == str(run / "report.html")
    assert (run / "report.html").read_bytes() == page


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("run", "nowhere.toml"), 4, "there is no such file"),
        (("run", str(MORNING), "--set", "params.stations.pricing.staf=3"), 4, "did you mean params.stations.pricing.staff"),
        (("run", str(MORNING), "--set", "nonsense"), 2, "KEY=VALUE"),
        (("run", str(MORNING), "--card", "acs"), 2, "give virtual, auto, pcsc:NAME"),
        (("rum",), 2, "Did you mean 'run'?"),
        (("report", "."), 2, "is not a run directory"),
        (("requirements", "XX-01"), 2, "XX-01"),
        (("scenarios", "--schema", "clinic_mornin"), 2, "clinic_morning"),
        (("present", "vpcd", "--profile", "t9"), 2, "t1, t1-nul, t0, y2025"),
    ],
)
def test_mistake_is_named_with_its_remedy(words: tuple[str, ...], code: int, says: str) -> None:
    result = CliRunner(env={"COLUMNS": "120"}).invoke(main, list(words), catch_exceptions=False)
    assert result.exit_code == code, result.output
    assert says in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "says"), [(("run", "nowhere.toml"), 4, "there is no such file"), (("rum",), 2, "Did you mean 'run'?")]
)
def test_mistake_is_no_traceback_to_a_person(words: tuple[str, ...], code: int, says: str) -> None:
    """The same as a person sees it: a process of its own."""
    got, _, err = said(*words)
    assert got == code, err
    assert says in err
    assert "Traceback" not in err


def test_named_device_that_is_not_there_ends_before_the_run(tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-m", "bench.cli", "run", str(MORNING), "--card", "pcsc:NOBODY*", "--out", str(tmp_path / "run")],
        capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PCSCLITE_CSOCK_NAME": str(tmp_path / "none")},
    )
    assert child.returncode == 3
    assert not (tmp_path / "run").exists()


def test_present_says_that_no_driver_listens(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        command = [sys.executable, "-m", "bench.cli", "present", "vpcd", "--port", str(port)]
        environ = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environ) as child:
            assert child.stdout and child.stderr
            assert child.stdout.readline().startswith("presenting card ")
            assert child.stderr.readline() == (
                f"no vpcd driver answers at 127.0.0.1:{port}: is pcscd running, with the package vsmartcard-vpcd? Still trying.\n"
            )
            child.kill()


def test_scenarios_are_listed_and_checked() -> None:
    assert "clinic_morning" in call("scenarios").output
    assert "nothing wrong" in call("scenarios", str(MORNING)).output
    schema = json.loads(call("scenarios", "--schema", "clinic_morning").output)
    assert schema["$schema"].endswith("2020-12/schema")


def test_devices_stand_in_one_line_each_where_no_terminal_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    atr = "3B 9F 95 81 31 FE 9F 00 66 46 53 05 10 00 11 71 DF 00 00 00 00 00 00"
    name = "pcsc:ACS ACR39U ICC Reader [CCID Smart Card Reader] 00 00"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(nfc, "discover", list)
    monkeypatch.setattr(ble, "discover", list)
    monkeypatch.setattr(pcsc, "discover", lambda: [pcsc.Found(name, f"contact reader, card, ATR {atr}", True)])
    header, line = call("devices").output.splitlines()
    assert header.split("  ")[0] == "moniker"
    assert line == f"{name}  contact reader, card, ATR {atr}"


def test_lists_are_fitted_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes any stream for a terminal
    monkeypatch.setenv("COLUMNS", "60")
    lines = call("requirements", "REG-02").output.splitlines()
    assert len(lines) > 2
    assert max(map(len, lines[1:])) <= 60
    monkeypatch.delenv("FORCE_COLOR")
    assert len(call("requirements", "REG-02").output.splitlines()) == 2


def test_requirements_are_listed_with_what_shows_them() -> None:
    rows = json.loads(call("requirements", "--json", "UPL-01").output)
    assert "clinic_morning" in rows[0]["situations"]
    assert len(json.loads(call("requirements", "--json").output)) > 50
    assert "HOM-06" in call("requirements", "--duty", "may").output


@pytest.mark.parametrize("words", ["", "run", "devices", "present", "present vpcd", "report", "scenarios", "requirements"])
def test_help_teaches(words: str) -> None:
    result = call(*words.split(), "--help")
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 5


def test_help_in_groups_has_every_option_once() -> None:
    said = CliRunner().invoke(main, ["conform", "--help"]).output
    options = sorted(option for param in main.commands["conform"].params for option in param.opts if option.startswith("--"))
    assert sorted(re.findall(r"^  (?:-\w, )?(--[\w-]+)", said, re.MULTILINE)) == sorted([*options, "--help"])
