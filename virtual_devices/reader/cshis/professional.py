"""The calls that ask a professional's card who it is. The manual states no length for what they give: here serial number 12, ID
number 10, Chinese name at most 20 bytes of Big5, English name at most 40 (inferred)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from virtual_devices.apdu import Command
from virtual_devices.flow import Flow
from virtual_devices.hpc.hpc import ENGLISH_NAME, NAME, PROFESSIONAL_ID, SERIAL
from virtual_devices.reader.cshis.prepare import Ready, need, the_hpc
from virtual_devices.reader.cshis.state import ControlSoftware, Reply
from virtual_devices.reader.transmit import BAD_ARGUMENT, Ended, transmit

CARD_FAULT = "4034"
ASK_PRESENCE = 1
Arguments = Mapping[str, Any]


def status(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """hpcGetHPCStatus: 1 in, 0 not."""
    if arguments["Req"] != ASK_PRESENCE:
        raise Ended(f"there is no question {arguments['Req']}", BAD_ARGUMENT, "reader")
    try:
        yield from the_hpc(software)
    except Ended as e:
        if e.code == "5056":  # in, though it does not say whose it is
            return Reply("0", {"Status": 1})
        if e.code != "4014":
            raise
        return Reply("0", {"Status": 0})
    return Reply("0", {"Status": 1})


def _says(tag: int, argument: str, software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """What the card says under ``tag``, in that argument."""
    assert ready.hpc is not None
    command = Command(0, 0xCA, tag >> 8, tag & 0xFF, le=256)
    answer = yield from transmit(ready.hpc.handle, command, "read professional's card")
    return Reply("0", {argument: need(answer, "hpc", argument, CARD_FAULT)})


CALLS = {
    "hpcGetHPCStatus": status,
    "hpcGetHPCSN": partial(_says, SERIAL, "SN"),
    "hpcGetHPCSSN": partial(_says, PROFESSIONAL_ID, "SSN"),
    "hpcGetHPCCNAME": partial(_says, NAME, "CNAME"),
    "hisGetHPCENAME": partial(_says, ENGLISH_NAME, "ENAME"),
}

__all__ = ["CALLS"]
