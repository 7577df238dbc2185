"""The second-generation card as wallet under test, in the field of an NFC reader: nfcpy over UDP; ours, and a stranger's."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.duts import Dut, duts
from bench.presenters.control import discover
from bench.presenters.control_server import ControlServer
from bench.presenters.nfc import NfcPresenter
from bench.presenters.nfc_radio import UdpRadio
from bench.reach import Means
from bench.sample_devices import SECOND_IN_FIELD, Samples
from conformance.case import Kind, cases
from conformance.kinds import suites
from conformance.references.second import IN_A_FIELD
from conformance.tester import Result, perform
from conformance.verdict import Verdict
from virtual_devices.randomness import ByteStream
from virtual_devices.trace import ExchangeRow

from .processes import wait_until

LIMIT_S = 60.0
HOLDS = (
    "wallet.chip.field-gives-no-public-read", "wallet.chip.each-selection-is-a-new-engagement",
    "wallet.chip.medical-data-wait-for-the-pin",
    "wallet.session.first-message-opens",
)


@contextmanager
def field(control: ControlServer | None) -> Iterator[str]:
    """A card of ours in a field; its moniker."""
    samples, radio = Samples(SECOND_IN_FIELD, 1, time.time_ns()), UdpRadio("127.0.0.1", 0)
    card = samples.exhibit(0).device
    made = NfcPresenter(lambda: card, radio, ByteStream("UIDs"), control, load=samples.load)
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        yield f"{radio.device};card"
    finally:
        made.stop()
        thread.join()


def tried(moniker: str, *begin: str) -> dict[str, Result]:
    dut = Dut(suites()[Kind.WALLET], moniker, "chip", destructive=True, means=Means())
    try:
        return {case.id: perform(case, dut.tester, real=True) for case in cases()
                if case.kind is Kind.WALLET and case.id.startswith(begin)}
    finally:
        dut.way.close()


def test_card_in_the_field_passes_made_up_as_each_case_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "vhc-bench").mkdir(mode=0o700)
    with field(ControlServer("card", tmp_path / "vhc-bench")) as moniker:
        assert wait_until(lambda: len(discover()) == 1, LIMIT_S)
        found = tried(moniker, *HOLDS)
    assert {name: result.why for name, result in found.items() if result.verdict is not Verdict.PASS} == {}
    rows = [row for result in found.values() for row in result.rows if isinstance(row, ExchangeRow)]
    assert len(found) >= len(HOLDS) and {(row.channel, row.provenance) for row in rows} == {("nfc", "measured")}


def test_what_is_otherwise_in_a_field_says_why() -> None:
    with field(None) as moniker:
        found = tried(moniker, "wallet.request.request-is-answered[other-use]")
    assert {result.why for result in found.values()} == {IN_A_FIELD["wallet.request.request-is-answered[other-use"]}


def test_strangers_card_is_not_made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with field(None) as moniker:
        found = tried(moniker, "wallet.chip.medical-data-wait-for-the-pin", "wallet.consent.consent-without-a-proof")
    assert {result.verdict for result in found.values()} == {Verdict.NOT_APPLICABLE}


def test_phone_and_card_in_a_field_are_told_apart_by_the_moniker() -> None:
    assert [dut.channel for dut in duts(["wallet=nfc:udp:localhost:1;card"])[Kind.WALLET]] == ["chip"]
    assert [dut.channel for dut in duts(["wallet=nfc:udp:localhost:1"])[Kind.WALLET]] == ["nfc"]
