"""PINs in control software 6.0: they come in the request, and not from a key pad."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from virtual_devices.apdu import Command
from virtual_devices.authentication import Party, padded_id
from virtual_devices.flow import Flow
from virtual_devices.pin import BLOCK_BYTES, MAX_DIGITS, MIN_DIGITS, pin_block
from virtual_devices.reader.authenticate import HPC_STEP, prove
from virtual_devices.reader.cs60.state import LocalComponent
from virtual_devices.reader.cshis.prepare import known_hpc, need, pin_is_on, proved_card, ready_sam
from virtual_devices.reader.cshis.state import CardInside
from virtual_devices.reader.transmit import Ended, Handle, transmit

NO_PIN, NOT_VERIFIED, NOT_DISABLED, VERIFIED_ALREADY, WRONG, VIRTUAL = "1510", "1511", "1512", "1513", "1514", "1526"
HPC_WRONG, HPC_NOT_VERIFIED, NO_CARD, MALFORMED = "1410", "1402", "1102", "1704"
Body = Mapping[str, str]
Reply = dict[str, Any]


def _digits(body: Body, name: str) -> str:
    """A PIN of the request: 4 to 6 digits. Raises Ended 1704; no try is spent on anything else."""
    value = body.get(name, "")
    if not (value.isascii() and value.isdigit() and MIN_DIGITS <= len(value) <= MAX_DIGITS):
        raise Ended(f"{name} has {MIN_DIGITS} to {MAX_DIGITS} digits", MALFORMED, "reader")
    return value


def _card(component: LocalComponent) -> Flow[CardInside]:
    if component.token:
        raise Ended("a virtual card has no such PIN", VIRTUAL, "card")
    sam = yield from ready_sam(component.software)
    try:
        return (yield from proved_card(component.software, sam))
    except Ended as e:
        raise Ended(e.what, NO_CARD, "card") if e.code == "4013" else e from e


def _compare(handle: Handle, pin: str, wrong: str) -> Flow[None]:
    answer = yield from transmit(handle, Command(0, 0x20, 0, 0x81, pin_block(pin)), "verify PIN")
    need(answer, handle.role, "PIN", wrong)


def verify_holder(component: LocalComponent, body: Body) -> Flow[Reply]:
    pin = _digits(body, "pin")
    card = yield from _card(component)
    if card.pin:
        raise Ended("verified already", VERIFIED_ALREADY, "card")
    if not (yield from pin_is_on(card.handle)):
        raise Ended("the holder has not switched the PIN on", NO_PIN, "card")
    yield from _compare(card.handle, pin, WRONG)
    card.pin = True
    return {}


def _need_verified(card: CardInside) -> Flow[None]:
    if not card.pin and (yield from pin_is_on(card.handle)):
        raise Ended("the PIN was not verified", NOT_VERIFIED, "card")


def set_holder(component: LocalComponent, body: Body) -> Flow[Reply]:
    pin = _digits(body, "newPin")
    card = yield from _card(component)
    yield from _need_verified(card)
    answer = yield from transmit(card.handle, Command(0, 0x24, 1, 0x81, pin_block(pin)), "change PIN")
    need(answer, "card", "change of the PIN", WRONG)
    card.pin = True
    return {}


def disable_holder(component: LocalComponent, body: Body) -> Flow[Reply]:
    card = yield from _card(component)
    yield from _need_verified(card)
    answer = yield from transmit(card.handle, Command(0, 0x26, 1, 0x81), "disable PIN")
    need(answer, "card", "switching the PIN off", NOT_DISABLED)
    card.pin = False
    return {}


def verify_professional(component: LocalComponent, body: Body) -> Flow[Reply]:
    """Then the card proves itself to the SAM too."""
    pin, software = _digits(body, "pin"), component.software
    sam = yield from ready_sam(software)
    hpc = yield from known_hpc(software, sam)
    yield from _compare(hpc.handle, pin, HPC_WRONG)
    yield from prove(hpc.handle, Party.HPC, software.desk.hpc_chain, sam, padded_id(software.desk.sam_id), HPC_STEP)
    hpc.pin = software.desk.hpc_ready = True
    return {}


def set_professional(component: LocalComponent, body: Body) -> Flow[Reply]:
    pin = _digits(body, "newPin")
    sam = yield from ready_sam(component.software)
    hpc = yield from known_hpc(component.software, sam)
    if not hpc.pin:
        raise Ended("the professional's PIN was not verified", HPC_NOT_VERIFIED, "hpc")
    answer = yield from transmit(hpc.handle, Command(0, 0x24, 1, 0x81, pin_block(pin)), "change PIN")
    need(answer, "hpc", "change of the PIN", HPC_WRONG)
    return {}


def unlock_professional(component: LocalComponent, body: Body) -> Flow[Reply]:
    puk, pin = body.get("puk", ""), _digits(body, "newPin")
    if not (puk.isascii() and 0 < len(puk) <= BLOCK_BYTES):
        raise Ended("puk is missing or too long", MALFORMED, "reader")
    sam = yield from ready_sam(component.software)
    hpc = yield from known_hpc(component.software, sam)
    block = puk.encode("ascii").ljust(BLOCK_BYTES, b"\xff") + pin_block(pin)
    answer = yield from transmit(hpc.handle, Command(0, 0x2C, 0, 0x81, block), "unlock")
    need(answer, "hpc", "unlocking", HPC_WRONG)
    return {}


__all__ = [
    "disable_holder", "set_holder", "set_professional", "unlock_professional", "verify_holder", "verify_professional",
]
