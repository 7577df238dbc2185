"""``vhc-bench present vpcd``: several cards at once, and a phone that a reader of its own keys may ask, through a real pcscd."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from bench.cli import main
from bench.clock import WallClock
from bench.drivers import pcsc
from bench.presenters.control import discover
from bench.presenting import sample_card
from bench.reader_link import ReaderLink
from bench.sample_phone import SamplePhone
from virtual_devices import pki, vhc
from virtual_devices.apdu import Command, Response
from virtual_devices.flow import Flow, PromptPeople, Session, run
from virtual_devices.link import DirectLink, Outcome
from virtual_devices.pki import ChainVerifier
from virtual_devices.reader.desk import Desk, Institution
from virtual_devices.reader.presentation import Counter, Medium, ask_again, open_at
from virtual_devices.reader.proximity import ReaderSession, Shown, end
from virtual_devices.reader.transmit import Handle

from .chips import PUBLIC
from .places import ROOT
from .processes import wait_until
from .virtual_readers import LIMIT_S


@contextmanager
def command(folder: Path, *options: str) -> Iterator[dict[str, str]]:
    """The command as a program, with a PC/SC service of its own; yields the environment that it prints."""
    line = [sys.executable, "-m", "bench.cli", "present", "vpcd", "--private", *options]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "TMPDIR": str(folder)}
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment) as program:
        assert program.stdout is not None
        said = next(text for text in program.stdout if text.startswith("export ")).removeprefix("export ").strip().split("=", 1)
        try:
            yield {said[0]: said[1]}
        except BaseException:
            program.kill()
            raise
        program.send_signal(signal.SIGINT)
        assert program.wait(LIMIT_S) == 0
    assert not list(folder.glob("pcscd-*"))


@pytest.mark.needs("pcsc")
def test_sixteen_cards_each_in_its_own_slot_with_its_own_channel(tmp_path: Path) -> None:
    with command(tmp_path, "--cards", "16", "--seed", "5", "--name", "many") as env, ExitStack() as links:
        assert wait_until(lambda: len(discover(tmp_path / "vhc-bench")) == 16)
        channels = {info.path.stem: info for info in discover(tmp_path / "vhc-bench")}
        cards = {info.reader: info.card_no for info in channels.values()}
        assert set(channels) == {f"many-{n}" for n in range(1, 17)} and len(set(cards.values())) == 16
        assert channels["many-3"].card_no == sample_card(5 + 2).card_no
        for name in ("many-1", "many-9", "many-16"):  # at once
            link = links.enter_context(pcsc.open(channels[name].reader, env=env))
            assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
            reply = link.attempt(bytes.fromhex(PUBLIC), LIMIT_S).reply
            assert reply is not None and reply[:12].decode() == channels[name].card_no
        found = pcsc.discover(env=env)
        assert {reader.moniker.removeprefix("pcsc:") for reader in found if reader.has_card} == set(cards)


class FileSigner:
    """A chip of somebody else's: it signs with the key in a file."""

    atr = b""

    def __init__(self, key: Path) -> None:
        self._key: Any = load_pem_private_key(key.read_bytes(), None)

    def power_on(self) -> bytes:
        return b""

    def power_off(self) -> None:
        return

    def handle(self, request: bytes, now_ns: int) -> bytes:
        return Response(pki.sign(self._key, Command.parse(request).data)).to_bytes()


def foreign_desk(folder: Path, wallet: pcsc.PcscLink) -> tuple[Desk, Session]:
    """A reader that has nothing of ours but the files that the command wrote."""

    def ders(name: str) -> list[bytes]:
        return [c.public_bytes(Encoding.DER) for c in x509.load_pem_x509_certificates((folder / name).read_bytes())]

    root, iaca = ders("trust.pem")[:2]
    clock = WallClock()
    desk = Desk("desk", Institution("9901180014"), ChainVerifier(root, iaca), clock, os.urandom)
    desk.reader_chain, desk.hpc_reader_chain = tuple(ders("readers/sam.pem")), tuple(ders("readers/physician.pem"))
    keys = {"sam": folder / "readers" / "sam.key", "hpc": folder / "readers" / "physician.key"}
    chips = {role: DirectLink(FileSigner(key), clock) for role, key in keys.items()}
    link = ReaderLink(wallet)
    return desk, Session({"wallet": link, "card": link, **chips}, clock, PromptPeople())


def reading(desk: Desk, counter: Counter) -> Flow[tuple[Shown, Shown]]:
    """Who it is, for a registration; then what a physician reads."""
    sam, hpc = Handle("sam", True, False, b""), Handle("hpc", True, False, b"")
    opened: ReaderSession = yield from open_at(desk, counter)
    basic = yield from ask_again(desk, opened, vhc.REGISTRATION, sam)
    medical = yield from ask_again(desk, opened, vhc.CONSULTATION, sam, hpc)
    yield from end(opened)
    return basic, medical


@pytest.mark.needs("pcsc")
@pytest.mark.parametrize(("what", "counter"), [
    ("wallet", Counter()), ("second-card", Counter(Medium.CONTACT)), ("second-card-contactless", Counter()),
])
def test_foreign_reader_with_the_files_of_the_command_is_shown_the_card(tmp_path: Path, what: str, counter: Counter) -> None:
    options = ("--what", what, "--trust", str(tmp_path / "trust.pem"), "--readers", str(tmp_path / "readers"), "--seed", "4")
    with command(tmp_path, *options) as env, pcsc.open("Virtual PCD 00 00", env=env) as wallet:
        assert wallet.connect(LIMIT_S).outcome is Outcome.REPLIED, wallet.last_error
        desk, session = foreign_desk(tmp_path, wallet)
        basic, medical = run(reading(desk, counter), session)
    holder = SamplePhone(4, desk.clock.now_ns()).holder
    assert basic.value(vhc.BASIC, "card_no") == medical.value(vhc.BASIC, "card_no") == holder.card_no
    assert medical.value(vhc.BASIC, "portrait") == holder.portrait and medical.value(vhc.RECORDS, "generation") == 0


@pytest.mark.parametrize(("options", "says"), [
    (("--private", "--port", "36000"), "--private finds free ports"),
    (("--cards", "2", "--reader", "X"), "--reader names the reader of one slot"),
    (("--port", "65535", "--cards", "2"), "no 2 ports"), (("--what", "desk", "--port", "65534"), "no 3 ports"),
    (("--what", "desk", "--cards", "2"), "--what desk has three slots"),
    (("--readers", "r"), "--readers goes with a wallet"),
    (("--what", "second-card", "--profile", "y2025"), "answers no SELECT"),
    (("--profile", "t7"), "there is no card profile 't7'"),
    (("--trust", "no/such/folder/trust.pem"), "cannot be written"),
])
def test_what_cannot_be_presented_is_refused_with_the_reason(
    options: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["present", "vpcd", *options])
    assert done.exit_code == 2 and says in " ".join(done.output.split()), done.output
