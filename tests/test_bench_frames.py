"""Frames below messages, as the drivers' libraries carried them: noted, fetched, masked, and shown in a capture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cbor2
import pytest
from click.testing import CliRunner

from bench.capture import capture
from bench.capturing import recorded
from bench.cli import main
from bench.drivers import nfc
from bench.frames import ASKED, MOST, Tape
from bench.stacks.bluez import PrivateBluetooth
from virtual_devices.apdu import Command
from virtual_devices.clock import VirtualClock
from virtual_devices.flow import Exchange, Session, do_exchange
from virtual_devices.iso_dep import Block, Kind, head_bytes
from virtual_devices.link import Attempt, Frame, Layer, Outcome, Provenance
from virtual_devices.mdoc.ble_chunks import WANTED_MTU, Assembler
from virtual_devices.trace import ExchangeRow, FrameRow, Row

from .ble_desk import BleDesk
from .nfc_desk import LIMIT_S, presented
from .places import MORNING
from .run_directories import EXCHANGE, read_table, write_run
from .test_bench_capture import tshark
from .test_virtual_devices_reader_wallet_visit import registered
from .toy_card import READ, ToyCard

NAME = "王小明".encode()
SENT, MET = True, False
WRITE_COMMAND, NOTIFICATION, STATE = 0x52, 0x1B, b"\x01"


@pytest.fixture
def wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ASKED, "1")


def carried(frames: tuple[Frame, ...], sent: bool) -> bytes:
    """What I-blocks of one direction bring."""
    blocks = [Block.parse(frame.data) for frame in frames if frame.sent is sent]
    return b"".join(block.inf for block in blocks if block.kind is Kind.I)


@pytest.mark.usefixtures("wanted")
def test_nfc_attempt_comes_with_the_blocks_that_carried_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nfc, "CONNECT_SLACK_S", LIMIT_S)
    with presented(ToyCard(b"toy")) as there, nfc.open(there.moniker.removeprefix("nfc:")) as link:
        rats, ats = link.connect(LIMIT_S).frames
        assert (rats.sent, rats.data[0], ats.sent, ats.data[0]) == (SENT, 0xE0, MET, len(ats.data))
        long = bytes([0x80, 0xEF, 3, 0, 0, 0, 0])  # the answer has 768 bytes
        for command in (READ, long):
            attempt = link.attempt(command, LIMIT_S)
            assert carried(attempt.frames, SENT) == command and carried(attempt.frames, MET) == attempt.reply
            assert {frame.layer for frame in attempt.frames} == {Layer.ISO_DEP}
            assert [f.after_ns for f in attempt.frames] == sorted(f.after_ns for f in attempt.frames)
        assert len(attempt.frames) > 6  # acknowledgements among them


def test_nfc_attempt_has_no_frames_where_nobody_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nfc, "CONNECT_SLACK_S", LIMIT_S)
    with presented(ToyCard(b"toy")) as there, nfc.open(there.moniker.removeprefix("nfc:")) as link:
        assert link.connect(LIMIT_S).frames == link.attempt(READ, LIMIT_S).frames == ()


@pytest.fixture(scope="module")
def bluetooth() -> Iterator[PrivateBluetooth]:
    with PrivateBluetooth() as made:
        yield made


@pytest.mark.needs("dbus")
@pytest.mark.usefixtures("wanted")
@pytest.mark.parametrize("bumble", [False, True])
def test_ble_rows_come_with_the_packets_that_carried_them(bluetooth: PrivateBluetooth, bumble: bool) -> None:
    with BleDesk(bluetooth, bumble=bumble) as desk:
        registered(desk.bench)
    frames = [row for row in desk.bench.rows if isinstance(row, FrameRow)]
    rows = [row for row in desk.bench.rows if isinstance(row, ExchangeRow) and row.role == "wallet"]
    to_phone, from_phone = (NOTIFICATION, WRITE_COMMAND) if bumble else (WRITE_COMMAND, NOTIFICATION)  # who is the server
    for row in rows:
        mine = [frame for frame in frames if frame.exchange_ns == row.at_ns]
        for sent, opcode, message in ((SENT, to_phone, row.request), (MET, from_phone, row.reply)):
            packets = [frame.data for frame in mine if frame.sent is sent and len(frame.data) > 4]
            assert {packet[0] for packet in packets} <= {opcode}
            assert all(int.from_bytes(packet[1:3], "little") for packet in packets)  # its handle
            assembler = Assembler()
            whole = [came.content for packet in packets if (came := assembler.feed(packet[3:], WANTED_MTU)) is not None]
            assert whole == ([message] if message else [])
    assert any(len(frame.data) == 4 and frame.data[3:] == STATE for frame in frames)  # the start of the session


class Framed:
    """A link whose attempt comes with frames."""

    channel, device, provenance = "nfc", "nfc:usb", Provenance.MEASURED
    frames = (
        Frame(Layer.ISO_DEP, 1, SENT, 1, b"\x02\x00\xb0"), Frame(Layer.ISO_DEP, 2, MET, 1, b"\x02" + NAME + b"\x90\x00"),
    )

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        return Attempt(Outcome.REPLIED, 9, NAME + b"\x90\x00", frames=self.frames)


@pytest.mark.parametrize(("masked", "met"), [(True, b"\x02" + b"*" * (len(NAME) + 2)), (False, b"\x02" + NAME + b"\x90\x00")])
def test_frames_of_a_real_person_keep_their_heads_only(masked: bool, met: bytes) -> None:
    rows: list[Row] = []
    hidden = frozenset({"card"} if masked else ())
    session = Session({"card": Framed()}, VirtualClock(5), record=rows.append, name="s", masked=hidden)
    do_exchange(Exchange("card", b"\x00\xb0", 1.0, "read"), session)
    frames = [row for row in rows if isinstance(row, FrameRow)]
    assert [(f.role, f.exchange_ns, f.after_ns, f.sent) for f in frames] == [("card", 5, 1, SENT), ("card", 5, 2, MET)]
    assert frames[1].data == met


def noted(sent: bool, data: bytes, after_ns: int = 0) -> FrameRow:
    return FrameRow(0, "s", "card", EXCHANGE.at_ns, after_ns, Layer.ISO_DEP.value, sent, head_bytes(data), data)


def test_recorded_frames_show_of_a_message_what_the_message_may_show() -> None:
    message, shown = b"\x00\xca\x11\x00secret", b"\x00\xca\x11\x00******"
    parts = [b"\x12" + message[:6], b"\xa2", b"\x12" + message[:6], b"\x03" + message[6:], b"\x02other", b"\xf2\x01"]
    frames = [noted(SENT, part) for part in parts]
    seen = [frame[4:-2] for _, frame in recorded.frames(frames, (message, shown), (None, None), keep=True)]
    assert seen == [b"\x12" + shown[:6], b"\xa2", b"\x12" + shown[:6], b"\x03" + shown[6:], b"\x02*****", b"\xf2\x01"]


@pytest.mark.parametrize(("keep", "seen"), [(False, b"\x12****"), (True, b"\x12part")])
def test_recorded_answer_that_never_became_whole_is_masked_unless_kept(keep: bool, seen: bytes) -> None:
    ((_, frame),) = recorded.frames([noted(MET, b"\x12part")], (b"", b""), (None, None), keep=keep)
    assert frame[4:-2] == seen


def test_capture_shows_recorded_frames_at_their_moments_and_masks_them(tmp_path: Path) -> None:
    request = Command(0x80, 0xCA, 0, 1, b"", 256).to_bytes()
    reply = NAME + b"\x90\x00"
    row = replace(EXCHANGE, channel="nfc", session="s", provenance="measured", request=request, reply=reply)
    rows: list[Row] = [row, noted(SENT, b"\x02" + request, 100), noted(SENT, b"\xb2", 200), noted(MET, b"\x02" + reply, 300)]
    run = write_run(tmp_path / "run", iter(rows))
    assert len(read_table(run, "frames")) == 3
    assert capture(run, tmp_path / "c.pcapng") == (5, 1)
    made = (tmp_path / "c.pcapng").read_bytes()
    assert made.count(b"(recorded)") == 3 and b"(reconstructed)" not in made
    assert NAME not in made and b"\x02" + request in made
    capture(run, tmp_path / "k.pcapng", keep=True)
    assert (tmp_path / "k.pcapng").read_bytes().count(NAME) == 2
    assert capture(run, tmp_path / "n.pcapng", frames=False) == (2, 1)


def test_tape_keeps_so_many_frames_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ASKED, "1")
    tape = Tape(Layer.ATT)
    tape.begin()
    for _ in range(MOST + 5):
        tape.note(MET, b"x", 9)
    assert len(cbor2.loads(tape.told())[1]) == MOST


def test_frames_of_a_run_without_real_media_are_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["run", str(MORNING), "--frames", "--out", str(tmp_path / "run")])
    assert done.exit_code == 2 and not (tmp_path / "run").exists()


@pytest.mark.needs("tshark")
def test_wireshark_decodes_recorded_frames(tmp_path: Path) -> None:
    row = replace(EXCHANGE, channel="nfc", session="s", role="card", provenance="measured")
    air = replace(row, channel="ble", role="wallet", request=b"\xa0", reply=b"\xa0", at_ns=EXCHANGE.at_ns + 10**9)
    packets = [
        FrameRow(0, "s", "wallet", air.at_ns, after_ns, Layer.ATT.value, sent, 4, bytes([opcode, 0x12, 0, 0]) + b"\xa0")
        for after_ns, sent, opcode in ((5, SENT, WRITE_COMMAND), (9, MET, NOTIFICATION))
    ]
    asked = [(SENT, b"\xe0\x80"), (MET, b"\x05\x78\x80\x70\x02"), (MET, b"\xf2\x01")]
    blocks = [replace(noted(sent, block, at), head_bytes=len(block)) for at, (sent, block) in enumerate(asked)]
    run = write_run(tmp_path / "run", iter([row, *blocks, air, *packets]))
    capture(run, tmp_path / "c.pcapng")
    strange = "_ws.expert.severity > 1048576"  # more than a comment, such as a packet of no connection that Wireshark knows
    assert not tshark(tmp_path / "c.pcapng", "_ws.expert.message", only=strange)
    seen = tshark(tmp_path / "c.pcapng", "_ws.col.Info", only='frame.comment contains "(recorded)"')
    assert [info for (info,) in seen] == [
        "RATS", "ATS", "S-block, WTX", "Sent Write Command, Handle: 0x0012 (Unknown)",
        "Rcvd Handle Value Notification, Handle: 0x0012 (Unknown)",
    ]
