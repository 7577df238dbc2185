"""Lanes of a soak: processes side by side, each with a stack, a presenter and a seed of its own; what they counted is one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from virtual_devices.errors import LinkError

from .places import ROOT
from .soak_figures import Figures


def side_by_side(
    channel: str, seed: int, trouble: float, folder: Path, presentations: int, lanes: int,
    say: Callable[[str], None] | None = None,
) -> Figures:
    """``presentations`` shared among ``lanes``; lane number k has the seed ``seed + k``. ``say``: is told what the lanes say of
    themselves while they run; without it they say it to stderr. Ctrl-C ends each as it ends one alone. Raises LinkError with the
    last words of a lane that left no figures."""
    shares = [presentations // lanes + (lane < presentations % lanes) for lane in range(lanes)]
    running: list[subprocess.Popen[str]] = []
    files = [folder / f"lane-{lane}.json" for lane in range(lanes)]
    try:
        for lane, (share, file) in enumerate(zip(shares, files, strict=True)):
            command = [sys.executable, "-m", "tests.soak", "--channel", channel, "--n", f"{share}", "--seed", f"{seed + lane}"]
            command += ["--trouble", f"{trouble}", "--json", str(file)]
            running.append(
                subprocess.Popen(
                    command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE if say else None, text=True,
                    start_new_session=True,  # a Ctrl-C reaches it once, from here
                )
            )
        words = [_ended(lane, say) for lane in running]
    except KeyboardInterrupt:
        for one in running:
            one.terminate()
        words = [_ended(lane, say) for lane in running]
    finally:
        for one in running:
            if one.poll() is None:
                one.kill()
                one.wait()
    return Figures.of([_figures(file, said, seed + lane) for lane, (file, said) in enumerate(zip(files, words, strict=True))])


def _ended(lane: subprocess.Popen[str], say: Callable[[str], None] | None) -> Sequence[str]:
    """Wait for it; its last lines."""
    told = (lane.communicate()[1] or "").splitlines()
    if say:
        for line in told:
            say(line)
    return told[-3:]


def _figures(file: Path, said: Sequence[str], seed: int) -> Figures:
    try:
        return Figures.read(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LinkError(f"the lane of seed {seed} left no figures: {' / '.join(said) or 'what it said is above'}") from None


__all__ = ["side_by_side"]
