"""The report of a run: one self-contained HTML file, and five lines for the terminal.

Both are functions of the run directory alone: made twice, they are the same, byte for byte.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from reports.catalogue import Catalogue, ReportError, catalogue
from reports.formats import interval, value
from reports.page import render
from reports.run import Run
from reports.sections import faults, morning
from reports.sections.headline import banner, finding, headline, laws_sentence
from reports.sections.uploads import no_share
from reports.statistics import Estimate

FILE_NAME = "report.html"


def build(run_directory: Path, language: str = "en") -> Path:
    """Write ``report.html`` into the run directory, in ``en`` or ``zh-TW``; returns its path.

    ReportError when the directory is no run or is damaged, when there is no catalogue of that language, and when the file
    cannot be written. The file is replaced in one step: a reader never sees half of it.
    """
    path = run_directory / FILE_NAME
    half = run_directory / f".{FILE_NAME}.part"
    made = page(run_directory, catalogue(language))
    try:
        half.write_text(made, encoding="utf-8", newline="\n")
        half.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            half.unlink(missing_ok=True)
        raise ReportError(f"{path} cannot be written: {error.strerror or error}") from error
    return path


def page(run_directory: Path, words: Catalogue) -> str:
    """The report as HTML, in the words of a catalogue."""
    with Run(run_directory, words) as run:
        return render(run)


def summary(run_directory: Path, language: str = "en") -> str:
    """Five lines of plain text: what ran, what came of it, the times, the uploads, the laws."""
    with Run(run_directory, catalogue(language)) as run:
        h = headline(run)
        title = str(run.manifest.get("title", ""))
        first = banner(run) or morning.make(run).finding
        visits = run.say_n(
            "{n} visit: {served} served, {refused} refused, {gave_up} gave up. {faults}",
            "{n} visits: {served} served, {refused} refused, {gave_up} gave up. {faults}",
            h.visits,
            served=f"{h.served:,}",
            refused=f"{h.refused:,}",
            gave_up=f"{h.gave_up:,}",
            faults=faults.make(run).finding,
        )
        times = finding(run, h)
        if h.median.value is not None:
            times = run.words.sentences(times, _interval(run, h.median))
        stored = (
            no_share(run, h.uploads)
            if run.cut_short or not h.uploads
            else run.say(
                "Stored in time: {share} of {n} records. {interval}",
                share=value(run.words, h.in_time, as_share=True),
                n=f"{h.uploads:,}",
                interval=_interval(run, h.in_time, as_share=True),
            )
        )
        return "\n".join([run.say("{name}: {says}", name=title, says=first), visits, times, stored, laws_sentence(run, h)])


def _interval(run: Run, estimate: Estimate, *, as_share: bool = False) -> str:
    shown = interval(run.words, estimate, as_share=as_share)
    if estimate.low is None:
        return run.say("(no interval: {why})", why=shown)
    return run.say("(95 % interval {range})", range=shown)
