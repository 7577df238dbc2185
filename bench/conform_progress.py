"""How far ``conform`` is, on standard error, in the language that was asked for: a plugin of pytest's, in place of its own words.

On a terminal one line that changes; elsewhere one line for each tenth. What the cases found is told at the end, by ``conform``.
What is said here at once is what no case says: that a process fell over, or that a module cannot be loaded.
"""

from __future__ import annotations

import sys
from typing import TextIO

import pytest
from rich.cells import cell_len, set_cell_size

from bench.results import PROPERTY, TIMED
from reports.catalogue import Catalogue, catalogue

STEPS = 10
"""Off a terminal so many lines."""
_BAD = ("fail", "error", "inconclusive", "review")


class Progress:
    """``width``: columns of the terminal, 0 where there is none."""

    def __init__(self, words: Catalogue, out: TextIO, width: int) -> None:
        self._words = words
        self._out = out
        self._width = width
        self._session: pytest.Session | None = None
        self._done = self._against = 0
        self._shown = False

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self._session = session

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._say(report.longreprtext)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self._width:
            self._line(nodeid.rpartition("::")[2])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = [value for name, value in report.user_properties if name in (PROPERTY, TIMED)]
        if report.failed and not told:
            self._say(f"{report.nodeid}\n{report.longreprtext}")
        if report.when == "call" or (report.failed and report.when != "teardown"):
            self._done += 1
            self._against += not told or any(isinstance(one, dict) and one["verdict"] in _BAD for one in told)
            if not self._width and self._tenth():
                self._say(self._far())

    def pytest_sessionfinish(self) -> None:
        self._clear()

    def _total(self) -> int:
        return max(self._done, self._session.testscollected if self._session is not None else 0)

    def _tenth(self) -> bool:
        """One more tenth is done than before this case."""
        total = self._total()
        return self._done * STEPS // total > (self._done - 1) * STEPS // total

    def _far(self) -> str:
        far = {"done": f"{self._done:,}", "total": f"{self._total():,}"}
        if self._against:
            return self._words.say("{done} of {total} cases tried, {against} did not pass", against=f"{self._against:,}", **far)
        return self._words.say("{done} of {total} cases tried", **far)

    def _line(self, now: str) -> None:
        """The line that changes, never wider than the terminal: else it would wrap, and stay."""
        text = f"{self._far()}  {now}"
        if cell_len(text) >= self._width:
            text = set_cell_size(text, self._width - 1)
        self._out.write(f"\r{text}\x1b[K")
        self._out.flush()
        self._shown = True

    def _clear(self) -> None:
        if self._shown:
            self._out.write("\r\x1b[K")
            self._out.flush()
            self._shown = False

    def _say(self, text: str) -> None:
        self._clear()
        self._out.write(f"{text}\n")
        self._out.flush()


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    import shutil

    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else 0
    words = catalogue(config.getoption("--conformance-lang"))
    config.pluginmanager.register(Progress(words, sys.__stderr__ or sys.stderr, width), "conform progress")


__all__ = ["Progress"]
