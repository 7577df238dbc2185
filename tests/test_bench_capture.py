"""``vhc-bench capture``: a run's exchanges as Wireshark sees them, and what nobody may see in them."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from bench.capture import capture, exchanges
from bench.capturing import lower, masking
from bench.capturing.packets import Capturing, On
from bench.cli import main
from virtual_devices.apdu import Command, Response
from virtual_devices.iso_dep import Block, Kind, Picc
from virtual_devices.mdoc.ble_chunks import WANTED_MTU, Assembler
from virtual_devices.records import RECORDS
from virtual_devices.trace import ExchangeRow

from .run_directories import EXCHANGE, write_run

NAME, ID_NO, BORN, CARD_NO, SECRET = "王小明", "A123456789", "0470704", "000012345678", "2580"
PUBLIC = RECORDS["pcsc_basic"].pack({
    "card_no": CARD_NO, "name": NAME, "id_no": ID_NO, "birth_date": BORN, "sex": "M", "issue_date": "1100101",
})
SELECT = Command(0x00, 0xA4, 0x04, 0x00, bytes.fromhex("D1580000010000000000000000001100")).to_bytes()
READ = Command(0x00, 0xCA, 0x11, 0x00, b"\x00\x00", 256).to_bytes()
LONG = bytes(range(256)) * 3
TOLD = (NAME.encode(), NAME.encode("big5"), ID_NO.encode(), BORN.encode(), CARD_NO.encode(), SECRET.encode())


def rows() -> Iterator[ExchangeRow]:
    """One of everything, a second apart."""
    told = [
        ("card", "contact", b"", bytes.fromhex("3b80800101")),
        ("card", "contact", SELECT, b"\x90\x00"),
        ("card", "contact", READ, PUBLIC + b"\x90\x00"),
        ("card", "contact", Command(0x00, 0x84, 0, 0, b"", 16).to_bytes(), b"\x3b\xff" + bytes(14) + b"\x90\x00"),
        ("hpc", "contact", Command(0x00, 0x20, 0, 0x81, SECRET.encode()).to_bytes(), b"\x63\xc3"),
        ("card", "contact", Command(0x80, 0xDA, 1, 0, ID_NO.encode() * 40).to_bytes(), b"\x6a\x82"),
        ("wallet", "nfc", b"", b"\x3b\x80\x01\x81"),
        ("wallet", "nfc", Command(0x00, 0xC3, 0, 0, LONG, 65536, extended=True).to_bytes(), LONG + b"\x90\x00"),
        ("screen", "qr", b"scan", f"VHC1:{ID_NO}{NAME}".encode()),
        ("screen", "qr", b"scan", b"mdoc:owBj"),
        ("wallet", "ble", b"\xa1dtest\x01", b"\xa1ddata" + b"\x59\x03\x00" + LONG),
        ("cloud", "network", b"\xd2\x84" + ID_NO.encode(), b"\x84" + NAME.encode()),
    ]
    for number, (role, channel, request, reply) in enumerate(told):
        yield replace(EXCHANGE, role=role, channel=channel, session=f"s {channel}", request=request, reply=reply,
                      request_bytes=len(request), reply_bytes=len(reply), at_ns=EXCHANGE.at_ns + number * 10**9)
    yield replace(EXCHANGE, role="wallet", channel="nfc", session="s nfc", request=SELECT, reply=b"", reply_bytes=-1,
                  request_bytes=len(SELECT), outcome="reply_lost", at_ns=EXCHANGE.at_ns + 20 * 10**9)
    yield replace(EXCHANGE, request=b"", reply=b"", request_bytes=7, reply_bytes=59, at_ns=EXCHANGE.at_ns + 30 * 10**9)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = write_run(tmp_path_factory.mktemp("captured") / "run", rows())
    capture(made, made / "capture.pcapng")
    return made


def tshark(capture: Path, *columns: str, only: str = "frame") -> list[list[str]]:
    asked = [part for column in columns for part in ("-e", column)]
    done = subprocess.run(
        ["tshark", "-r", str(capture), "-Y", only, "-T", "fields", "-E", "separator=/t", *asked],
        capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
    )
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.needs("tshark")
def test_wireshark_decodes_every_medium(run: Path) -> None:
    seen = tshark(run / "capture.pcapng", "frame.interface_name", "_ws.col.Protocol", "_ws.col.Info", "_ws.expert.severity")
    told = {(interface, protocol, info) for interface, protocol, info, _ in seen}
    assert {severity for *_, severity in seen} == {"1048576"}  # comments of ours: no warning, no malformed packet
    assert {("contact", "ISO 7816", "Select file"), ("contact", "ISO 7816", "Response APDU (to Select file)"),
            ("contact", "ISO 7816", "Get data"), ("contact", "ISO 7816", "Verify"),
            ("nfc frames", "ISO 14443", "RATS"), ("nfc frames", "ISO 14443", "ATS"),
            ("nfc frames", "ISO 14443", "I-block, Chaining, Block number 0"),
            ("nfc frames", "ISO 14443", "R-block, ACK, Block number 0")} <= told
    assert {("contact", "masked"), ("qr", "QR"), ("ble", "mdoc"), ("network", "IDC")} <= {(i, p) for i, p, _ in told}
    assert any(i == "ble frames" and p == "ATT" and "Sent Write Command" in info for i, p, info in told)
    assert any(i == "ble frames" and p == "ATT" and "Rcvd Handle Value Notification" in info for i, p, info in told)


@pytest.mark.needs("tshark")
def test_wireshark_decodes_names_and_status_words(run: Path) -> None:
    asked = tshark(run / "capture.pcapng", "iso7816.apdu.ins", only='iso7816.apdu.ins and frame.interface_name == "contact"')
    answered = tshark(run / "capture.pcapng", "iso7816.apdu.sw1", "iso7816.apdu.sw2", only="iso7816.apdu.sw1")
    assert [int(ins, 16) for (ins,) in asked] == [0xA4, 0xCA, 0x84, 0x20]  # of a proprietary class none
    words = [f"{int(sw1, 16):02x}{int(sw2, 16):02x}" for sw1, sw2 in answered]
    assert {"9000", "63c3", "6a82"} == set(words)


@pytest.mark.needs("tshark")
def test_frames_of_a_row_are_found_both_ways(run: Path) -> None:
    with (run / "capture.csv").open() as file:
        spans = {int(r["row"]): (int(r["first_frame"]), int(r["last_frame"])) for r in csv.DictReader(file)}
    told: dict[int, list[int]] = {}
    for frame, comment in tshark(run / "capture.pcapng", "frame.number", "frame.comment"):
        told.setdefault(int(comment.removeprefix("row ").partition(":")[0]), []).append(int(frame))
    assert spans == {row: (frames[0], frames[-1]) for row, frames in told.items()} and list(spans) == list(range(14))


def test_personal_data_is_nowhere_in_the_capture_unless_asked_for(run: Path, tmp_path: Path) -> None:
    masked = (run / "capture.pcapng").read_bytes()
    assert not [told for told in TOLD if told in masked] and b"M1100101" in masked  # what is nobody's stays
    capture(run, tmp_path / "kept.pcapng", keep=True)
    kept = (tmp_path / "kept.pcapng").read_bytes()
    assert [told for told in TOLD if told not in kept] == [SECRET.encode()]  # a PIN never
    assert len(kept) - len(masked) < 100  # lengths stay


def test_same_run_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    packets = capture(run, tmp_path / "again.pcapng")
    assert (tmp_path / "again.pcapng").read_bytes() == (run / "capture.pcapng").read_bytes() and packets[1] == 14


def test_command_says_what_it_made_and_what_it_cannot(run: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["capture", str(run), "--out", str(tmp_path / "x.pcapng"), "--no-frames"])
    assert done.exit_code == 0 and "14 exchanges" in done.stdout
    for args, why in [((str(tmp_path),), "no run that has ended"), ((str(run), "--replication", "3"), "of replication 3"),
                      ((str(run), "--visit", "v9"), "in visit v9"), ((str(run), "--out", "/nowhere/x"), "cannot be written")]:
        done = CliRunner().invoke(main, ["capture", *args])
        assert done.exit_code == 2 and why in done.output.replace("\n", " ")


@given(st.binary(min_size=1, max_size=4000), st.binary(max_size=4000))
def test_field_carries_what_was_asked_and_answered(request_: bytes, reply: bytes) -> None:
    field, heard = lower.Field(), []
    picc = Picc(lambda message: heard.append(message) or reply)
    for frame in field.frames(request_, reply):
        block, check = frame[4:-2], frame[-2:]
        assert lower.crc_a(block) == check and len(block) <= 256
        if frame[1] == lower.TO_CARD:
            picc.activate(block) if block[0] == 0xE0 else picc.receive(block)
    assert heard == [request_]
    answered = [Block.parse(f[4:-2]) for f in field.frames(request_, reply) if f[1] == lower.FROM_CARD]
    assert b"".join(block.inf for block in answered if block.kind is Kind.I) == reply


def test_check_bytes_are_those_of_the_standard() -> None:
    assert lower.crc_a(b"\x00\x00") == b"\xa0\x1e" and lower.crc_a(b"\x12\x34") == b"\x26\xcf"  # ISO/IEC 14443-3, annex B


@given(st.binary(max_size=3000), st.binary(max_size=3000))
def test_connection_carries_what_was_asked_and_answered(request_: bytes, reply: bytes) -> None:
    connection, sent, answered = lower.Connection(), Assembler(), Assembler()
    list(connection.frames(b"", b""))
    got = []
    for frame in connection.frames(request_ or b"\0", reply):
        value, phone = frame[9 + 4 + 3 :], frame[:4] == b"\0\0\0\1"
        got.append((answered if phone else sent).feed(value, WANTED_MTU))
    whole = [message.content for message in got if message is not None]
    assert whole == [request_ or b"\0", *([reply] if reply else [])]


@given(st.binary(max_size=300), st.binary(max_size=300), st.sampled_from(["card", "wallet", "sam"]))
def test_masking_keeps_lengths_headers_and_status_words_of_anything(request_: bytes, reply: bytes, role: str) -> None:
    shown, answer = masking.apdus(role, request_, reply, keep=False)
    assert answer is not None and len(shown) == len(request_) and len(answer) == len(reply)
    assert shown[:4] == request_[:4] and answer[-2:] == reply[-2:]


@given(st.integers(0, 255), st.binary(min_size=1, max_size=900), st.binary(min_size=128, max_size=900))
def test_data_of_unknown_commands_is_masked(ins: int, data: bytes, answer: bytes) -> None:
    command = Command(0x00, ins, 0x7E, 0x7E, data, 256, extended=len(data) > 255)
    shown, reply = masking.apdus("card", command.to_bytes(), Response(answer).to_bytes(), keep=False)
    masked_data, masked_answer = Command.parse(shown).data == b"*" * len(data), reply == b"*" * len(answer) + b"\x90\x00"
    assert masked_data is not (ins in masking.FREE_COMMANDS) or data == b"*" * len(data)
    assert masked_answer is not (ins in masking.FREE_ANSWERS)


def test_rows_of_unknown_channels_have_no_packets() -> None:
    assert Capturing().of(0, replace(EXCHANGE, channel="pigeon")).packets == ()


def test_presented_row_ends_when_it_began() -> None:
    """Its duration is the peer's, before the request."""
    row = replace(EXCHANGE, provenance="presented", request=SELECT)
    assert {p.at_ns for p in Capturing().of(0, row).packets} == {row.at_ns}
    assert [p.interface for p in Capturing().of(0, row).packets] == [On.CONTACT, On.CONTACT]


def test_rows_are_counted_as_in_the_table(run: Path) -> None:
    assert [number for number, _ in exchanges(run, 0)] == list(range(14))
    assert RECORDS["pcsc_basic"].length == len(PUBLIC)
