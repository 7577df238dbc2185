"""Ctrl-C ends a command wherever it strikes, with 130 and what to do next; and what a run prints and claims on its way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bench import running
from bench.cli import main
from bench.interrupt import CtrlC
from bench.record import State, state

from . import report_pages
from .places import MORNING

unembedded, unpainted = report_pages.unembedded, report_pages.unpainted
BAND = 'params.arrivals.bands=[{start="09:00", end="09:20", per_hour=30}]'


def test_ctrl_c_that_was_swallowed_comes_back_at_the_next_visit() -> None:
    with CtrlC() as ctrl_c:
        ctrl_c.check(0, 1)
        with pytest.raises(KeyboardInterrupt):  # here it is caught, as a library's callback might
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            ctrl_c.check(0, 2)


def test_handler_from_before_is_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with CtrlC():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def call(*words: str) -> Result:
    return CliRunner().invoke(main, list(words), catch_exceptions=False)


def interrupted(act: Callable[..., Any]) -> Callable[..., Any]:
    """The function, broken off by Ctrl-C."""

    def broken_off(*args: Any, **more: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return act(*args, **more)

    return broken_off


def interrupted_and_taken_for_an_error(act: Callable[..., Any]) -> Callable[..., Any]:
    """As a compiled library does that calls back into Python."""

    def broken_off(*args: Any, **more: Any) -> Any:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise RuntimeError("callback failed") from None
        return act(*args, **more)

    return broken_off


@pytest.mark.parametrize("broken_off", [interrupted, interrupted_and_taken_for_an_error])
def test_ctrl_c_while_the_scenario_is_loaded_says_that_nothing_was_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken_off: Callable[..., Any]
) -> None:
    monkeypatch.setattr(running, "load", broken_off(running.load))
    result = call("run", str(MORNING), "--out", str(tmp_path / "run"))
    assert (result.exit_code, result.stderr) == (130, "interrupted: nothing was played\n")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("broken_off", [interrupted, interrupted_and_taken_for_an_error])
@pytest.mark.usefixtures("unpainted")
def test_ctrl_c_while_the_report_is_made_says_that_the_run_is_whole_and_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken_off: Callable[..., Any]
) -> None:
    import reports.build

    run = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(reports.build, "build", broken_off(reports.build.build))
        result = call("run", str(MORNING), "-n", "1", "--set", BAND, "--out", str(run))
        assert result.exit_code == 130
        assert result.stderr == f"interrupted: the run is whole; its report: vhc-bench report {run}\n"
        assert state(run) is State.COMPLETE
        again = call("report", str(run))
        assert (again.exit_code, again.stderr) == (130, f"interrupted: nothing is lost; again: vhc-bench report {run}\n")
    assert call("report", str(run)).exit_code == 0


@pytest.mark.usefixtures("unpainted")
def test_ctrl_c_while_the_play_is_written_leaves_a_run_that_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import record

    run = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(record, "journal_to_parquet", interrupted(record.journal_to_parquet))
        result = call("run", str(MORNING), "-n", "1", "--set", BAND, "--out", str(run))
    assert result.exit_code == 130
    assert f"vhc-bench report {run}" in result.stderr
    assert call("report", str(run)).exit_code == 0


@pytest.mark.usefixtures("unpainted")
def test_run_that_fails_names_the_report_of_what_was_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import run as runs
    from virtual_devices.errors import LinkError

    def play(*args: Any, **more: Any) -> None:
        raise LinkError("the reader did not come back")

    monkeypatch.setattr(runs, "play", play)
    result = call("run", str(MORNING), "--out", str(tmp_path / "run"))
    assert result.exit_code == 3
    assert result.stderr.splitlines() == [
        f"what was played is kept; its report: vhc-bench report {tmp_path / 'run'}", "the reader did not come back",
    ]


def test_runs_that_begin_together_have_each_a_directory_of_its_own(tmp_path: Path) -> None:
    barrier, claimed = threading.Barrier(8), []

    def claim() -> None:
        barrier.wait()
        claimed.append(running._claim_directory(tmp_path / "runs", "day-1"))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in claimed) == [f"day-1-{n:03d}" for n in range(1, 9)]


def test_run_that_never_began_keeps_no_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(running, "_run", interrupted(running._run))
    assert call("run", str(MORNING)).exit_code == 130
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize(("per_s", "text"), [(0.28, "0.3/s"), (9.94, "9.9/s"), (9.96, "10/s"), (412.4, "412/s")])
def test_rate_of_a_slow_run_has_a_decimal(per_s: float, text: str) -> None:
    assert running.rate(per_s) == text


def test_seed_of_the_command_line_has_the_limit_of_the_file_s_own() -> None:
    refused = call("run", str(MORNING), "--seed", str(2**63))
    assert refused.exit_code == 2
    assert "0<=x<=9223372036854775807" in refused.stderr
    from_file = call("run", str(MORNING), "--set", f"run.seed={2**63}")
    assert from_file.exit_code == 4
