"""The command ``present ble``: a code, and a phone that answers behind it."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.drivers import ble
from bench.exits import ENVIRONMENT, USAGE
from bench.presenters.control import Control
from virtual_devices.errors import PeerError
from virtual_devices.link import Outcome
from virtual_devices.mdoc import engagement, session

from .ble_desk import LIMIT_S


@pytest.mark.needs("dbus")
def test_phone_answers_behind_each_code_that_is_shown(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.cli", "present", "ble", "--private", "--engagement", "text"]
    with subprocess.Popen(
        [*command, "--trust", str(tmp_path / "trust.pem")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    ) as child:
        assert child.stdout is not None and child.stderr is not None
        try:
            found = re.search("DBUS_SYSTEM_BUS_ADDRESS=(.*)", child.stderr.readline())
            assert found is not None
            with ble.open("", env={"DBUS_SYSTEM_BUS_ADDRESS": found[1]}) as link:
                for _ in range(2):
                    assert select.select((child.stdout,), (), (), LIMIT_S)[0]
                    shown = engagement.read_qr(child.stdout.readline().strip())
                    assert link.connect_to(shown.raw, LIMIT_S).outcome is Outcome.REPLIED, link.last_error
                    answer = link.attempt(b"\xa0", LIMIT_S)  # no session establishment: the phone ends the session, by its code
                    assert answer.reply is not None
                    assert session.read_data(answer.reply).status is session.SessionStatus.DECODING_ERROR
            control = Control(tmp_path / "vhc-bench" / "ble-private.sock", timeout_s=LIMIT_S)
            status = control.status()
            assert (status["medium"], status["inserted"], len(status["card_no"])) == ("ble", True, 12)
            image = control.eject()
            assert control.status()["inserted"] is False
            with pytest.raises(PeerError, match="image of a phone"):
                control.insert(b"a card", "1")
            control.insert(image, status["card_no"])
            assert control.status()["inserted"] is True
            assert b"BEGIN CERTIFICATE" in (tmp_path / "trust.pem").read_bytes()
        finally:
            child.send_signal(signal.SIGINT)
            said = child.communicate(timeout=LIMIT_S)[1]
    assert child.returncode == 0 and "a reader has connected" in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--engagement", "png"], USAGE, "--out FILE.png"), (["--transport", "unix:/nowhere"], ENVIRONMENT, "Does the program"),
        (["--transport", "telepathy:0"], ENVIRONMENT, "Bumble knows"),
    ],
)
def test_what_cannot_be_is_refused_with_the_remedy(options: list[str], code: int, says: str) -> None:
    from bench.cli import main

    done = CliRunner().invoke(main, ["present", "ble", *options])
    assert done.exit_code == code and says in done.output.replace("\n", " ")
