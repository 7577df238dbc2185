"""A reader at a wallet's tag: TNEP, waiting, and tags that cannot be."""

from __future__ import annotations

import pytest

from virtual_devices.mdoc import tnep
from virtual_devices.mdoc.carriers import (
    MalformedHandover,
    NfcCarrier,
)
from virtual_devices.mdoc.handover import (
    SERVICE,
    NegotiatedHandover,
)
from virtual_devices.mdoc.ndef import Record, Tnf
from virtual_devices.mdoc.type4 import Type4Tag
from virtual_devices.reader import nfc
from virtual_devices.reader.nfc import read_container
from virtual_devices.reader.transmit import Ended

from .handover_messages import DRAW, ENGAGEMENT
from .nfc_wallet import NfcWallet, Saying, tap


def test_service_parameter_survives_the_wire_both_ways() -> None:
    service = tnep.ServiceParameter(SERVICE, 20, 7, 1000)
    assert service.wait_s == 0.016
    assert tnep.offered((Record(Tnf.EMPTY), service.record()), SERVICE) == service
    assert tnep.offered((service.record(),), b"urn:nfc:sn:other") is None
    assert service.record().payload == b"\x10\x13urn:nfc:sn:handover\x00\x14\x07\x03\xe8"


@pytest.mark.parametrize("payload", ["", "10", "10000000000000", "10017500000000", "2001750000000000"])
def test_malformed_service_parameter_is_refused(payload: str) -> None:
    with pytest.raises(MalformedHandover):
        tnep.offered((Record(Tnf.WELL_KNOWN, b"Tp", bytes.fromhex(payload)),), SERVICE)


@pytest.mark.parametrize(
    "container",
    [
        "000F207FFF7FFF0406E1047FFF00", "000E207FFF7FFF0406E1047FFF00FF", "000F407FFF7FFF0406E1047FFF00FF",
        "000F207FFF7FFF0506E1047FFF00FF", "000F20000E7FFF0406E1047FFF00FF", "000F207FFF00000406E1047FFF00FF",
        "000F207FFF7FFF0406E1047FFF80FF", "000F207FFF7FFF0406E104000400FF",
    ],
)
def test_malformed_capability_container_is_refused(container: str) -> None:
    found = read_container(bytes.fromhex("000F207FFF7FFF0406E1047FFF00FF"))
    assert found == nfc.Container(0xE104, 0x7FFF, 0x7FFF, 0x7FFD, False)
    with pytest.raises(MalformedHandover):
        read_container(bytes.fromhex(container))


_CONTAINER = "000F207FFF7FFF0406E1047FFF00FF9000"
_SELECTED = ["9000", "9000", _CONTAINER, "9000"]


@pytest.mark.parametrize(
    "replies",
    [
        ["6A82"], ["9000", "6A82"], ["9000", "9000", "6A86"], ["9000", "9000", "9000"], ["9000", "90"], [*_SELECTED[:3], "6A82"],
        [*_SELECTED, "009000"], [*_SELECTED, "FFFF9000"], [*_SELECTED, "00009000"], [*_SELECTED, "00039000", "9000"],
        [*_SELECTED, "00039000", "0102030405069000"], [*_SELECTED, "00039000", "6B00"], [*_SELECTED, "00039000", "D000009000"],
    ],
)
def test_reader_ends_at_a_tag_that_cannot_be(replies: list[str]) -> None:
    device = Saying(*replies)
    with pytest.raises(Ended):
        tap(device, nfc.handover([NfcCarrier()], DRAW))
    assert device.replies == []


def test_reader_waits_as_the_tag_asks() -> None:
    class Late(NegotiatedHandover):
        """Puts every answer off until the third time the file is read."""

        polls = 0
        held = b""

        def written(self, message: bytes) -> bytes | None:
            self.held, self.polls = super().written(message) or b"", 0
            return b""

    wallet = Late(ENGAGEMENT, lambda found: found[0], tnep.ServiceParameter(SERVICE, wait_code=24, extensions=3))
    tag = Type4Tag(wallet)

    class Polled(NfcWallet):
        def handle(self, request: bytes, now_ns: int) -> bytes:
            if request[:4] == b"\x00\xb0\x00\x00" and wallet.held:
                wallet.polls += 1
                if wallet.polls == 3:
                    tag.put(wallet.held)
            return super().handle(request, now_ns)

    found, rows = tap(Polled(tag), nfc.handover([NfcCarrier()], DRAW))
    assert found == wallet.handover
    assert rows[-1].at_ns == 6 * 32_000_000  # 2 ** (24 / 4 - 1) ms, three times for each of two answers


class Counting(NfcWallet):
    """Counts how often the length of the message is read."""

    polls = 0

    def handle(self, request: bytes, now_ns: int) -> bytes:
        self.polls += request == b"\x00\xb0\x00\x00\x02"
        return super().handle(request, now_ns)


@pytest.mark.parametrize("extensions", [0, 7, 15])
def test_reader_gives_up_on_an_answer_that_never_comes(extensions: int) -> None:
    class Never(NegotiatedHandover):
        def written(self, message: bytes) -> bytes | None:
            return b""

    wallet = Never(ENGAGEMENT, lambda found: found[0], tnep.ServiceParameter(SERVICE, extensions=extensions))
    device = Counting(Type4Tag(wallet))
    with pytest.raises(Ended, match="holds no message"):
        tap(device, nfc.handover([NfcCarrier()], DRAW))
    assert device.polls == 1 + 1 + extensions  # the offer, then the answer


def test_wallet_without_a_carrier_in_common_says_so_and_the_reader_ends() -> None:
    wallet = NegotiatedHandover(ENGAGEMENT, lambda _: None)
    with pytest.raises(Ended, match="in common"):
        tap(NfcWallet(Type4Tag(wallet)), nfc.handover([NfcCarrier()], DRAW))
    assert wallet.handover is None


def test_reader_ends_when_the_service_is_not_opened() -> None:
    class Closed(NegotiatedHandover):
        def written(self, message: bytes) -> bytes | None:
            return tnep.status_message(0x80)

    with pytest.raises(Ended, match="status 128"):
        tap(NfcWallet(Type4Tag(Closed(ENGAGEMENT, lambda found: found[0]))), nfc.handover([NfcCarrier()], DRAW))


def test_reader_ends_at_more_than_it_asked_for() -> None:
    with pytest.raises(Ended, match="6 bytes read where 3 were asked for"):
        tap(Saying(*_SELECTED, "00039000", "0102030405069000"), nfc.handover([NfcCarrier()], DRAW))


def test_negotiated_tag_that_cannot_be_written_ends_the_reader() -> None:
    class ReadOnly(NegotiatedHandover):
        writable = False

    with pytest.raises(Ended, match="does not take"):
        tap(NfcWallet(Type4Tag(ReadOnly(ENGAGEMENT, lambda found: found[0]))), nfc.handover([NfcCarrier()], DRAW))
