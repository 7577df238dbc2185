"""Real devices under test, a sample of the cases: the reference chips behind a real pcscd, the reference phone behind nfcpy."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from bench.capture import capture as made_of
from bench.capturing.conformed import conformed
from bench.duts import Dut
from bench.exchanges import EXCHANGES, lines, packed
from bench.frames import ASKED
from bench.presenters.control import discover
from bench.presenters.control_server import ControlServer
from bench.presenters.nfc import NfcPresenter
from bench.presenters.nfc_radio import UdpRadio
from bench.presenters.slotted import Slotted
from bench.presenters.vpcd import VpcdPresenter
from bench.reach import GIVE_UP, Means
from bench.sample_devices import Samples
from bench.stacks.pcscd import PrivatePcscd
from bench.timing import limits_of, timed
from conformance.case import Kind, cases
from conformance.kinds import suites
from conformance.kinds.wallet import WalletTester
from conformance.outcome import capture
from conformance.tester import Decided, Result, perform
from conformance.verdict import Verdict
from virtual_devices.randomness import ByteStream
from virtual_devices.trace import ExchangeRow

from .processes import wait_until

LIMIT_S = 60.0


class Place:
    """A pcscd with presenters of ours, and one without a control channel: a stranger's card."""

    def __init__(self, daemon: PrivatePcscd, folder: Path) -> None:
        self.env = daemon.env
        self.readers = dict(zip(("card", "sam", "stranger"), daemon.readers, strict=False))
        self.radio = UdpRadio("127.0.0.1", 0)
        self._presenters: list[Slotted] = []
        for name, port in zip(self.readers, daemon.ports, strict=False):
            samples = Samples("card" if name == "stranger" else name, 1, time.time_ns())
            device = samples.exhibit(0).device
            control = None if name == "stranger" else ControlServer(name, folder)
            self._presenters.append(VpcdPresenter(
                lambda device=device: device, port=port, control=control, load=samples.load, reader=self.readers[name],
                settle_s=0,
            ))
        phones = Samples("wallet", 1, time.time_ns())
        phone = phones.exhibit(0).device
        self._presenters.append(NfcPresenter(
            lambda: phone, self.radio, ByteStream("UIDs"), ControlServer("phone", folder), load=phones.load))
        self._threads = [threading.Thread(target=presenter.run) for presenter in self._presenters]

    def __enter__(self) -> Place:
        for thread in self._threads:
            thread.start()
        assert wait_until(lambda: len(discover()) == 3, LIMIT_S)
        return self

    def __exit__(self, *exc: object) -> None:
        for presenter, thread in zip(self._presenters, self._threads, strict=True):
            presenter.stop()
            thread.join()

    def dut(self, kind: Kind, moniker: str, channel: str) -> Dut:
        return Dut(suites()[kind], moniker, channel, destructive=True, means=Means(env=self.env))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("run", numbered=True)
    with pytest.MonkeyPatch.context() as patch, PrivatePcscd(3) as daemon:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        (folder / "vhc-bench").mkdir(mode=0o700)
        with Place(daemon, folder / "vhc-bench") as made:
            yield made


def tried(dut: Dut, *begin: str) -> dict[str, Result]:
    try:
        return {case.id: perform(case, dut.tester, real=True) for case in cases()
                if case.kind is dut.suite.kind and case.id.startswith(begin)}
    finally:
        dut.way.close()


@pytest.mark.parametrize(("kind", "begin"), [
    (Kind.CARD, ("card.public.public-data-are-read[with-le]", "card.pin.limits-of-length")),
    (Kind.SAM, ("sam.module.right-proof",)),
])
def test_chip_in_a_reader_passes_by_its_own_rows(place: Place, kind: Kind, begin: tuple[str, ...]) -> None:
    moniker = f"pcsc:{place.readers[kind.value]}"
    found = tried(place.dut(kind, moniker, "contact"), *begin)
    assert found
    assert {name: result.why for name, result in found.items() if result.verdict is not Verdict.PASS} == {}
    rows = [row for result in found.values() for row in result.rows if isinstance(row, ExchangeRow)]
    assert {(row.device, row.provenance) for row in rows} == {(moniker, "measured")}


def test_what_a_black_box_cannot_give_is_not_applicable(place: Place) -> None:
    dut = place.dut(Kind.CARD, f"pcsc:{place.readers['stranger']}", "contact")
    found = tried(dut, "card.public.what-is-no-command-is-refused[one-byte]", "card.pin.tries-run-out", "card.public.card-number")
    verdicts = {name.split(".")[-1].split("[")[0]: result.verdict for name, result in found.items()}
    assert verdicts.pop("card-number-is-the-first-field") is Verdict.PASS
    assert set(verdicts.values()) == {Verdict.NOT_APPLICABLE}
    assert dut.way.masked
    assert all(check.received in ("", "9000") or "masked" in check.received for r in found.values() for check in r.checks)


def test_phone_in_the_field_is_led_and_put_back(place: Place) -> None:
    moniker = place.radio.device
    begin = ("wallet.session.first-message", "wallet.consent.consent-without-a-proof", "wallet.records.nothing-is-written-twice")
    found = tried(place.dut(Kind.WALLET, moniker, "nfc"), *begin)
    assert {name: result.why for name, result in found.items() if result.verdict is not Verdict.PASS} == {}
    rows = [row for result in found.values() for row in result.rows if isinstance(row, ExchangeRow)]
    assert {(row.device, row.provenance) for row in rows} == {(moniker, "measured")}


@pytest.mark.parametrize(("wait_s", "applies"), [(59, False), (60, True)])
def test_limits_of_time_are_waited_for_as_long_as_the_pixit_says(place: Place, wait_s: int, applies: bool) -> None:
    dut = place.dut(Kind.WALLET, place.radio.device, "nfc")
    dut = replace(dut, means=replace(dut.means, answers={"wait_s": wait_s}))
    try:
        tester = dut.way.tester("wait")
        assert isinstance(tester, WalletTester)
        with nullcontext() if applies else pytest.raises(Decided, match="a wait of 60 s"):
            tester.may_wait(60)
    finally:
        dut.way.close()


def test_frames_of_a_phone_are_evidence_when_asked_for(place: Place, tmp_path: Path) -> None:
    dut = place.dut(Kind.WALLET, place.radio.device, "nfc")
    dut = replace(dut, means=replace(dut.means, env={**place.env, ASKED: "1"}))
    ((name, result),) = tried(dut, "wallet.session.first-message").items()
    where = (dut.moniker, dut.channel)
    for masked in (False, True):
        (tmp_path / EXCHANGES).write_bytes(packed(capture(name, result, *where, masked=masked)))
        (tmp_path / "report.json").write_text('{"made": {"at": "2026-01-01T00:00:00Z"}}')
        made_of(tmp_path, tmp_path / "of.pcapng")
        shown = list(conformed("2026-01-01T00:00:00Z", lines(tmp_path)))
        frames = [frame for each in shown for frame in each.frames]
        assert {frame.sent for frame in frames} == {True, False} and {each.case for each in shown} == {name}
        assert all(set(frame.data[frame.head_bytes:]) <= set(b"*") for frame in frames) is masked
        table = (tmp_path / "of.csv").read_text().splitlines()
        assert table[0] == "row,first_frame,last_frame,case,device,channel" and len(table) - 1 == len(shown) > 1
        assert (tmp_path / "of.pcapng").read_bytes().count(b"(recorded)") == len(frames)


def test_card_is_not_given_up_for_cases_that_do_not_apply(place: Place) -> None:
    """They find that out after a reset, and ask nothing more."""
    dut = place.dut(Kind.CARD, f"pcsc:{place.readers['card']}", "contact")
    found = tried(dut, "card.transport.t0-")
    assert len(found) > GIVE_UP and {result.verdict for result in found.values()} == {Verdict.NOT_APPLICABLE}
    for result in found.values():
        dut.done(result)
    assert not dut.way.given_up


def test_device_that_is_not_there_is_given_up(place: Place) -> None:
    dut = place.dut(Kind.CARD, "pcsc:No such reader", "contact")
    for case in [case for case in cases() if case.kind is Kind.CARD][:3]:
        assert not dut.way.given_up
        result = perform(case, dut.tester, real=True)
        assert result.verdict is Verdict.ERROR
        dut.done(result)
    assert "not tried further: " in dut.way.given_up
    assert result.why in dut.way.given_up


@pytest.mark.parametrize(("kind", "name", "segments"), [
    (Kind.CARD, "card", {"found", "engaged", "response", "written"}), (Kind.CARD, "stranger", {"found", "response"}),
    (Kind.WALLET, "phone", {"found", "engaged", "response", "written"}),
])
def test_real_device_is_timed_against_limits(place: Place, kind: Kind, name: str, segments: set[str]) -> None:
    """A stranger's card only by what it gives to everybody."""
    moniker, channel = (place.radio.device, "nfc") if name == "phone" else (f"pcsc:{place.readers[name]}", "contact")
    dut = replace(place.dut(kind, moniker, channel), destructive=name != "stranger")
    wide = {"limit_ms": 600_000.0, "percentile": 60.0, "zone": (50.0, 90.0), "most": 10}
    given = limits_of("example")
    limits = given.model_copy(update={"limit": tuple(limit.model_copy(update=wide) for limit in given.limit)})
    try:
        found = {each.segment: each for each in timed(dut, limits)}
    finally:
        dut.way.close()
    assert {segment for segment, each in found.items() if each.verdict is Verdict.PASS} == segments, found
    assert all(each.verdict in (Verdict.PASS, Verdict.NOT_APPLICABLE) for each in found.values())
    assert all(ns > 0 for each in found.values() for ns in each.samples_ns)
