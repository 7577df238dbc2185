"""The commands ``run`` and ``report``: what a person sees of them."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from bench.exits import INTERRUPTED, LAW_BROKEN, NOTHING_RAN, PASS
from bench.record import State, recover, state
from bench.rig import Rig
from bench.run import Result, expected_visits, with_overrides
from bench.run import run as play
from scenarios.files import Scenario, load
from virtual_devices.errors import UsageError

err = Console(stderr=True, soft_wrap=True)


class Rate(ProgressColumn):
    """Visits a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.0f}/s" if speed else "", style="progress.data.speed")


def command(
    path: Path, seed: int | None, replications: int | None, directory: Path | None, card: str, overrides: tuple[str, ...], *,
    language: str = "en", quiet: bool,
) -> int:
    """``vhc-bench run``. Returns the exit code."""
    rig = Rig(card)
    scenario = with_overrides(load(path, _overrides(overrides)), seed=seed, replications=replications)
    rig.check()
    target = directory or _free_directory(Path("runs"), f"{path.stem}-{scenario.run.seed}")
    interrupted = False
    result = Result(target)
    try:
        result = _play(scenario, target, rig, quiet=quiet)
    except KeyboardInterrupt:
        if state(target) is not State.INTERRUPTED:
            return INTERRUPTED
        interrupted = True
        err.print("interrupted: what was played is kept", markup=False)
    _tell(target, language, quiet=quiet)
    if interrupted:
        return INTERRUPTED
    if not result.visits:
        err.print("nothing ran: no patient came; look at params.arrivals", style="red", markup=False)
        return NOTHING_RAN
    return LAW_BROKEN if result.broken else PASS


def report(directory: Path, language: str = "en") -> int:
    """``vhc-bench report``. Returns the exit code."""
    match state(directory):
        case State.NOT_A_RUN:
            raise UsageError(f"{directory} is not a run directory: it has no manifest.json")
        case State.RUNNING:
            raise UsageError(f"{directory} is still being written: wait until it has ended")
        case State.KILLED:
            kept = recover(directory)
            err.print(f"this run was killed; recovered: {sum(kept.rows.values()):,} rows", style="yellow", markup=False)
        case _:
            pass
    _tell(directory, language, quiet=False)
    return PASS


class CtrlC:
    """Ctrl-C, for good: the interrupt is raised at once, and again at the next visit should something have swallowed it.

    Compiled libraries that call back into Python may take an interrupt that arrives there for an error of their own.
    """

    def __init__(self) -> None:
        self._asked = False
        self._before: Any = None

    def __enter__(self) -> CtrlC:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *exc: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: object) -> None:
        self._asked = True
        raise KeyboardInterrupt

    def check(self, replication: int, visits: int) -> None:
        """Told of each visit."""
        if self._asked:
            raise KeyboardInterrupt


def _play(scenario: Scenario, directory: Path, rig: Rig, *, quiet: bool) -> Result:
    with CtrlC() as ctrl_c:
        return _play_until(ctrl_c, scenario, directory, rig, quiet=quiet)


def _play_until(ctrl_c: CtrlC, scenario: Scenario, directory: Path, rig: Rig, *, quiet: bool) -> Result:
    if quiet or not err.is_terminal:
        return play(scenario, directory, rig, ctrl_c.check)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("visits"), Rate(),
        TimeRemainingColumn(), TextColumn("left"),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        times = scenario.run.replications
        task = progress.add_task(f"replication 1 of {times}", total=expected_visits(scenario) or None)

        def told(replication: int, visits: int) -> None:
            ctrl_c.check(replication, visits)
            progress.update(task, completed=visits, description=f"replication {replication + 1} of {times}")

        return play(scenario, directory, rig, told)


def _tell(directory: Path, language: str, *, quiet: bool) -> None:
    """Make the report; print the summary, and the report's path as the last line."""
    from reports.build import build, summary  # takes half a second to load: only when there is something to report
    from reports.catalogue import ReportError

    try:
        page = build(directory, language)
        if not quiet:
            print_line(summary(directory, language))
    except ReportError as e:
        raise UsageError(str(e)) from e
    print_line(str(page))


def print_line(text: str) -> None:
    """To standard output, as it is."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _overrides(given: tuple[str, ...]) -> dict[str, str]:
    values = {}
    for item in given:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {item!r}: write KEY=VALUE, such as run.replications=3")
        values[key.strip()] = value.strip()
    return values


def _free_directory(folder: Path, name: str) -> Path:
    """The next directory of that name that is not there yet."""
    number = 1
    while (folder / f"{name}-{number:03d}").exists():
        number += 1
    return folder / f"{name}-{number:03d}"

