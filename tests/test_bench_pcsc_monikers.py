"""Which reader a moniker of the PC/SC driver means, and which channel a reader's name tells; no reader is needed."""

from __future__ import annotations

import pytest

from bench.drivers import pcsc
from bench.worker import Worker
from virtual_devices.errors import LinkError, UsageError


def found(*readers: tuple[str, bool]) -> list[pcsc.Found]:
    return [pcsc.Found(f"pcsc:{name}", "", has_card) for name, has_card in readers]


ON_DESK = found(("ACS ACR1252 Dual Reader PICC 00 00", True), ("ACS ACR1252 Dual Reader SAM 00 01", False),
             ("Gemalto PC Twin Reader [CCID] 01 00", False))


@pytest.mark.parametrize(("spec", "reader"), [
    ("Gemalto*", ON_DESK[2]), ("gemalto*[CCID]*", ON_DESK[2]), ("*SAM*", ON_DESK[1]), ("ACS*", ON_DESK[0]),
    ("Gemalto PC Twin Reader [CCID] 01 00", ON_DESK[2]), ("ACS ACR1252 Dual Reader SAM 00 0?", ON_DESK[1]),
])
def test_moniker_chooses_the_reader_it_names_or_the_only_one_with_a_card(spec: str, reader: pcsc.Found) -> None:
    assert f"pcsc:{pcsc._choose(spec, ON_DESK)}" == reader.moniker


def test_moniker_without_a_match_says_what_is_there() -> None:
    with pytest.raises(LinkError, match=r"no reader matches 'pcsc:Omnikey\*'.*'Gemalto PC Twin Reader \[CCID\] 01 00'"):
        pcsc._choose("Omnikey*", ON_DESK)
    with pytest.raises(LinkError, match="no reader at all"):
        pcsc._choose("Omnikey*", [])


@pytest.mark.parametrize("desk", [found(("A 0", False), ("A 1", False)), found(("A 0", True), ("A 1", True))])
def test_moniker_that_fits_several_readers_is_refused_with_their_names(desk: list[pcsc.Found]) -> None:
    with pytest.raises(UsageError, match="'pcsc:A 0', 'pcsc:A 1'"):
        pcsc._choose("A*", desk)


def test_moniker_without_a_name_is_refused() -> None:
    with pytest.raises(UsageError, match="pcsc:ACS"):
        pcsc._choose("", ON_DESK)


@pytest.mark.parametrize(("name", "channel"), [
    ("ACS ACR1252 Dual Reader PICC 00 00", "nfc"), ("Identiv uTrust 3700 F CL Reader 00 00", "nfc"),
    ("HID Global OMNIKEY 5422 Contactless 00 01", "nfc"), ("ACS ACR122U 00 00", "nfc"),
    ("Virtual PCD 00 00", "contact"), ("Clinic Terminal 00 00", "contact"), ("ACS ACR39U ICC Reader 00 00", "contact"),
])
def test_channel_follows_from_the_reader_s_name(name: str, channel: str) -> None:
    assert pcsc.PcscLink(name, Worker(pcsc.WORKER)).channel == channel
