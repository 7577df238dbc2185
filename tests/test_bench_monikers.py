"""Monikers: each means one thing; a wrong one says what stands there, what may, and what was probably meant."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from bench.cli import main
from bench.drivers import MEDIA
from bench.exits import USAGE
from bench.monikers import ROLES, Kind, Moniker, for_role, parse
from virtual_devices.errors import UsageError


@pytest.mark.parametrize(
    ("text", "kind", "where"),
    [
        ("virtual", Kind.VIRTUAL, ""), ("auto", Kind.AUTO, ""), ("pcsc:ACS*", Kind.PCSC, "ACS*"), ("nfc:usb", Kind.NFC, "usb"),
        ("nfc:udp:localhost:54321", Kind.NFC, "udp:localhost:54321"), ("ble:Phone A", Kind.BLE, "Phone A"),
        ("ble:AA:BB:CC:DD:EE:FF", Kind.BLE, "AA:BB:CC:DD:EE:FF"), ("qr:/tmp/a:b", Kind.QR, "/tmp/a:b"),
        ("https://localhost:8443/x", Kind.HTTP, "https://localhost:8443/x"), ("replay:runs/a-1-001", Kind.REPLAY, "runs/a-1-001"),
    ],
)
def test_moniker_is_read_and_written_back(text: str, kind: Kind, where: str) -> None:
    assert parse(text) == Moniker(kind, where)
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pcs:ACS*", r"did you mean 'pcsc:ACS\*'"), ("PCSC:x", "did you mean 'pcsc:x'"), ("virtul", "did you mean 'virtual'"),
        ("ACS*", r"did you mean 'pcsc:ACS\*'"), ("htps://h:1", "did you mean 'https://h:1'"), ("auto:x", "did you mean 'auto'"),
        ("nfc:", "nfc:usb, nfc:tty:DEVICE, nfc:udp:HOST:PORT or nfc:own"), ("nfc", "nfc:usb"), ("http://h:1", "https://HOST:PORT"),
        ("https://", "https://HOST:PORT"), ("", "virtual, auto, pcsc:NAME"), ("replay:", "replay:RUN"),
    ],
)
def test_wrong_moniker_says_what_may_stand_there(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse(text)


def test_every_kind_with_a_place_has_a_driver_and_every_driver_a_kind() -> None:
    assert set(MEDIA) <= {kind.value for kind in Kind}


@pytest.mark.parametrize("role", ROLES)
def test_role_takes_its_media_and_no_other(role: str) -> None:
    texts = {
        Kind.VIRTUAL: "virtual", Kind.AUTO: "auto", Kind.PCSC: "pcsc:x", Kind.NFC: "nfc:usb", Kind.BLE: "qr:x + ble:y",
        Kind.QR: "ble:y + qr:x", Kind.HTTP: "https://h:1", Kind.REPLAY: "replay:x",
    }
    for kind, text in texts.items():
        if kind in ROLES[role]:
            assert kind in {one.kind for one in for_role(role, text)}
        else:
            with pytest.raises(UsageError, match=f"--{role} .*an? {role} is given as virtual"):
                for_role(role, text)


@pytest.mark.parametrize(
    ("role", "text", "says"),
    [
        ("card", "nfc:own", "nfc:own can be a wallet"), ("card", "ble:", "; ble: can be a wallet"),
        ("sam", "nfc:usb", "; nfc:usb can be a card"), ("wallet", "vpcd:", "vpcd: is for 'vhc-bench conform' only"),
        ("card", "program:x", "program:x is for 'vhc-bench conform' only"),
    ],
)
def test_moniker_in_a_wrong_role_says_where_it_belongs(role: str, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        for_role(role, text)


@pytest.mark.parametrize(
    ("role", "says"),
    [
        ("sam", "which of the cards attached is a sam no answer to reset tells.*pcsc:NAME; 'vhc-bench devices' lists them"),
        ("hpc", "which of the cards attached is an hpc no answer to reset tells"),
        ("cloud", "no data centre is attached to a computer.*leave --cloud away"),
    ],
)
def test_role_for_which_nothing_is_looked_for_says_why_and_what_to_give(role: str, says: str) -> None:
    with pytest.raises(UsageError, match=f"--{role} 'auto': an? {role} is given as virtual.*{says}"):
        for_role(role, "auto")


@pytest.mark.parametrize(
    "command", [("calibrate", "--card", "auto"), ("calibrate", "--wallet", "auto"), *(
        ("conform", "--dut", f"{kind}=auto") for kind in ("card", "wallet", "sam", "reader", "clinic", "data-centre"))],
)
def test_result_is_not_made_of_whatever_is_attached(command: tuple[str, ...]) -> None:
    done = CliRunner().invoke(main, command)
    assert done.exit_code == USAGE
    assert "would be nobody's: name the device; 'vhc-bench devices' lists" in " ".join(done.output.split())


@pytest.mark.parametrize("text", ["ble:x", "qr:x", "qr:x + nfc:usb", "ble:x + ble:y", "pcsc:x + pcsc:y"])
def test_phone_over_bluetooth_needs_its_code_and_nothing_else_is_joined(text: str) -> None:
    with pytest.raises(UsageError, match=r"qr:PATH \+ ble:NAME"):
        for_role("wallet", text)
