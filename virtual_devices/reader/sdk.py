"""The software development kit of the virtual card (虛擬健保卡控制軟體 2.x, 2022) as a pure mapping: request in, answer out.

Twelve paths, POST, JSON (public: one vendor's client). A code on the holder's screen is handed over first, then calls that mirror
csHIS by name give the same bytes as text. Nothing is on a chip: all is the data centre's file of the card.

    reply = yield from answer(sdk, "VHC/VHChisGetBasicData", {})        # {"ERRORCODE": "0", "pBuffer": "..."}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from virtual_devices.apdu import Command
from virtual_devices.authentication import padded_id
from virtual_devices.cose import PROTECTED_ES256, sig_structure
from virtual_devices.flow import Flow
from virtual_devices.reader.cshis.prepare import answered, need, ready_sam
from virtual_devices.reader.cshis.state import ControlSoftware
from virtual_devices.reader.transmit import Ended, Handle, transmit
from virtual_devices.records import BIG5
from virtual_devices.tables import read_table

ALREADY_OPEN, NOT_OPEN, NO_TOKEN, MALFORMED, UNKNOWN_PATH = "1001", "1000", "1023", "1704", "1701"
ACCEPTED_NONZERO = ("5010", "5174")
"""Notices that clients pass over: the answer stands beside them."""
MAX_CHARACTERS = 8_192
_CODES = {
    "4012": "1300", "4032": "1103", "4050": "1301", "4061": "1700", "4000": "1202", "9013": "1301", "9061": "1302",
    "9062": "1302",
}
"""Codes of the desk in the kit's words (inferred)."""
Body = Mapping[str, Any]
Reply = dict[str, str]


@dataclass(slots=True)
class VirtualCardSdk:
    """The kit on one desk. ``token``: the code that was handed over last; "" before."""

    software: ControlSoftware
    is_open: bool = False
    token: str = ""


def endpoints() -> dict[str, Mapping[str, Any]]:
    """The twelve rows of the table, by path."""
    return {row["path"]: row for row in read_table("control_software")["vhc_sdk_endpoint"]}


def answer(sdk: VirtualCardSdk, path: str, body: object) -> Flow[Reply]:
    """One call. Never raises for what is in the request."""
    row = endpoints().get(path)
    if row is None:
        return {"ERRORCODE": UNKNOWN_PATH}
    fields = _fields(body, row.get("request", ()))
    if fields is None:
        return {"ERRORCODE": MALFORMED}
    if row.get("mirrors") in ("csOpenCom", "csCloseCom"):
        return _switch(sdk, opening=row["mirrors"] == "csOpenCom")
    if not sdk.is_open:
        return {"ERRORCODE": NOT_OPEN}
    try:
        sam = yield from ready_sam(sdk.software)
        if path.startswith("QRCodeReader/"):
            return (yield from _scan(sdk, sam, fields["QRCodeString"]))
        if not sdk.token:
            return {"ERRORCODE": NO_TOKEN}
        return (yield from _call(sdk, sam, row, fields))
    except Ended as e:
        return {"ERRORCODE": _CODES.get(e.code, e.code)}


def _fields(body: object, names: tuple[str, ...]) -> dict[str, str] | None:
    """The named texts of a request; None when one is missing or none."""
    if not isinstance(body, Mapping):
        return None
    fields = {name: body.get(name) for name in names}
    texts = {name: value for name, value in fields.items() if isinstance(value, str) and len(value) <= MAX_CHARACTERS}
    return texts if texts.keys() == fields.keys() else None


def _switch(sdk: VirtualCardSdk, *, opening: bool) -> Reply:
    if opening == sdk.is_open:
        return {"ERRORCODE": ALREADY_OPEN if opening else NOT_OPEN}
    sdk.is_open, sdk.token = opening, ""
    return {"ERRORCODE": "0"}


def _scan(sdk: VirtualCardSdk, sam: Handle, token: str) -> Flow[Reply]:
    sdk.token = ""  # whatever comes, the former patient is not answered for any more
    code, _ = yield from answered(sdk.software, sam, "qr-scan", {"token": token}, "scan code")
    if code == "0":
        sdk.token = token
    return {"ERRORCODE": code}


def _call(sdk: VirtualCardSdk, sam: Handle, row: Mapping[str, Any], fields: dict[str, str]) -> Flow[Reply]:
    name = row.get("mirrors") or str(row["path"]).rpartition("/")[2]
    try:
        arguments = {key: value.encode(BIG5) for key, value in fields.items()}
    except UnicodeEncodeError:
        return {"ERRORCODE": MALFORMED}
    request: dict[str, object] = {"token": sdk.token, "name": name, "arguments": arguments}
    code, body = yield from answered(sdk.software, sam, "vhc-call", request, name)
    out = body.get("out")
    if code not in ("0", *ACCEPTED_NONZERO) or not isinstance(out, Mapping):
        return {"ERRORCODE": code}
    if name == "hisGetSeqNumber256N1":
        out = {"pBuffer": (yield from _sequence(sdk, sam, out))}
    return {"ERRORCODE": code, **{key: bytes(value).decode(BIG5, "replace") for key, value in out.items()}}


def _sequence(sdk: VirtualCardSdk, sam: Handle, out: Mapping[str, Any]) -> Flow[bytes]:
    """The 316 bytes: what the data centre gave, signed by the SAM and by it."""
    head = bytes(out["head"])
    raw = yield from transmit(sam, Command(0, 0x2A, 0x9E, 0x9A, sig_structure(PROTECTED_ES256, head), le=64), "sign visit")
    by_sam = need(raw, "sam", "statement of the visit", "5008")
    signature = (by_sam + bytes(out["signature"])).hex().encode("ascii")
    return head + signature + padded_id(sdk.software.desk.sam_id) + bytes(out["same_day"]) + bytes(out["identifier"]).ljust(20)


__all__ = ["ACCEPTED_NONZERO", "VirtualCardSdk", "answer", "endpoints"]
