"""The calls between desk and data centre: authenticating the SAM, updating a card, uploading a file; the institution's code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from virtual_devices.authentication import padded_id
from virtual_devices.clock import TAIWAN, to_datetime
from virtual_devices.flow import Flow
from virtual_devices.reader.calls import DATA_CENTRE_NOT_BELIEVED, NETWORK_DOWN, verify_sam
from virtual_devices.reader.cshis.prepare import Ready, answered, card_online
from virtual_devices.reader.cshis.reads import area
from virtual_devices.reader.cshis.sequence import institution
from virtual_devices.reader.cshis.state import ControlSoftware, Reply
from virtual_devices.reader.transmit import BAD_ARGUMENT, Ended
from virtual_devices.reader.visit import update_card
from virtual_devices.records import RECORDS

SAM_REFUSED, SAM_EXTERNAL, CENTRE_EXTERNAL, SAM_INTERNAL = "4051", "6005", "6006", "6007"
SIGNATURE_REJECTED, SIZE_WRONG, NO_MEMORY, NO_FILE = "6014", "6015", "6016", "6017"
NO_INSTITUTION_TO_WRITE = "5067"
Arguments = Mapping[str, Any]
_SAM_TROUBLE = {"5008": SAM_INTERNAL, "4029": SAM_EXTERNAL, "9020": CENTRE_EXTERNAL, "9014": SAM_REFUSED}
"""What verifying the SAM fails with elsewhere, and this call's own code for it; other codes come as they are."""


def verify_sam_online(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """csVerifySAMDC: SAM and data centre prove themselves to each other, and the reader's clock is set by the data centre's."""
    software.desk.line_works()
    try:
        done = yield from verify_sam(software.desk, ready.sam)
    except Ended as e:
        if e.code == DATA_CENTRE_NOT_BELIEVED and e.sw >> 4 == 0x63C:
            raise Ended("the SAM refuses the data centre's proof", SAM_EXTERNAL, "sam", sw=e.sw) from e
        raise Ended(e.what, _SAM_TROUBLE.get(e.code, e.code), e.role, sw=e.sw, outcome=e.outcome) from e
    if not done:
        raise Ended("no line to the data centre", NETWORK_DOWN, "cloud")
    code, body = yield from answered(software, ready.sam, "time", {}, "set clock")
    time_ns = body.get("time_ns")
    if code == "0" and isinstance(time_ns, int):
        software.reader.set(time_ns)
    return Reply("0")


def hospital_id(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """csGetHospID."""
    return Reply("0", {"pBuffer": (yield from institution(software, ready))})


def update(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """csUpdateHCContents: insurance, expiry and visits left from the data centre, as it decides; then the card begins anew."""
    yield from _update(software, ready)
    software.card = None
    return Reply("0")


def update_without_reset(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """csUpdateHCNoReset: the same, and the card keeps what it has proved until it is taken out."""
    yield from _update(software, ready)
    return Reply("0")


def _update(software: ControlSoftware, ready: Ready) -> Flow[None]:
    card = ready.card
    yield from card_online(software, ready.sam, card)
    raw = RECORDS["register_basic2"].unpack((yield from area(card.handle, "register2")))
    left, expiry = raw["available_visit_count"], raw["card_expiry_date"]
    if not (isinstance(left, str) and isinstance(expiry, str)):
        left, expiry = "0", ""
    code = yield from update_card(software.desk, ready.sam, card.handle, card.public, int(left or "0"), expiry)
    if code != "0":
        raise Ended("the card is not updated", code, "cloud")


def _amount(arguments: Arguments, name: str) -> int:
    text = arguments[name].decode("ascii", "replace").strip()
    if not (text.isascii() and text.isdigit()):
        raise Ended(f"{name} is no number", BAD_ARGUMENT, "reader")
    return int(text)


def _western(at_ns: int) -> bytes:
    t = to_datetime(at_ns).astimezone(TAIWAN)
    return f"{t.year:04d}{t:%m%d%H%M%S}".encode("ascii")


def upload(software: ControlSoftware, ready: Ready, arguments: Arguments) -> Flow[Reply]:
    """csUploadData: one file with the visits, whole. The receipt has both clocks' time."""
    size, count = _amount(arguments, "pFileSize"), _amount(arguments, "pNumber")
    hospital = yield from institution(software, ready, NO_INSTITUTION_TO_WRITE)
    sent_ns = software.reader.now_ns()
    content = _file(software, arguments["pUploadFileName"])
    if len(content) != size:
        raise Ended(f"the file has {len(content)} bytes, not {size}", SIZE_WRONG, "reader")
    request: dict[str, object] = {
        "content": content, "digest": hashlib.sha256(content).digest(), "records": count, "sent_ns": sent_ns,
    }
    code, body = yield from answered(software, ready.sam, "upload-file", request, "upload file")
    if code == "9020":
        raise Ended("the data centre rejects the signature", SIGNATURE_REJECTED, "cloud")
    if code != "0":
        raise Ended("the data centre refuses the file", code, "cloud")
    received, stored, received_ns = body.get("bytes"), body.get("records"), body.get("received_ns")
    if not (isinstance(received, int) and isinstance(stored, int) and isinstance(received_ns, int)):
        raise Ended("the data centre's receipt is none", SIZE_WRONG, "cloud")
    software.reader.set(received_ns)
    receipt = padded_id(software.desk.sam_id) + hospital + _western(sent_ns) + _western(received_ns)
    out: dict[str, bytes | int] = {
        "pFileSize": b"%d\0" % received, "pNumber": b"%d\0" % stored, "pBuffer": receipt,
    }
    return Reply("0", out)


def _file(software: ControlSoftware, name: bytes) -> bytes:
    try:
        return software.files(name.decode("utf-8", "surrogateescape"))
    except OSError as e:
        raise Ended(f"the file cannot be read: {e.strerror or e}", NO_FILE, "reader") from e
    except MemoryError as e:
        raise Ended("the file is larger than the memory", NO_MEMORY, "reader") from e


CALLS = {
    "csVerifySAMDC": verify_sam_online,
    "csGetHospID": hospital_id,
    "csUpdateHCContents": update,
    "csUpdateHCNoReset": update_without_reset,
    "csUploadData": upload,
}

__all__ = ["CALLS"]
