"""USB readers that nfcpy has a driver for, as they are attached now. Nothing is opened, so nobody is disturbed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import cbor2
import nfc.clf.device
import usb1

LOOK_S = 0.5
"""How often the watcher looks: nothing announces a USB device to everybody."""
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


def changes(_: bytes) -> Iterator[bytes]:
    """For ever: what is there, then what comes and goes. Each is cbor [came, moniker's part, at_ns, detail]."""
    there: dict[str, str] = {}
    while True:
        now = dict(attached())
        for spec in there.keys() - now.keys():
            yield cbor2.dumps([False, spec, time.time_ns(), ""])
        for spec in now.keys() - there.keys():
            yield cbor2.dumps([True, spec, time.time_ns(), now[spec]])
        there = now
        time.sleep(LOOK_S)


__all__ = ["attached", "changes", "listing"]
