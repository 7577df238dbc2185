"""Our reference card in front of other people's programs, through the real PC/SC service."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.drivers import pcsc
from bench.presenters.serve import Persistent
from bench.presenting import sample_card, sample_second_card
from bench.sample_phone import SamplePhone
from bench.stacks.pcscd import PrivatePcscd
from virtual_devices.card.ic_card import IcCard
from virtual_devices.card.profiles import PROFILES
from virtual_devices.card.second import Interface

from . import virtual_readers
from .chips import CARD_NUMBER, PUBLIC, PUBLIC_LE, PUBLIC_READERS, SELECT_15_LE, SELECT_16
from .virtual_readers import LIMIT_S, presented, settled

FOREIGN = "00A4040007A0000000031010"  # a payment application
pcscd = virtual_readers.shared_pcscd


@contextmanager
def reading(pcscd: PrivatePcscd, what: str | Persistent) -> Iterator[pcsc.PcscLink]:
    """A link to the reference card of that profile, or to this one."""
    card = sample_card(3, what) if isinstance(what, str) else what
    with presented(card, pcscd.ports[0]), pcsc.open(pcscd.readers[0], env=pcscd.env) as link:
        yield settled(link)


def ask(link: pcsc.PcscLink, command: str) -> str:
    attempt = link.attempt(bytes.fromhex(command), LIMIT_S)
    assert attempt.reply is not None, link.last_error
    return attempt.reply.hex().upper()


@pytest.mark.needs("pcsc")
@pytest.mark.parametrize("profile", ["t1", "t1-nul"])
def test_public_readers_get_the_bytes_that_they_expect(pcscd: PrivatePcscd, profile: str) -> None:
    card = sample_card(3, profile)
    with reading(pcscd, profile) as link:
        assert link.protocol == "T=1"
        assert [ask(link, c) for c in (SELECT_16, SELECT_15_LE)] == ["9000", "9000"]
        data = bytes.fromhex(ask(link, PUBLIC))
        assert data == bytes.fromhex(ask(link, PUBLIC_LE)) == card.store["public"] + b"\x90\x00"
        assert len(data) == 59  # what public clients reserve
        name = data[12:32]
        assert name.rstrip(b"\0 ").decode("big5") == sample_card(3).store["public"][12:32].rstrip(b" ").decode("big5")
        assert name[-1:] == PROFILES[profile].name_padding
        assert ask(link, CARD_NUMBER) == card.card_no.encode().hex().upper() + "9000"
        assert ask(link, FOREIGN) == "6A82"


def second_card() -> Interface:
    return sample_second_card(SamplePhone(3, time.time_ns())).contact


@pytest.mark.needs("pcsc")
@pytest.mark.parametrize("make", [lambda: sample_card(3), second_card], ids=["first generation", "second generation"])
def test_every_command_of_public_readers_is_answered_and_topples_nothing(
    pcscd: PrivatePcscd, make: Callable[[], IcCard | Interface],
) -> None:
    """The second generation answers them like the first: they need no other reader."""
    card = make()
    with reading(pcscd, card) as link:
        first, again = ({c: ask(link, c) for c in PUBLIC_READERS} for _ in range(2))
    assert {command: answer[-4:] for command, answer in first.items()} == PUBLIC_READERS
    challenge = "0084000008"
    assert {c: a for c, a in first.items() if c != challenge} == {c: a for c, a in again.items() if c != challenge}
    assert len(first[challenge]) == len(again[challenge]) == 2 * 10 and first[challenge] != again[challenge]
    assert len(first[PUBLIC]) == 2 * 59 and first[CARD_NUMBER] == card.card_no.encode().hex() + "9000"


@pytest.mark.needs("pcsc")
def test_t0_card_wants_get_response_and_the_right_le(pcscd: PrivatePcscd) -> None:
    with reading(pcscd, "t0") as link:
        assert link.protocol == "T=0"
        assert ask(link, SELECT_16) == "9000"
        assert ask(link, PUBLIC) == "6139"
        assert ask(link, "00C0000020").endswith("6119")  # 32 of 57 bytes, 25 more
        assert len(bytes.fromhex(ask(link, "00C0000019"))) == 27
        assert ask(link, "00840000FF") == "6700"  # a challenge has 8 to 32 bytes


@pytest.mark.needs("pcsc")
def test_2025_card_refuses_select_and_serves_the_data(pcscd: PrivatePcscd) -> None:
    with reading(pcscd, "y2025") as link:
        assert ask(link, SELECT_16) == "6D00"
        assert ask(link, PUBLIC) == sample_card(3, "y2025").store["public"].hex().upper() + "9000"


@pytest.mark.needs("pcsc", "opensc")
def test_opensc_tool_probes_and_reads(pcscd: PrivatePcscd) -> None:
    with reading(pcscd, "t1") as link:
        link.disconnect()
        done = subprocess.run(
            ["opensc-tool", "-r", "0", "-s", SELECT_16, "-s", PUBLIC], capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, **pcscd.env},
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Received (SW1=0x90, SW2=0x00)") == 2
    assert sample_card(3).card_no in done.stdout


@pytest.mark.needs("pcsc", "pcsc-tools")
def test_pcsc_scan_names_reader_and_atr(pcscd: PrivatePcscd, tmp_path: Path) -> None:
    with reading(pcscd, "t1") as link:
        link.disconnect()
        environment = {**os.environ, **pcscd.env, "HOME": str(tmp_path)}
        with subprocess.Popen(["pcsc_scan", "-n"], stdout=subprocess.PIPE, text=True, env=environment) as scan:
            guard = threading.Timer(LIMIT_S, scan.kill)
            guard.start()
            said = ""
            assert scan.stdout is not None
            for line in scan.stdout:
                said += line.replace("\x1b[35m", "").replace("\x1b[0m", "")
                if PROFILES["t1"].atr.hex(" ").upper() in said:
                    break
            scan.kill()
            guard.cancel()
    assert pcscd.readers[0] in said
    assert PROFILES["t1"].atr.hex(" ").upper() in said
