"""The calls about the reader itself: its port, its clock, which cards are in it, resetting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from virtual_devices.apdu import Command
from virtual_devices.authentication import padded_id
from virtual_devices.clock import roc_datetime13
from virtual_devices.flow import Flow
from virtual_devices.hpc.hpc import SERIAL
from virtual_devices.reader.cshis.prepare import Ready, need, the_card, the_hpc, the_sam
from virtual_devices.reader.cshis.state import VERSION, CardInside, ControlSoftware, ProfessionalInside, Reply
from virtual_devices.reader.transmit import ABSENT, BAD_ARGUMENT, NOT_ONE, Ended, transmit

PORT_FAILED = "-1"
SAM, PATIENT, PROFESSIONAL = 1, 2, 3
NO_CARD, NOT_ITS_KIND = "0", "9"
Arguments = Mapping[str, Any]


def open_port(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """csOpenCom: -1 when the port does not exist or is open already."""
    port = arguments["Comport"]
    if software.port is not None or port not in software.reader.ports:
        raise Ended(f"port {port} cannot be opened", PORT_FAILED, "reader")
    software.port = port
    return Reply("0")
    yield


def close_port(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """csCloseCom: -1 when none is open. What the cards had proved is over."""
    if software.port is None:
        raise Ended("no port is open", PORT_FAILED, "reader")
    software.port = None
    software.drop()
    return Reply("0")
    yield


def date_time(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """csGetDateTime: the reader's own clock."""
    return Reply("0", {"pBuffer": roc_datetime13(software.reader.now_ns()).encode("ascii")})
    yield


def version(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """csGetVersionEx: what it returns is the version."""
    return Reply(str(VERSION))
    yield


def card_number(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """csGetCardNo: 12 bytes of the card asked about."""
    match arguments["CardType"]:
        case 1:
            yield from the_sam(software)
            return Reply("0", {"pBuffer": padded_id(software.desk.sam_id)})
        case 2:
            card = yield from the_card(software)
            return Reply("0", {"pBuffer": card.public.raw[:12]})
        case 3:
            hpc = yield from the_hpc(software)
            command = Command(0, 0xCA, SERIAL >> 8, SERIAL & 0xFF, le=256)
            raw = need((yield from transmit(hpc.handle, command, "read card number")), "hpc", "serial number", "4034")
            return Reply("0", {"pBuffer": raw.ljust(12)[:12]})
        case other:
            raise Ended(f"there is no kind of card {other}", BAD_ARGUMENT, "reader")


def card_status(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """hisGetCardStatus: the state itself is the answer (``card_status``). Nothing is authenticated by asking."""
    kind = arguments["CardType"]
    try:
        match kind:
            case 1:
                yield from the_sam(software)
                return Reply("2" if software.desk.sam_ready else "1")
            case 2:
                card: CardInside = yield from the_card(software)
                return Reply(card.status)
            case 3:
                hpc: ProfessionalInside = yield from the_hpc(software)
                return Reply("3" if hpc.pin else "2" if hpc.sam else "1")
            case _:
                raise Ended(f"there is no kind of card {kind}", BAD_ARGUMENT, "reader")
    except Ended as e:
        if e.code in ABSENT.values():
            return Reply(NO_CARD)
        if e.code in NOT_ONE.values():
            return Reply(NOT_ITS_KIND)
        raise


def reset(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """csSoftwareReset: the reader (everything), SAM, professional's or patient's card begins anew."""
    match arguments["Type"]:
        case 0:
            software.drop()
        case 1:
            software.desk.sam, software.desk.sam_ready = None, False
            software.card = None
        case 2:
            software.hpc, software.desk.hpc_ready = None, False
        case 3:
            software.card = None
        case other:
            raise Ended(f"there is nothing to reset under {other}", BAD_ARGUMENT, "reader")
    return Reply("0")
    yield


CALLS = {
    "csOpenCom": open_port,
    "csCloseCom": close_port,
    "csGetDateTime": date_time,
    "csGetVersionEx": version,
    "csGetCardNo": card_number,
    "hisGetCardStatus": card_status,
    "csSoftwareReset": reset,
}

__all__ = ["CALLS"]
