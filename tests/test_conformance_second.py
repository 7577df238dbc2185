"""The second-generation card as wallet under test, in the slot of a real PC/SC service: T=1 and T=0, made up, or a stranger's."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.duts import Dut, duts
from bench.presenters.control import discover
from bench.presenters.control_server import ControlServer
from bench.presenters.vpcd import VpcdPresenter
from bench.reach import Means
from bench.sample_devices import SECOND, Samples
from bench.stacks.pcscd import PrivatePcscd
from conformance.case import Kind, cases
from conformance.kinds import suites
from conformance.references.second import OF_A_PHONE
from conformance.verdict import Verdict

from .processes import wait_until
from .test_conformance_broken import judged, tried

pytestmark = pytest.mark.needs("pcsc")
CHIP = "wallet.chip."
LIMIT_S = 60.0


class Slots:
    """Cards of ours over T=1 and T=0, and one without a control channel."""

    def __init__(self, daemon: PrivatePcscd, folder: Path) -> None:
        self.env = daemon.env
        self.readers = dict(zip(("t1", "t0", "stranger"), daemon.readers, strict=False))
        self._presenters = []
        for name, port in zip(self.readers, daemon.ports, strict=False):
            samples = Samples(SECOND, 1, time.time_ns(), "t0" if name == "t0" else "t1")
            card = samples.exhibit(0).device
            control = None if name == "stranger" else ControlServer(name, folder)
            self._presenters.append(VpcdPresenter(
                lambda card=card: card, port=port, control=control, load=samples.load, reader=self.readers[name], settle_s=0))
        self._threads = [threading.Thread(target=presenter.run) for presenter in self._presenters]

    def __enter__(self) -> Slots:
        for thread in self._threads:
            thread.start()
        assert wait_until(lambda: len(discover()) == 2, LIMIT_S)
        return self

    def __exit__(self, *exc: object) -> None:
        for presenter, thread in zip(self._presenters, self._threads, strict=True):
            presenter.stop()
            thread.join()

    def dut(self, name: str) -> Dut:
        use, channel = ("T=0", "contact-t0") if name == "t0" else ("T=1", "contact")
        moniker = f"pcsc:{self.readers[name]};{use}"
        return Dut(suites()[Kind.WALLET], moniker, channel, destructive=True, means=Means(env=self.env))


@pytest.fixture(scope="module")
def slots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slots]:
    folder = tmp_path_factory.mktemp("run", numbered=True)
    with pytest.MonkeyPatch.context() as patch, PrivatePcscd(3) as daemon:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        (folder / "vhc-bench").mkdir(mode=0o700)
        with Slots(daemon, folder / "vhc-bench") as made:
            yield made


@pytest.mark.parametrize(("name", "own"), [("t1", f"{CHIP}chip-has-limits"), ("t0", f"{CHIP}t0-announces-the-answer")])
def test_card_in_a_slot_passes_as_chip_and_as_wallet(slots: Slots, name: str, own: str) -> None:
    names = [own, f"{CHIP}medical-data-wait-for-the-pin", f"{CHIP}card-that-is-not-in-force-shows-nothing",
             "wallet.session.first-message-opens-the-session", "wallet.writing.batch-is-settled[visit]"]
    found = tried(slots.dut(name), names, {})
    assert [one.verdict for one in found] == [Verdict.PASS] * len(names), judged(found)


def test_what_a_card_or_a_slot_is_not_does_not_apply(slots: Slots) -> None:
    names = [f"{CHIP}nothing-answers-in-the-field-while-in-a-slot", "wallet.consent.proof-is-used-once",
             "wallet.records.full-wallet-says-so"]
    found = tried(slots.dut("t1"), names, {})
    assert {one.verdict for one in found} == {Verdict.NOT_APPLICABLE}, judged(found)
    assert "one interface" in found[0].why and "no screen" in found[1].why and "less room" in found[2].why


def test_strangers_card_is_tried_as_it_is(slots: Slots) -> None:
    """Another card of ours that nobody exchanges, of an authority that the suite does not have."""
    dut = slots.dut("stranger")
    found = tried(dut, [f"{CHIP}contact-selects-old-and-new", f"{CHIP}medical-data-wait-for-the-pin"], {})
    assert [one.verdict for one in found] == [Verdict.PASS, Verdict.NOT_APPLICABLE], judged(found)
    assert "made up" in found[1].why and dut.way.masked


def test_moniker_with_a_protocol_is_a_card_in_a_slot() -> None:
    found = {text: [dut.channel for dut in duts([f"wallet=pcsc:ACS*{text}"])[Kind.WALLET]] for text in ("", ";T=1", ";T=0")}
    assert found == {"": ["nfc"], ";T=1": ["contact"], ";T=0": ["contact-t0"]}


def test_cases_of_a_phone_are_there() -> None:
    ids = [case.id for case in cases() if case.kind is Kind.WALLET]
    assert all(any(id.startswith(begin) for id in ids) for begin in OF_A_PHONE)
