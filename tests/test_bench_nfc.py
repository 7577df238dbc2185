"""Cards and phones through nfcpy's UDP driver, in a worker process, before our presenter: what travels, and what goes wrong."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import nfc.clf
import nfc.clf.udp
import nfc.tag
import pytest

from bench.drivers import nfc as driver
from bench.presenters.control import Control
from bench.presenters.control_server import ControlServer
from bench.presenters.nfc_radio import UdpRadio
from bench.presenters.serve import Rows
from bench.reader_link import ReaderLink
from bench.watch import EventKind, Watcher
from benchmarks._presentation import DeskAndPhone
from virtual_devices import atr
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.link import Outcome
from virtual_devices.trace import ExchangeRow, Row
from virtual_devices.wallet.faces import NfcFace

from .nfc_desk import HOST, LIMIT_S, Presented, connected, presented, presented_by_a_process
from .ports import free_port
from .processes import open_files, wait_until
from .toy_card import READ, SILENCE, ToyCard, hang, update


def big(count: int) -> bytes:
    """An extended APDU whose answer has that many bytes."""
    return bytes([0x80, 0xEF, count >> 8, count & 0xFF, 0, 0, 0])


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker may take long to start: a busy machine is not to be taken for a hung one."""
    monkeypatch.setattr(driver, "CONNECT_SLACK_S", LIMIT_S)


@pytest.fixture(scope="module")
def toy() -> Iterator[Presented]:
    with presented(ToyCard(b"toy")) as there:
        yield there


@pytest.fixture(scope="module")
def kept(toy: Presented) -> Iterator[driver.NfcLink]:
    with driver.open(toy.moniker.removeprefix("nfc:")) as link:
        yield link


@pytest.fixture
def link(kept: driver.NfcLink) -> driver.NfcLink:
    """Connected; the worker process is shared, because its start takes most of a test's time."""
    assert kept.connect(LIMIT_S).outcome is Outcome.REPLIED, kept.last_error
    return kept


def in_place_of_nothing(place: DeskAndPhone, link: driver.NfcLink) -> list[tuple[str, str, bytes, bytes, str]]:
    """The same with the link towards the phone."""
    place.links["wallet"] = ReaderLink(link)
    return exchanged(place)


def exchanged(place: DeskAndPhone) -> list[tuple[str, str, bytes, bytes, str]]:
    """A registration and a consultation: role, step and bytes of each exchange, and how it ended."""
    rows: list[Row] = []
    for name in ("registration", "consultation"):
        place.consent(name)
        place.run(place.present(name), rows.append)
    return [(r.role, r.step, r.request, r.reply, r.outcome) for r in rows if isinstance(r, ExchangeRow)]


def test_wallet_says_the_same_over_nfc_as_over_no_medium_at_all() -> None:
    place, rows = DeskAndPhone("nfc"), []  # type: tuple[DeskAndPhone, list[Row]]
    with (
        presented(NfcFace(place.phone), rows=Rows(rows.append, "wallet"), clock=place.clock) as there,
        driver.open(there.moniker.removeprefix("nfc:")) as link,
    ):
        over_nfc = in_place_of_nothing(place, link)
    assert over_nfc == exchanged(DeskAndPhone("nfc"))
    ours = [(r.request, r.reply) for r in rows if isinstance(r, ExchangeRow) and r.provenance == "presented"]
    assert ours == [(request, reply) for role, _, request, reply, _ in over_nfc if role == "wallet" and request]


def test_connect_answers_with_the_atr_that_pcsc_would_make(link: driver.NfcLink) -> None:
    assert link.atr == bytes.fromhex("3B80800101")
    assert atr.contactless(b"\x80\x77\x80VHC") == bytes.fromhex("3B8680018077805648432D")
    assert link.protocol == "ISO-DEP" and link.last_error == ""


@pytest.mark.parametrize("count", [0, 1, 252, 253, 254, 2048, 65534])
def test_answers_of_any_length_come_whole(link: driver.NfcLink, count: int) -> None:
    assert link.attempt(big(count), LIMIT_S).reply == bytes(count) + b"\x90\x00"


def test_long_commands_go_whole(link: driver.NfcLink, toy: Presented) -> None:
    assert link.attempt(update(bytes(range(255))), LIMIT_S).reply == b"\x90\x00"
    assert link.attempt(READ, LIMIT_S).reply == bytes(range(255)) + b"\x90\x00"


def test_device_that_works_longer_than_the_frame_waiting_time_is_waited_for(link: driver.NfcLink) -> None:
    attempt = link.attempt(hang(4), LIMIT_S)
    assert attempt.reply == b"\x90\x00"
    assert attempt.duration_ns >= 400_000_000


def test_silent_card_is_gone_until_the_next_tap(link: driver.NfcLink) -> None:
    assert link.attempt(SILENCE, LIMIT_S).outcome is Outcome.GONE
    assert "left the field" in link.last_error
    assert link.attempt(READ, LIMIT_S).outcome is Outcome.GONE
    assert link.connect(LIMIT_S).outcome is Outcome.REPLIED
    assert link.attempt(READ, LIMIT_S).outcome is Outcome.REPLIED


def test_reset_and_connect_are_taps_of_their_own() -> None:
    card = ToyCard()
    with presented(card) as there, connected(there) as link:
        assert card.powered == 1
        link.reset(LIMIT_S)
        assert card.powered == 2
        link.disconnect()
        link.connect(LIMIT_S)
        assert card.powered == 3


def test_card_is_exchanged_behind_the_readers_back(tmp_path: Path) -> None:
    with presented(None, ControlServer("toy", tmp_path)) as there, driver.open(there.moniker.removeprefix("nfc:")) as link:
        control = Control(tmp_path / "toy.sock")
        assert wait_until(control.path.exists)
        assert link.connect(0.0).outcome is Outcome.GONE
        for data in (b"first", b"second"):
            control.insert(data, "1")
            assert link.attempt(READ, LIMIT_S).outcome is Outcome.GONE
            assert link.connect(LIMIT_S).outcome is Outcome.REPLIED
            assert link.attempt(READ, LIMIT_S).reply == data + b"\x90\x00"
        link.attempt(update(b"written"), LIMIT_S)
        assert control.status()["medium"] == "nfc"
        assert control.eject() == b"written"
        assert link.attempt(READ, LIMIT_S).outcome is Outcome.GONE


def test_each_tap_has_a_uid_of_its_own_and_nfcpys_own_tag_reads_it(toy: Presented) -> None:
    """nfcpy's ISO-DEP, not ours."""
    seen = set()
    for _ in range(2):
        with nfc.clf.ContactlessFrontend(f"udp:{HOST}:{toy.port}") as clf:
            # More than once: the link of another test may have spoken to the card within the last quarter of a second.
            target = clf.sense(nfc.clf.RemoteTarget("106A"), iterations=20)
            tag = nfc.tag.activate(clf, target)
            seen.add(bytes(target.sdd_res))
            assert bytes(tag.transceive(READ))[-2:] == b"\x90\x00"
            assert len(tag.transceive(big(5000))) == 5002
    assert len(seen) == 2 and all(uid[0] == 0x08 and len(uid) == 4 for uid in seen)


def test_uid_of_seven_bytes_is_selected() -> None:
    with presented(ToyCard(), uid_bytes=7) as there, nfc.clf.ContactlessFrontend(f"udp:{HOST}:{there.port}") as clf:
        target = clf.sense(nfc.clf.RemoteTarget("106A"), iterations=20)
        assert len(target.sdd_res) == 7
        assert nfc.tag.activate(clf, target) is not None


GARBAGE = [
    b"", b"x", b"106A zz", b"106A 0", b"\xff\xfe 00", b"106A", b"RFOFF", b"106A 26 26", b"106B 050010", b"106A " + b"00" * 600,
]


def test_garbage_at_the_port_ends_neither_the_listener_nor_a_session(link: driver.NfcLink, toy: Presented) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for raw in GARBAGE:
            stranger.sendto(raw, (HOST, toy.port))
            assert link.attempt(READ, LIMIT_S).outcome is Outcome.REPLIED, raw
        link.disconnect()
        for raw in [*GARBAGE, b"106A 26", b"106A 9370", b"106A e080", b"106A 0200"]:
            stranger.sendto(raw, (HOST, toy.port))
        assert link.connect(LIMIT_S).outcome is Outcome.REPLIED
        assert link.attempt(READ, LIMIT_S).outcome is Outcome.REPLIED


def test_second_listener_on_a_port_is_an_error_that_says_so(toy: Presented) -> None:
    with pytest.raises(LinkError, match=f"{toy.port}: another program listens there"):
        UdpRadio(HOST, toy.port)


def test_presenter_binds_the_loopback_alone(toy: Presented) -> None:
    rows = [line.split()[1] for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    assert [row for row in rows if row.endswith(f":{toy.port:04X}")] == [f"0100007F:{toy.port:04X}"]


@pytest.mark.parametrize(
    "spec", ["", "usb:1", "udp:localhost", "udp:localhost:0", "udp:localhost:70000", "tty:", "com:1", "udp::5"],
)
def test_what_is_no_moniker_is_refused_with_examples(spec: str) -> None:
    with pytest.raises(UsageError, match=r"nfc:udp:localhost:54321"):
        driver.open(spec)


def test_reader_that_is_not_there_is_named_with_what_is() -> None:
    with pytest.raises(LinkError, match=r"no reader is there for 'nfc:usb:1234:5678'; attached now: "):
        driver.open("usb:1234:5678")
    with pytest.raises(LinkError, match="there is no /dev/ttyNONE9"):
        driver.open("tty:ttyNONE9")
    with pytest.raises(LinkError, match=r"the name 'nobody\.invalid' leads to no address"):
        driver.open("udp:nobody.invalid:54321")
    for spec, why in (("tty:/etc/passwd", "is no device file"), ("tty:null:rc956", "no serial driver 'rc956'.* pn532, arygon")):
        with pytest.raises(UsageError, match=why):
            driver.open(spec)


def test_presenter_leaves_nothing_open(toy: Presented) -> None:
    """What the driver leaves, the contract tests say."""
    threads, files = threading.active_count(), open_files()
    for _ in range(2):
        with presented(ToyCard()) as there, nfc.clf.ContactlessFrontend(f"udp:{HOST}:{there.port}") as clf:
            tag = nfc.tag.activate(clf, clf.sense(nfc.clf.RemoteTarget("106A"), iterations=20))
            assert bytes(tag.transceive(hang(2)))[-2:] == b"\x90\x00"  # its keeper has worked
    assert (threading.active_count(), open_files()) == (threads, files)


def test_watcher_sees_a_presented_card_come_and_go_and_does_not_disturb_it(tmp_path: Path) -> None:
    port = free_port()
    with (
        presented_by_a_process(tmp_path, port) as (process, moniker), connected(moniker) as link,
        Watcher([driver.source(named=["tty:ttyNONE9", f"udp:{HOST}:{port}"])]) as watcher,
    ):
        (came,) = watcher.poll(LIMIT_S)
        assert (came.kind, came.moniker) == (EventKind.APPEARED, moniker)
        assert link.attempt(READ, LIMIT_S).outcome is Outcome.REPLIED
        process.kill()
        (gone,) = watcher.poll(LIMIT_S)
        assert (gone.kind, gone.moniker) == (EventKind.VANISHED, moniker)


def test_watcher_refuses_what_it_cannot_look_for() -> None:
    with pytest.raises(UsageError, match="give nfc:tty:DEVICE or nfc:udp:HOST:PORT"):
        driver.source(named=["usb"])
