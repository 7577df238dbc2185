"""The conformance suite as tests of pytest: ``pytest --pyargs conformance --dut wallet=virtual``.

Each marked function becomes one item for each case and device; its verdict is in the report's user properties, and from there
in ``--conformance-results FILE``. FAIL and ERROR are failures of pytest's; INCONCLUSIVE, REVIEW and NOT APPLICABLE are skips
that say which of the three they are: pytest has no others. This module is loaded with every pytest of an environment that has
the bench, so it imports the bench when the first case is met.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.results import CAPTURE, LOST, PROPERTY, TIMED

if TYPE_CHECKING:
    from bench.duts import Dut
    from conformance.case import Case, Kind
    from conformance.limits import Limits
    from conformance.tester import Result
    from conformance.verdict import Verdict
    from reports.wording import Wording


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
    group.addoption("--conformance-lang", default="en", metavar="LANG", help="language of what a person reads: en, zh-TW")
    group.addoption("--latency", default="", metavar="FILE", help="limits of latency to try: a TOML file, or 'example'")
    group.addoption("--keep-personal-data", action="store_true", help="keep the bytes of a real device's messages")
    group.addoption("--conformance-exchanges", metavar="FILE", help="write exchanges there: gzip, a line of JSON a case")
    group.addoption("--conformance-keep", default="needed", choices=["needed", "all"],
                    help="of all cases, or not of what passed on the bench's own devices: it comes again from the seed")
    group.addoption("--conformance-frames", action="store_true", help="and the frames below it, of a real device")
    group.addoption("--conformance-seed", type=int, default=1, metavar="N", help="seed of the virtual parts")
    group.addoption("--lab", metavar="FILE", help="a laboratory file: its devices' names can be given for monikers")
    group.addoption("--conformance-results", metavar="FILE", help="write what became of each case there, as JSON")


_AT = " at "


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """All cases of one physical device go to one worker, one after the other; everything else where there is room."""
    if not config.option.pixit and all(text.endswith("=virtual") for text in config.option.dut):
        return None  # the user's own choice
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

    class ByDevice(LoadScopeScheduling):  # type: ignore[misc]  # of no typed package
        def _split_scope(self, nodeid: str) -> str:
            return str(nodeid.rpartition(_AT)[2])

    return ByDevice(config, log)


def pytest_sessionstart(session: pytest.Session) -> None:
    """What is wrong with what was asked for is told once, before every module asks."""
    option = session.config.getoption
    if any(map(option, ("--dut", "--dut-channel", "--pics", "--pixit"))):
        _devices(session.config)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """In a process that ``conform`` began, what is collected stays until its end: to go through it for garbage again and again
    takes a quarter of the time."""
    if not session.config.getoption("--conformance-results"):
        return (yield)
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object,
) -> list[pytest.Item] | None:
    """A marked function is not one test, but one for each device and value with which it is tried."""
    if not hasattr(obj, "marked") or getattr(obj, "__module__", "") != getattr(collector.obj, "__name__", ""):
        return None
    return list(_items(collector, obj))


def _items(collector: pytest.Collector, function: Any) -> Iterator[pytest.Item]:
    from conformance.case import cases_of

    devices = _devices(collector.config)
    only = tuple(collector.config.getoption("--conformance-only"))
    for case in cases_of(function, function.__module__):
        if not only or case.id.startswith(only):
            for dut in devices.get(case.kind, ()):
                if not dut.real and dut.channel in dut.suite.apart and dut.channel not in case.channels:
                    continue
                yield CaseItem.from_parent(collector, name=f"{case.id} over {_where(dut)}", case=case, dut=dut)


def _where(dut: Dut) -> str:
    """Channel and, of a physical device, its place: by it xdist keeps its cases together."""
    return dut.channel + (_AT + dut.way.place if dut.way.place else "")


_DEVICES = pytest.StashKey[Any]()


def _devices(config: pytest.Config) -> Mapping[Kind, list[Dut]]:
    """The devices under test, found once."""
    if _DEVICES not in config.stash:
        from bench.duts import duts
        from bench.frames import ASKED
        from bench.hands import hands
        from bench.laboratory import load
        from bench.reach import Means
        from virtual_devices.errors import UsageError

        option = config.getoption
        try:
            who = hands(option("--hands"), none=option("--no-hands"), chinese=option("--conformance-lang") == "zh-TW")
            config.stash[_DEVICES] = duts(
                option("--dut"), option("--dut-channel"), pics=option("--pics"), pixit=option("--pixit"),
                destructive=option("--destructive"), laboratory=load(Path(option("--lab"))) if option("--lab") else None,
                means=Means(option("--conformance-seed"), keep=option("--keep-personal-data"), hands=who,
                            env={ASKED: "1"} if option("--conformance-frames") else None),
            )
        except UsageError as e:
            raise pytest.UsageError(str(e)) from None
    found: Mapping[Kind, list[Dut]] = config.stash[_DEVICES]
    return found


_WORDS = pytest.StashKey[Any]()


def _wording(config: pytest.Config) -> Wording:
    """The words of what a person reads, found once."""
    if _WORDS not in config.stash:
        from bench.conform_words import words_of
        from reports.catalogue import ReportError

        try:
            config.stash[_WORDS] = words_of(config.getoption("--conformance-lang"))[1]
        except ReportError as e:
            raise pytest.UsageError(f"--conformance-lang: {e}") from None
    found: Wording = config.stash[_WORDS]
    return found


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """With limits of latency, one item more for each device that has any."""
    if not config.getoption("--latency"):
        return
    from bench.timing import limits_of
    from virtual_devices.errors import UsageError

    try:
        limits = limits_of(config.getoption("--latency"))
    except UsageError as e:
        raise pytest.UsageError(str(e)) from None
    only = tuple(config.getoption("--conformance-only"))
    for dut in (dut for there in _devices(config).values() for dut in there):
        if only and not f"{dut.suite.kind.value}.latency".startswith(only):
            continue
        if limits.of(dut.suite.kind.value, dut.channel):
            name = f"{dut.suite.kind.value}.latency over {_where(dut)}"
            items.append(LatencyItem.from_parent(session, name=name, dut=dut, limits=limits))


class CaseItem(pytest.Item):
    """One case on one device over one channel."""

    def __init__(self, *, case: Case, dut: Dut, **more: Any) -> None:
        super().__init__(**more)
        self.case = dut.own(case)
        self.dut = dut

    def runtest(self) -> None:
        from conformance.outcome import kept, not_run
        from conformance.tester import perform
        from conformance.verdict import Verdict

        if why := self.dut.rules_out(self.case):
            self._keep(not_run(self.case, why, self.dut.moniker, self.dut.channel).plain())
            self._skip(Verdict.NOT_APPLICABLE, why)
        if why := self.dut.way.given_up:
            self._keep(not_run(self.case, why, self.dut.moniker, self.dut.channel, Verdict.INCONCLUSIVE).plain())
            self._skip(Verdict.INCONCLUSIVE, why)
        result = self.dut.done(perform(self.case, self.dut.tester, real=self.dut.real))
        place = (self.dut.moniker, self.dut.channel)
        told, line = kept(self.case, result, *place, masked=self.dut.way.masked)
        self._keep(told.plain())
        self._keep_exchanges(result.verdict, line, place)
        if result.verdict in (Verdict.FAIL, Verdict.ERROR):
            raise NotConformant(self.case, result)
        if result.verdict is not Verdict.PASS:
            self._skip(result.verdict, result.why)

    def _skip(self, verdict: Verdict, why: str) -> None:
        from bench.conform_words import verdict_in

        wording = _wording(self.config)
        pytest.skip(wording.words.say("{name}: {says}", name=verdict_in(wording.words, verdict), says=wording.plain(why)))

    def _keep_exchanges(self, verdict: Verdict, line: bytes, place: tuple[str, str]) -> None:
        from bench.exchanges import needed, packed

        option = self.config.getoption
        if line and option("--conformance-exchanges") and (
            option("--conformance-keep") == "all" or needed(verdict, real=self.dut.real)
        ):
            self.user_properties.append((CAPTURE, (self.case.id, *place, packed(line))))

    def _keep(self, plain: dict[str, Any]) -> None:
        self.user_properties.append((PROPERTY, plain))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, NotConformant):
            return excinfo.value.text(_wording(self.config))
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.case.run.__code__.co_firstlineno, self.name


class LatencyItem(pytest.Item):
    """Every limit of one device over one channel: they share their presentations."""

    def __init__(self, *, dut: Dut, limits: Limits, **more: Any) -> None:
        super().__init__(**more)
        self.dut = dut
        self.limits = limits

    def runtest(self) -> None:
        from bench.conform_words import verdict_in
        from bench.timing import timed
        from conformance.verdict import Verdict, roll_up

        found = timed(self.dut, self.limits)
        self.user_properties += [(TIMED, each.model_dump(mode="json")) for each in found]
        verdict = roll_up(each.verdict for each in found)
        wording = _wording(self.config)
        told = "\n".join(f"{verdict_in(wording.words, each.verdict).upper()}: {each.case}: {wording.plain(each.why)}"
                         for each in found if each.verdict is not Verdict.PASS)
        if verdict in (Verdict.FAIL, Verdict.ERROR):
            pytest.fail(told, pytrace=False)
        if verdict is not Verdict.PASS:
            pytest.skip(told)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, self.name


class NotConformant(Exception):
    """FAIL or ERROR, with what was expected and what came."""

    def __init__(self, case: Case, result: Result) -> None:
        super().__init__(result.why)
        self.case = case
        self.result = result

    def text(self, wording: Wording) -> str:
        from bench.conform_words import checked, purpose, verdict_in

        words, result = wording.words, self.result
        lines = [words.say("{verdict}: {says} ({clauses})", verdict=verdict_in(words, result.verdict).upper(),
                           says=purpose(words, self.case), clauses=words.say(", ").join(self.case.clauses))]
        lines += [f"  {said}" for said in (wording.plain(result.why), *(checked(wording, c) for c in result.checks))]
        return "\n".join(lines)


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.failed:
        if report.when != "teardown":
            _take(report.user_properties)
        if not any(name in (PROPERTY, TIMED) for name, _ in report.user_properties):
            _lost[report.nodeid.rpartition("::")[2]] = report.longreprtext.strip().rpartition("\n")[2]


def _take(properties: Iterable[tuple[str, object]]) -> None:
    for name, value in properties:
        if name in _kept:
            _kept[name].append(value)


_kept: dict[str, list[Any]] = {PROPERTY: [], TIMED: [], CAPTURE: []}
_lost: dict[str, str] = {}
"""Items that left no verdict, as when their process fell over -> what pytest says of it."""


def _unjudged(config: pytest.Config) -> Iterator[dict[str, Any]]:
    """An ERROR for each case that left no verdict: a report without it would say more than was tried. Limits of time that left
    none stay in :data:`_lost`."""
    from conformance.case import cases
    from conformance.outcome import not_run
    from conformance.verdict import Verdict

    named = {case.id: case for case in cases()}
    for dut in (dut for found in _devices(config).values() for dut in found):
        for item in [item for item in _lost if item.endswith(f" over {_where(dut)}")]:
            case = named.get(item.removesuffix(f" over {_where(dut)}"))
            if case is not None and case.kind is dut.suite.kind:
                why = f"it came to no verdict: {_lost.pop(item)}"
                yield not_run(case, why, dut.moniker, dut.channel, Verdict.ERROR).plain()


def _order(kept: Any) -> tuple[str, ...]:
    return kept["kind"], kept["case"], kept["channel"]


def pytest_sessionfinish(session: pytest.Session) -> None:
    for dut in (dut for found in session.config.stash.get(_DEVICES, {}).values() for dut in found):
        if "way" in vars(dut):
            dut.way.close()
    if not hasattr(session.config, "workerinput"):
        _write(session.config)
    for rows in _kept.values():
        rows.clear()
    _lost.clear()


def _write(config: pytest.Config) -> None:
    """The results and the exchanges, in an order that does not depend on who was first."""
    if path := config.getoption("--conformance-results"):
        if _lost:
            _kept[PROPERTY] += _unjudged(config)
        results = {name: sorted(_kept[name], key=_order) for name in (PROPERTY, TIMED)} | {LOST: sorted(_lost)}
        Path(path).write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if path := config.getoption("--conformance-exchanges"):
        from bench.exchanges import packed

        members = [member for *_, member in sorted(_kept[CAPTURE])]
        Path(path).write_bytes(b"".join(members) or packed())


__all__ = ["CaseItem", "LatencyItem", "NotConformant"]
