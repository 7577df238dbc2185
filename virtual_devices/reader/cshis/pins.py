"""The calls about the holder's and the professional's PIN. All PINs are typed on the reader's key pad: a person is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from virtual_devices.apdu import Command
from virtual_devices.authentication import Party, padded_id
from virtual_devices.flow import Ask, Flow
from virtual_devices.pin import BLOCK_BYTES, MAX_DIGITS, MIN_DIGITS, pin_block
from virtual_devices.reader.authenticate import HPC_STEP, prove, verify_pin
from virtual_devices.reader.cshis.prepare import Ready, known_hpc, need, pin_is_on
from virtual_devices.reader.cshis.state import ControlSoftware, Reply
from virtual_devices.reader.transmit import Ended, Handle, transmit

PIN_DIFFERS, CHANGE_FAILED, PIN_CANCELLED, NOT_DISABLED, STILL_LOCKED = "5107", "5108", "5109", "5111", "5122"
OLD_NOT_VERIFIED = "5105"
HOLDER, PROFESSIONAL = "holder", "physician"
NEW, AGAIN, PUK = "enter new PIN", "repeat new PIN", "enter PUK"
Arguments = Mapping[str, Any]


def _typed_twice(person: str) -> Flow[str]:
    """A new PIN of 4 to 6 digits. Raises Ended 5109, 5107, 5108."""
    first = yield Ask(person, NEW)
    again = (yield Ask(person, AGAIN)) if first else ""
    if not first or not again:
        raise Ended("PIN entry was cancelled", PIN_CANCELLED, "reader")
    if first != again:
        raise Ended("the two new PINs differ", PIN_DIFFERS, "reader")
    if not (first.isascii() and first.isdigit() and MIN_DIGITS <= len(first) <= MAX_DIGITS):
        raise Ended(f"a PIN has {MIN_DIGITS} to {MAX_DIGITS} digits", CHANGE_FAILED, "reader")
    return str(first)


def _change(handle: Handle, pin: str) -> Flow[None]:
    changed = yield from transmit(handle, Command(0, 0x24, 1, 0x81, pin_block(pin)), "change PIN")
    need(changed, handle.role, "change of the PIN", CHANGE_FAILED)


def verify_holder(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """csVerifyHCPIN. Success where the holder has no PIN switched on: there is nothing to verify (inferred)."""
    if (yield from pin_is_on(ready.card.handle)):
        yield from verify_pin(ready.card.handle, HOLDER)
        ready.card.pin = True
    return Reply("0")


def set_holder(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """csInputHCPIN: also switches PIN protection on."""
    pin = yield from _typed_twice(HOLDER)
    yield from _change(ready.card.handle, pin)
    ready.card.pin = True
    return Reply("0")


def disable_holder(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """csDisableHCPIN."""
    answer = yield from transmit(ready.card.handle, Command(0, 0x26, 1, 0x81), "disable PIN")
    need(answer, "card", "switching the PIN off", NOT_DISABLED)
    ready.card.pin = False
    return Reply("0")


def is_set(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """csISSetPIN: 1 when the holder has switched the PIN on, else 0."""
    on = ready.card.pin or (yield from pin_is_on(ready.card.handle))
    return Reply("1" if on else "0")


def verify_professional(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """hpcVerifyHPCPIN: then the card proves itself to the SAM too."""
    hpc = yield from known_hpc(software, ready.sam)
    if not hpc.pin:
        yield from verify_pin(hpc.handle, PROFESSIONAL)
        chain, name = software.desk.hpc_chain, padded_id(software.desk.sam_id)
        yield from prove(hpc.handle, Party.HPC, chain, ready.sam, name, HPC_STEP)
        hpc.pin = True
        software.desk.hpc_ready = True
    return Reply("0")


def set_professional(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """hpcInputHPCPIN: the old PIN was verified before (5105)."""
    hpc = yield from known_hpc(software, ready.sam)
    if not hpc.pin:
        raise Ended("the old PIN was not verified", OLD_NOT_VERIFIED, "hpc")
    pin = yield from _typed_twice(PROFESSIONAL)
    yield from _change(hpc.handle, pin)
    return Reply("0")


def unlock_professional(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """hpcUnlockHPC: PUK and a new PIN; 5122 when it stays locked. The PIN is verified anew afterwards."""
    hpc = yield from known_hpc(software, ready.sam)
    puk = yield Ask(PROFESSIONAL, PUK)
    if not puk:
        raise Ended("entry was cancelled", PIN_CANCELLED, "hpc")
    pin = yield from _typed_twice(PROFESSIONAL)
    block = puk.encode("ascii", "replace")[:BLOCK_BYTES].ljust(BLOCK_BYTES, b"\xff") + pin_block(pin)
    answer = yield from transmit(hpc.handle, Command(0, 0x2C, 0, 0x81, block), "unlock")
    need(answer, "hpc", "unlocking", STILL_LOCKED)
    return Reply("0")


CALLS = {
    "csVerifyHCPIN": verify_holder,
    "csInputHCPIN": set_holder,
    "csDisableHCPIN": disable_holder,
    "csISSetPIN": is_set,
    "hpcVerifyHPCPIN": verify_professional,
    "hpcInputHPCPIN": set_professional,
    "hpcUnlockHPC": unlock_professional,
}

__all__ = ["AGAIN", "CALLS", "NEW", "PUK"]
