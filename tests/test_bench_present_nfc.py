"""``vhc-bench present nfc``: a phone that a foreign reader asks over nfcpy, with nothing of ours but the files of the command."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.cli import main
from bench.drivers import nfc
from bench.sample_phone import SamplePhone
from virtual_devices import vhc
from virtual_devices.flow import run
from virtual_devices.reader.presentation import Counter

from .nfc_desk import HOST, LIMIT_S, Presented, presented
from .places import ROOT
from .ports import free_port
from .test_bench_present_vpcd import foreign_desk, reading
from .toy_card import ToyCard


@contextmanager
def command(folder: Path, *options: str) -> Iterator[str]:
    """The command as a program at a free port; yields what it says."""
    line = [sys.executable, "-m", "bench.cli", "present", "nfc", "--path", f"udp:{HOST}:{free_port()}", *options]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder)}
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment) as program:
        assert program.stdout is not None
        try:
            yield program.stdout.readline()
        except BaseException:
            program.kill()
            raise
        program.send_signal(signal.SIGINT)
        assert program.wait(LIMIT_S) == 0


@pytest.mark.parametrize(("what", "says"), [
    ("wallet", "a phone with card"), ("second-card", "second-generation card"),
])
def test_foreign_reader_with_the_files_of_the_command_is_shown_the_card(tmp_path: Path, what: str, says: str) -> None:
    files = ("--trust", str(tmp_path / "trust.pem"), "--readers", str(tmp_path / "readers"))
    options = ("--what", what, *files, "--seed", "4", "--name", "n")
    with command(tmp_path, *options) as said:
        where = re.search(r"at nfc:(\S+);", said)
        assert says in said and where is not None
        with nfc.open(where[1]) as wallet:
            desk, session = foreign_desk(tmp_path, wallet)
            basic, medical = run(reading(desk, Counter()), session)
    holder = SamplePhone(4, desk.clock.now_ns()).holder
    assert basic.value(vhc.BASIC, "card_no") == medical.value(vhc.BASIC, "card_no") == holder.card_no


@pytest.fixture(scope="module")
def taken() -> Iterator[Presented]:
    with presented(ToyCard()) as there:
        yield there


@pytest.mark.parametrize(("options", "code", "says"), [
    (("--path", "com:1"), 2, "--path 'com:1': give udp:HOST:PORT, usb"),
    (("--path", "usb:1234:5678"), 3, "no reader that could be a card answers at usb:1234:5678"),
    (("--path", "tty:/dev/null"), 3, "no reader that could be a card answers at tty:/dev/null"),
    (("--path", "udp:127.0.0.1:TAKEN"), 3, "another program listens there: end it, or give another port"),
    (("--path", "udp:192.0.2.7:50000"), 3, "give the name or address of this computer"),
    (("--path", "udp:127.0.0.1:FREE", "--trust", "no/such/folder/trust.pem"), 2, "cannot be written"),
])
def test_what_cannot_be_presented_is_refused_with_the_reason(
    options: tuple[str, ...], code: int, says: str, taken: Presented, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [o.replace("TAKEN", str(taken.port)).replace("FREE", str(free_port())) for o in options]
    done = CliRunner().invoke(main, ["present", "nfc", *given])
    assert done.exit_code == code and says in " ".join(done.output.split()), done.output
