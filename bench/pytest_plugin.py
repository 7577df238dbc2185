"""The conformance suite as tests of pytest: ``pytest --pyargs conformance --dut wallet=virtual``.

Each marked function becomes one item for each case and device; its verdict is in the report's user properties, and from there
in ``--conformance-results FILE``. FAIL and ERROR are failures of pytest's; INCONCLUSIVE, REVIEW and NOT APPLICABLE are skips
that say which of the three they are: pytest has no others. This module is loaded with every pytest of an environment that has
the bench, so it imports the bench when the first case is met.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from bench.duts import Dut
    from conformance.case import Case
    from conformance.tester import Result

PROPERTY = "conformance"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "conformance of virtual health insurance cards, readers and software")
    group.addoption("--dut", action="append", default=[], metavar="KIND=MONIKER",
                    help="device under test, such as wallet=virtual; every reference device when left out")
    group.addoption("--dut-channel", action="append", default=[], metavar="CHANNEL", help="over this channel only: nfc, ble, ...")
    group.addoption("--pics", action="append", default=[], metavar="FILE", help="what the device can, as its maker declares")
    group.addoption("--pixit", action="append", default=[], metavar="FILE", help="how the device is reached")
    group.addoption("--conformance-only", action="append", default=[], metavar="CASE", help="cases whose id begins so")
    group.addoption("--destructive", action="store_true",
                    help="also cases that change a real device, or spend a try of its PIN or keys")
    group.addoption("--hands", default="", metavar="PROGRAM", help="does the steps of a person, called with step, seconds, case")
    group.addoption("--no-hands", action="store_true", help="no person is there: cases that need one are not applicable")
    group.addoption("--conformance-lang", default="en", metavar="LANG", help="what a person is asked in first: en, zh-TW")
    group.addoption("--conformance-results", metavar="FILE", help="write what became of each case there, as JSON")


def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object,
) -> list[pytest.Item] | None:
    """A marked function is not one test, but one for each device and value with which it is tried."""
    if not hasattr(obj, "marked") or getattr(obj, "__module__", "") != getattr(collector.obj, "__name__", ""):
        return None
    return list(_items(collector, obj))


def _items(collector: pytest.Collector, function: Any) -> Iterator[pytest.Item]:
    from bench.duts import duts
    from bench.hands import hands
    from conformance.case import cases_of
    from virtual_devices.errors import UsageError

    option = collector.config.getoption
    try:
        devices = duts(option("--dut"), option("--dut-channel"), pics=option("--pics"), pixit=option("--pixit"),
                       destructive=option("--destructive"), hands=hands(option("--hands"), none=option("--no-hands"),
                                                                        chinese=option("--conformance-lang") == "zh-TW"))
    except UsageError as e:
        raise pytest.UsageError(str(e)) from None
    only = tuple(option("--conformance-only"))
    for case in cases_of(function, function.__module__):
        if not only or case.id.startswith(only):
            for dut in devices.get(case.kind, ()):
                yield CaseItem.from_parent(collector, name=f"{case.id} over {dut.channel}", case=case, dut=dut)


class CaseItem(pytest.Item):
    """One case on one device over one channel."""

    def __init__(self, *, case: Case, dut: Dut, **more: Any) -> None:
        super().__init__(**more)
        self.case = case
        self.dut = dut
        self.add_marker(pytest.mark.xdist_group(dut.moniker) if dut.real else pytest.mark.xdist_group(case.id))

    def runtest(self) -> None:
        from conformance.outcome import not_run, outcome
        from conformance.tester import perform
        from conformance.verdict import Verdict

        if why := self.dut.rules_out(self.case):
            self._keep(not_run(self.case, why, self.dut.moniker, self.dut.channel).plain())
            pytest.skip(f"not applicable: {why}")
        result = perform(self.case, lambda case: self.dut.tester(case, _world()), real=self.dut.real)
        self._keep(outcome(self.case, result, self.dut.moniker, self.dut.channel).plain())
        if result.verdict in (Verdict.FAIL, Verdict.ERROR):
            raise NotConformant(self.case, result)
        if result.verdict is not Verdict.PASS:
            pytest.skip(f"{result.verdict.value}: {result.why}")

    def _keep(self, plain: dict[str, Any]) -> None:
        self.user_properties.append((PROPERTY, plain))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, NotConformant):
            return excinfo.value.text()
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.case.run.__code__.co_firstlineno, self.name


class NotConformant(Exception):
    """FAIL or ERROR, with what was expected and what came."""

    def __init__(self, case: Case, result: Result) -> None:
        super().__init__(result.why)
        self.case = case
        self.result = result

    def text(self) -> str:
        lines = [f"{self.result.verdict.name}: {self.case.says} ({', '.join(self.case.clauses)})", f"  {self.result.why}"]
        lines += [f"  {'held' if c.holds else 'BROKE'}: {c.what}" for c in self.result.checks]
        return "\n".join(lines)


def _world() -> Any:
    global _the_world
    if _the_world is None:
        from conformance.vectors.world import World

        _the_world = World(1)
    return _the_world


_the_world: Any = None


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or (report.when == "setup" and report.failed):
        _take(report.user_properties)


def _take(properties: Iterable[tuple[str, object]]) -> None:
    _kept.extend(value for name, value in properties if name == PROPERTY and isinstance(value, dict))


_kept: list[dict[str, Any]] = []


def pytest_sessionfinish(session: pytest.Session) -> None:
    path = session.config.getoption("--conformance-results")
    if path and not hasattr(session.config, "workerinput"):
        results = sorted(_kept, key=lambda r: (r["kind"], r["case"], r["channel"]))
        Path(path).write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    _kept.clear()


__all__ = ["CaseItem", "NotConformant"]
