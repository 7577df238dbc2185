"""What is attached now: USB readers that nfcpy has a driver for, and what was named. Nothing is opened: nobody is disturbed."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import cbor2
import nfc.clf.device
import usb1

LOOK_S = 0.5
"""How often the watcher looks: nothing announces a USB device to everybody."""
MISSES = 2
"""Looks in a row that find nothing, after which a named one is gone."""
REFUSAL_S = 0.05
"""Longest wait for the kernel's word that nobody has a port. On this computer it comes at once."""
NAMES = {
    (0x054C, 0x0193): "Sony PN531", (0x04CC, 0x0531): "NXP PN531, SCM SCL3710", (0x04CC, 0x2533): "NXP PN533",
    (0x04E6, 0x5591): "SCM SCL3711", (0x04E6, 0x5593): "SCM SCL3712", (0x054C, 0x02E1): "Sony RC-S330/360/370",
    (0x054C, 0x06C1): "Sony RC-S380", (0x054C, 0x06C3): "Sony RC-S380", (0x072F, 0x2200): "ACS ACR122U",
}


def attached() -> list[tuple[str, str]]:
    """Moniker's part after ``nfc:``, and what it is. Raises OSError when USB cannot be looked at."""
    found = []
    try:
        with usb1.USBContext() as context:
            for device in context.getDeviceList(skip_on_error=True):
                key = (device.getVendorID(), device.getProductID())
                driver = nfc.clf.device.usb_device_map.get(key)
                if driver is not None:
                    node = f"/dev/bus/usb/{device.getBusNumber():03d}/{device.getDeviceAddress():03d}"
                    allowed = os.access(node, os.R_OK | os.W_OK)
                    detail = f"{NAMES.get(key, 'reader')}, driver {driver}" + ("" if allowed else f", no access to {node}")
                    found.append((f"usb:{key[0]:04x}:{key[1]:04x}", detail))
    except usb1.USBError as e:
        raise OSError(f"USB cannot be looked at: {e}") from e
    return found


def listing(_: bytes) -> bytes:
    raw: bytes = cbor2.dumps(attached())
    return raw


def changes(payload: bytes) -> Iterator[bytes]:
    """For ever: what is there, then what comes and goes. Each is cbor [came, moniker's part, at_ns, detail]."""
    named: list[str] = cbor2.loads(payload) if payload else []
    there: dict[str, str] = {}
    missed: dict[str, int] = {}
    while True:
        now = {**dict(attached()), **_named(named, there, missed)}
        for spec in there.keys() - now.keys():
            yield cbor2.dumps([False, spec, time.time_ns(), ""])
        for spec in now.keys() - there.keys():
            yield cbor2.dumps([True, spec, time.time_ns(), now[spec]])
        there = now
        time.sleep(LOOK_S)


def _named(named: list[str], there: dict[str, str], missed: dict[str, int]) -> dict[str, str]:
    """Those of the named that are there. One miss does not count: nfcpy's listeners close their socket between two tries."""
    found = {}
    for spec in named:
        detail = _there(spec)
        missed[spec] = 0 if detail else missed.get(spec, 0) + 1
        if detail or (spec in there and missed[spec] < MISSES):
            found[spec] = detail or there[spec]
    return found


def _there(spec: str) -> str:
    """What is at a serial port or a UDP address; empty: nothing."""
    kind, _, rest = spec.partition(":")
    if kind == "tty":
        return "serial port" if Path("/dev", rest.partition(":")[0]).exists() else ""
    host, _, port = rest.rpartition(":")
    return "somebody listens there" if listening(host, int(port)) else ""


def listening(host: str, port: int) -> bool:
    """Whether a UDP port is bound, without disturbing who has it: a datagram of no bytes is answered by the kernel alone, when
    nobody is there. Another computer may keep silent about that."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(REFUSAL_S)
        try:
            asking.connect((host, port))
            asking.send(b"")
            asking.recv(1)
        except TimeoutError:
            return True
        except OSError:
            return False
    return True


__all__ = ["attached", "changes", "listening", "listing"]
