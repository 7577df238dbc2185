"""The commands ``run`` and ``report``: what a person sees of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from bench.exits import INTERRUPTED, LAW_BROKEN, NOTHING_RAN, PASS
from bench.frames import ASKED
from bench.interrupt import CtrlC
from bench.laboratory import load as load_laboratory
from bench.record import RecordError, State, recover, state
from bench.replayed import differing
from bench.rig import Rig
from bench.run import Result, expected_visits, with_overrides
from bench.run import run as play
from scenarios.files import Scenario, dump, load
from virtual_devices.errors import BenchError, UsageError

err = Console(stderr=True, soft_wrap=True)


class Rate(ProgressColumn):
    """Visits a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(rate(speed) if speed else "", style="progress.data.speed")


def rate(per_s: float) -> str:
    """A real reader takes three seconds for a visit: below ten a second a decimal tells."""
    return f"{per_s:.1f}/s" if per_s < 9.95 else f"{per_s:.0f}/s"


def command(
    path: Path, seed: int | None, replications: int | None, directory: Path | None, monikers: Mapping[str, str],
    overrides: tuple[str, ...], *, laboratory: Path | None = None, language: str = "en", frames: bool = False, quiet: bool,
) -> int:
    """``vhc-bench run``. ``monikers``: role -> what was given for it. ``frames``: real media note theirs. Returns the exit
    code."""
    target: Path | None = None
    with CtrlC() as ctrl_c:
        try:
            rig = Rig.of(monikers, load_laboratory(laboratory) if laboratory else None)
            if frames:
                if not rig.may_be_real:
                    raise UsageError("--frames records what real media carry, and no role has one: give --wallet nfc:own, say")
                rig.env = {ASKED: "1"}
            scenario = with_overrides(load(path, _overrides(overrides)), seed=seed, replications=replications)
            rig.check(scenario)
            target = directory or _claim_directory(Path("runs"), f"{path.stem}-{scenario.run.seed}")
            return _run(scenario, target, rig, ctrl_c, language, quiet=quiet)
        except BaseException as e:
            if directory is None and target is not None:
                with suppress(OSError):  # it goes only when nothing is in it
                    target.rmdir()
            if ctrl_c.asked or isinstance(e, KeyboardInterrupt):
                return _interrupted(target)
            if target is not None and isinstance(e, BenchError) and state(target) is State.FAILED:
                err.print(f"what was played is kept; its report: vhc-bench report {target}", markup=False)
            raise


def _run(scenario: Scenario, target: Path, rig: Rig, ctrl_c: CtrlC, language: str, *, quiet: bool) -> int:
    interrupted = False
    result = Result(target)
    try:
        result = _play_until(ctrl_c, scenario, target, rig, quiet=quiet)
    except KeyboardInterrupt:
        if state(target) is not State.INTERRUPTED:
            raise
        interrupted, ctrl_c.asked = True, False
        err.print("interrupted: what was played is kept", markup=False)
    _tell(target, language, ctrl_c, quiet=quiet)
    if interrupted:
        return INTERRUPTED
    if not result.visits:
        err.print("nothing ran: no patient came; look at params.arrivals", style="red", markup=False)
        return NOTHING_RAN
    if result.parted:
        _tell_parted(result.parted, scenario, rig)
    return LAW_BROKEN if result.broken or result.parted else PASS


def _tell_parted(parted: list[str], scenario: Scenario, rig: Rig) -> None:
    """A run that is played again promises to be the same."""
    settings = sorted({name for one in rig.recordings.values() for name in differing(one, dump(scenario))})
    why = f"; the scenario is another than the record's in {', '.join(settings)}" if settings else ""
    sessions = f"{len(parted)} sessions" if len(parted) > 1 else "one session"
    err.print(f"{sessions} parted from the record{why}. The first: {parted[0].partition(': ')[2]}. "
              "The report has all under 'Switches of devices'", style="red", markup=False, highlight=False)


def _interrupted(target: Path | None) -> int:
    """Ctrl-C outside the play: before there is a run, or when it has been written and its report has not."""
    if target is None or state(target) is State.NOT_A_RUN:
        err.print("interrupted: nothing was played", markup=False)
    elif state(target) is State.COMPLETE:
        err.print(f"interrupted: the run is whole; its report: vhc-bench report {target}", markup=False)
    else:
        err.print(f"interrupted: what was played is kept; its report: vhc-bench report {target}", markup=False)
    return INTERRUPTED


def report(directory: Path, language: str = "en") -> int:
    """``vhc-bench report``. Returns the exit code."""
    with CtrlC() as ctrl_c:
        try:
            return _report(directory, language, ctrl_c)
        except BaseException as e:
            if ctrl_c.asked or isinstance(e, KeyboardInterrupt):
                err.print(f"interrupted: nothing is lost; again: vhc-bench report {directory}", markup=False)
                return INTERRUPTED
            raise


def _report(directory: Path, language: str, ctrl_c: CtrlC) -> int:
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
    _tell(directory, language, ctrl_c, quiet=False)
    return PASS


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


def _tell(directory: Path, language: str, ctrl_c: CtrlC, *, quiet: bool) -> None:
    """Make the report; print the summary, and the report's path as the last line."""
    from reports.build import build, summary  # takes half a second to load: only when there is something to report
    from reports.catalogue import ReportError

    try:
        page = build(directory, language)
        ctrl_c.check()
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


def _claim_directory(folder: Path, name: str) -> Path:
    """The next directory of that name that is not there yet, made at once: of two runs that begin together each has its own."""
    for number in count(1):
        target = folder / f"{name}-{number:03d}"
        try:
            target.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as e:
            raise RecordError(f"{target} cannot become a run directory: {e}") from e
        return target
    raise AssertionError("unreachable")
