"""Flows of an emergency: the professional opens an access, and the institution accounts for it when there is time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from virtual_devices.apdu import Command
from virtual_devices.cloud.emergency import Reason, proof_message
from virtual_devices.flow import Flow
from virtual_devices.reader.calls import call
from virtual_devices.reader.desk import Desk
from virtual_devices.reader.transmit import Ended, Handle, need_ok, transmit

STEP = "emergency access"


@dataclass(frozen=True, slots=True)
class Opened:
    """An access under ``id``. ``told``: what the data centre knows of the patient; empty for nobody known, or without a line:
    ``online`` says which."""

    id: bytes
    told: Mapping[str, Any]
    online: bool


def open_access(desk: Desk, sam: Handle, hpc: Handle, reason: Reason, id_no: str = "") -> Flow[Opened]:
    """Treated first: with no line the patient is treated all the same, and the access is opened when there is one (by the caller,
    again). Raises Ended when the data centre refuses the professional."""
    request_id = desk.fresh(16)
    signed = yield from transmit(hpc, Command(0, 0x2A, 0x9E, 0x9A, proof_message(request_id, reason.value, id_no), le=64), STEP)
    proof = need_ok(signed, "hpc", "proof of the professional", code="9130")
    arguments = {"reason": reason.value, "hpc": desk.hpc_chain, "proof": proof, "id_no": id_no}
    answer = yield from call(desk, sam, "emergency-open", request_id, arguments, STEP)
    if answer is None:
        return Opened(request_id, {}, False)
    if answer.code != "0":
        raise Ended("the data centre opens no emergency access", answer.code, "cloud")
    return Opened(request_id, {name: value for name, value in answer.body.items() if name != "access"}, True)


def account(desk: Desk, sam: Handle, access: bytes, card_no: str, said: str) -> Flow[str]:
    """Account for an access: whose it was, and why. The data centre's code; 4061 where there is no line yet."""
    arguments = {"access": access, "card_no": card_no, "said": said}
    answer = yield from call(desk, sam, "emergency-account", desk.fresh(16), arguments, STEP)
    return "4061" if answer is None else answer.code


__all__ = ["Opened", "account", "open_access"]
