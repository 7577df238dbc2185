"""Devices that break in the middle of the suite, on real media: the case that it happens in is judged by what the device did, the
whole ends, and no case after it hears of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pytest

from bench.duts import Dut
from bench.hands import Step, unseen
from bench.reach import GIVE_UP, Means
from conformance.case import Kind, Nature, cases
from conformance.kinds import suites
from conformance.tester import Result, perform
from conformance.verdict import Status, Verdict
from virtual_devices.randomness import ByteStream
from virtual_devices.reader.transmit import MAX_PIECES

from .broken_devices import Fault, There, place
from .processes import children, wait_until

ANSWER_S, BUSY_S = 4, 60
"""How long a device that hangs is waited for; and one that does not, on a busy machine."""
KINDS = {"contact": Kind.CARD, "nfc": Kind.WALLET, "ble": Kind.WALLET, "network": Kind.DATA_CENTRE}
CASES = {
    Kind.CARD: ("card.public.public-data-are-read[with-le]", "card.public.public-data-are-read[without-le]",
                "card.public.card-number-is-the-first-field"),
    Kind.WALLET: ("wallet.session.first-message-opens-the-session", "wallet.session.altered-first-message-ends-the-session",
                  "wallet.session.second-request-is-answered-in-the-same-session"),
    Kind.DATA_CENTRE: ("data-centre.messages.data-centre-proves-itself-to-the-sam-that-asks",
                       "data-centre.messages.signer-is-refused[stranger]", "data-centre.messages.signer-is-refused[expired]"),
}
COUNTS = "wallet.writing.batch-is-settled[sixty]"
"""A case that counts from an empty wallet."""
TOOLS = {"contact": "pcsc", "nfc": "", "ble": "dbus", "network": ""}


@pytest.fixture(params=[pytest.param(medium, marks=[pytest.mark.needs(tool)] if tool else []) for medium, tool in TOOLS.items()],
                scope="module")
def there(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    folder = tmp_path_factory.mktemp("broken")
    (folder / "vhc-bench").mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        with place(request.param, folder) as made:
            yield made


@dataclass(frozen=True)
class Agreeing:
    """Somebody at the desk who says that everything is done."""

    why_none: str = ""

    def ask(self, step: Step, limit_s: float, seen: Callable[[], bool] = unseen, *, about: str = "") -> bool:
        del step, limit_s, seen, about
        return True


def dut(there: There, kind: Kind, channel: str, *, destructive: bool = False, answer_s: int = ANSWER_S) -> Dut:
    answers = {"answer_s": answer_s, "authority": str(there.folder)}
    means = Means(answers=answers, env=there.env, hands=Agreeing())
    return Dut(suites()[kind], there.moniker, channel, destructive=destructive, means=means)


def tried(dut: Dut, names: Sequence[str], before: Mapping[str, Callable[[], None]]) -> list[Result]:
    """The cases one after the other, as the suite does it; ``before``: what happens to the device then."""
    known = {case.id: case for case in cases()}
    found = []
    try:
        for name in names:
            before.get(name, lambda: None)()
            if why := dut.way.given_up:
                found.append(Result(name, Verdict.INCONCLUSIVE, Status.NOT_RUN, why))
                continue
            found.append(dut.done(perform(known[name], dut.tester, real=True)))
    finally:
        dut.way.close()
    return found


def judged(found: Sequence[Result]) -> list[tuple[str, Verdict, str]]:
    return [(one.case, one.verdict, one.why) for one in found]


FAIL, OPEN = Verdict.FAIL, Verdict.INCONCLUSIVE
SILENT = (FAIL, "does not answer")
FAULTS = {
    Fault.HANG: {"contact": SILENT, "nfc": SILENT, "ble": SILENT, "network": (FAIL, "timed_out")},
    Fault.SILENCE: {"contact": (OPEN, "is there"), "nfc": (OPEN, "is there"), "ble": SILENT, "network": (FAIL, "status 503")},
    Fault.ENDLESS: {"contact": (FAIL, "without end"), "nfc": (FAIL, "without end"), "ble": (FAIL, "damaged"),
                    "network": (FAIL, "more than")},
    Fault.NOISE: {"contact": (FAIL, "status word"), "nfc": (FAIL, ""), "ble": (FAIL, "SessionData"),
                  "network": (FAIL, "COSE_Sign1")},
    Fault.DEATH: dict.fromkeys(KINDS, (OPEN, "is there")),
}


@pytest.mark.parametrize("fault", Fault)
def test_device_that_breaks_in_one_case_is_judged_there_and_spoils_no_other(there: There, fault: Fault) -> None:
    kind = KINDS[there.channel]
    first, second, third = CASES[kind]
    there.mend()
    processes, threads = children() - {there.pid}, threading.active_count()
    answer_s = ANSWER_S if fault in (Fault.HANG, Fault.SILENCE) else BUSY_S
    found = tried(dut(there, kind, there.channel, answer_s=answer_s), (first, second, third), {
        second: lambda: there.break_by(fault), third: there.mend,
    })
    verdict, why = FAULTS[fault][there.channel]
    assert [one.verdict for one in found] == [Verdict.PASS, verdict, Verdict.PASS], judged(found)
    assert why in found[1].why
    assert len(found[1].rows) <= 2 * MAX_PIECES
    assert wait_until(lambda: children() - {there.pid} == processes) and threading.active_count() == threads


@pytest.mark.parametrize("there", ["nfc"], indirect=True)
def test_device_that_dies_at_any_moment_leaves_the_case_open_and_the_next_alone(there: There) -> None:
    """Three moments of a session, drawn."""
    first, second, _ = CASES[Kind.WALLET]
    drawn = [n % 9 + 1 for n in ByteStream("deaths of a phone")(3)]
    for request in drawn:
        there.mend()
        found = tried(dut(there, Kind.WALLET, "nfc", answer_s=BUSY_S), (first, second), {
            first: partial(there.break_by, Fault.DEATH, request), second: there.mend,
        })
        assert [one.verdict for one in found] == [OPEN, Verdict.PASS], (request, judged(found))
        assert len(found[0].rows) <= request + 1


@pytest.mark.needs("pcsc")
@pytest.mark.parametrize("there", ["contact"], indirect=True)
def test_device_that_does_not_come_back_is_given_up_and_fails_once(there: There) -> None:
    """Its silence is judged in the case in which it fell silent, and in no case after that."""
    kind = KINDS[there.channel]
    names = [*CASES[kind], *CASES[kind]]
    there.mend()
    found = tried(dut(there, kind, there.channel, answer_s=ANSWER_S // 2), names, {names[0]: lambda: there.break_by(Fault.HANG)})
    there.mend()
    assert found[0].verdict is FAIL and "does not answer" in found[0].why
    assert {one.verdict for one in found[1:]} <= {OPEN, Verdict.ERROR}, judged(found)
    assert found[-1].status is Status.NOT_RUN and "not tried further" in found[-1].why
    assert sum(one.status is not Status.NOT_RUN or "not tried" not in one.why for one in found) <= GIVE_UP + 1


@pytest.mark.needs("dbus")
@pytest.mark.parametrize("there", ["ble"], indirect=True)
def test_phone_over_bluetooth_is_as_at_first_before_each_case_that_changes_it(there: There) -> None:
    there.mend()
    found = tried(dut(there, Kind.WALLET, "ble", destructive=True, answer_s=BUSY_S), [COUNTS] * 2, {})
    assert [one.verdict for one in found] == [Verdict.PASS] * 2, judged(found)


@pytest.mark.needs("pcsc")
@pytest.mark.parametrize("there", ["contact"], indirect=True)
@pytest.mark.parametrize("kind", [Kind.WALLET, Kind.HPC, Kind.SAM])
def test_another_device_in_its_place_passes_nothing(there: There, kind: Kind) -> None:
    there.mend()
    names = [case.id for case in cases() if case.kind is kind and not case.destructive and case.nature is Nature.VALID][:4]
    found = tried(dut(there, kind, "nfc" if kind is Kind.WALLET else "contact"), names, {})
    assert not {one.verdict for one in found} & {Verdict.PASS, Verdict.ERROR}, judged(found)
    assert [one.verdict for one in tried(dut(there, Kind.CARD, "contact"), CASES[Kind.CARD][:1], {})] == [Verdict.PASS]
