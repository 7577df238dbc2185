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
from reports.catalogue import Catalogue, ReportError, catalogue
from reports.terms import term
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
    words = catalogue(language)
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
            return _run(scenario, target, rig, ctrl_c, words, quiet=quiet)
        except BaseException as e:
            if directory is None and target is not None:
                with suppress(OSError):  # it goes only when nothing is in it
                    target.rmdir()
            if ctrl_c.asked or isinstance(e, KeyboardInterrupt):
                return _interrupted(target, words)
            if target is not None and isinstance(e, BenchError) and state(target) is State.FAILED:
                _say(words.say("what was played is kept; its report: vhc-bench report {run}", run=target))
            raise


def _run(scenario: Scenario, target: Path, rig: Rig, ctrl_c: CtrlC, words: Catalogue, *, quiet: bool) -> int:
    interrupted = False
    result = Result(target)
    try:
        result = _play_until(ctrl_c, scenario, target, rig, words, quiet=quiet)
    except KeyboardInterrupt:
        if state(target) is not State.INTERRUPTED:
            raise
        interrupted, ctrl_c.asked = True, False
        _say(words.say("interrupted: what was played is kept"))
    _tell(target, words, ctrl_c, quiet=quiet)
    if interrupted:
        return INTERRUPTED
    if not result.visits:
        _say(words.say("nothing ran: no patient came; look at params.arrivals"), "red")
        return NOTHING_RAN
    for role, reasons in result.left.items():
        _say(words.say(
            "the {role} ({where}) was left alone {often}, and the reference device went on; the last time: {why}. The report has "
            "all under 'Switches of devices'", role=term(words, role), where=rig.table()[role], why=reasons[-1],
            often=words.say_n("once", "{n} times", len(reasons)),
        ), "yellow")
    if result.parted:
        _tell_parted(result.parted, scenario, rig, words)
    return LAW_BROKEN if result.broken or result.parted else PASS


def _tell_parted(parted: list[str], scenario: Scenario, rig: Rig, words: Catalogue) -> None:
    """A run that is played again promises to be the same."""
    settings = sorted({name for one in rig.recordings.values() for name in differing(one, dump(scenario))})
    why = words.say("; the scenario is another than the record's in {settings}", settings=", ".join(settings)) if settings else ""
    _say(words.say(
        "{sessions} parted from the record{why}. The first: {first}. The report has all under 'Switches of devices'",
        sessions=words.say_n("one session", "{n} sessions", len(parted)), why=why, first=parted[0].partition(": ")[2],
    ), "red")


def _interrupted(target: Path | None, words: Catalogue) -> int:
    """Ctrl-C outside the play: before there is a run, or when it has been written and its report has not."""
    if target is None or state(target) is State.NOT_A_RUN:
        _say(words.say("interrupted: nothing was played"))
    elif state(target) is State.COMPLETE:
        _say(words.say("interrupted: the run is whole; its report: vhc-bench report {run}", run=target))
    else:
        _say(words.say("interrupted: what was played is kept; its report: vhc-bench report {run}", run=target))
    return INTERRUPTED


def _say(text: str, style: str = "") -> None:
    err.print(text, style=style, markup=False, highlight=not style)


def report(directory: Path, language: str = "en") -> int:
    """``vhc-bench report``. Returns the exit code."""
    words = catalogue(language)
    with CtrlC() as ctrl_c:
        try:
            return _report(directory, words, ctrl_c)
        except BaseException as e:
            if ctrl_c.asked or isinstance(e, KeyboardInterrupt):
                _say(words.say("interrupted: nothing is lost; again: vhc-bench report {run}", run=directory))
                return INTERRUPTED
            raise


def _report(directory: Path, words: Catalogue, ctrl_c: CtrlC) -> int:
    match state(directory):
        case State.NOT_A_RUN:
            raise UsageError(f"{directory} is not a run directory: it has no manifest.json")
        case State.RUNNING:
            raise UsageError(f"{directory} is still being written: wait until it has ended")
        case State.KILLED:
            kept = recover(directory)
            _say(words.say("this run was killed; recovered: {n} rows", n=f"{sum(kept.rows.values()):,}"), "yellow")
        case _:
            pass
    _tell(directory, words, ctrl_c, quiet=False)
    return PASS


def _play_until(ctrl_c: CtrlC, scenario: Scenario, directory: Path, rig: Rig, words: Catalogue, *, quiet: bool) -> Result:
    if quiet or not err.is_terminal:
        return play(scenario, directory, rig, ctrl_c.check)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(words.say("visits")), Rate(),
        TimeRemainingColumn(), TextColumn(words.say("left")),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        times = scenario.run.replications

        def which(replication: int) -> str:
            return words.say("replication {n} of {total}", n=replication + 1, total=times)

        task = progress.add_task(which(0), total=expected_visits(scenario) or None)

        def told(replication: int, visits: int) -> None:
            ctrl_c.check(replication, visits)
            progress.update(task, completed=visits, description=which(replication))

        return play(scenario, directory, rig, told)


def _tell(directory: Path, words: Catalogue, ctrl_c: CtrlC, *, quiet: bool) -> None:
    """Make the report; print the summary, and the report's path as the last line."""
    from reports.build import build, summary  # takes half a second to load: only when there is something to report
    try:
        page = build(directory, words.language)
        ctrl_c.check()
        if not quiet:
            print_line(summary(directory, words.language))
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
