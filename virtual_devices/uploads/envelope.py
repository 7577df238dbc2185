"""The request by which an upload travels over HTTP (健保卡資料上傳介接), and its answer, as values. Others carry them.

Field names and codes are **public**: two vendors' clients. One of them writes ``sSamid``: names are taken in any case. Inferred:
the form of ``sUploadDT``, what stands in places 14 to 19 of an Opcode, and which code answers what cannot be read at all.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from virtual_devices.clock import NS, ROC_OFFSET, parse_roc, roc_datetime13

OK, WRONG_TYPE, WRONG_SAM, STALE_SIGNATURE, SAM_REVOKED = "0000", "5003", "5004", "8203", "8205"
BAD_SIGNATURE, NO_SUCH_INSTITUTION, OTHER = "9002", "9005", "9999"
SIGNATURE_LIFETIME_S = 3600
OPCODE_CHARACTERS = 42
MAX_ENCODED = 48 << 20
_MOMENT = re.compile(r"([0-9]{4})([0-9]{10})([0-9]{3})")
_SAM, _INSTITUTION = re.compile(r"[A-Za-z0-9]{12}"), re.compile(r"[A-Za-z0-9]{10}")
_OPCODE = re.compile(r"[0-9]{20}[A-Za-z0-9]{22}[ -~]*")


class Operation(Enum):
    """What is asked for (sType)."""

    FORMAL = "A1"
    PRE_CHECK = "A2"
    INTERFACE_TEST = "ZZ"


class Protocol(Enum):
    """How the signature was made, the path's version."""

    V1000 = "V1000"  # by the SAM in the reader, through CsHisX
    V2000 = "V2000"  # by control software 6.0


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """A request that could be read. ``uploaded_ns``: what it says of its time, to the millisecond."""

    protocol: Protocol
    operation: Operation
    sam_id: str
    institution: str
    client_random: str
    signature: str
    uploaded_ns: int
    file: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request is not taken, in the space ``upload-api``. ``field``: of the request, empty for the whole."""

    code: str
    field: str
    detail: str


REQUEST_FIELDS = ("sSamId", "sHospId", "sClientRandom", "sSignature", "sType", "sPatData", "sUploadDT")


def read_request(fields: Mapping[str, object], protocol: Protocol = Protocol.V2000) -> UploadRequest | Refused:
    """The request's fields as somebody sent them. Raises nothing."""
    given = {str(name).lower(): value for name, value in fields.items()}
    texts: dict[str, str] = {}
    for name in REQUEST_FIELDS:
        value = given.get(name.lower())
        if not isinstance(value, str) or not value:
            return Refused(WRONG_TYPE if name == "sType" else OTHER, name, "missing, or no text")
        texts[name] = value
    if texts["sType"] not in {one.value for one in Operation}:
        return Refused(WRONG_TYPE, "sType", "A1, A2 or ZZ")
    if not _SAM.fullmatch(texts["sSamId"]):
        return Refused(WRONG_SAM, "sSamId", "a SAM's id has 12 letters and digits")
    if not _INSTITUTION.fullmatch(texts["sHospId"]):
        return Refused(NO_SUCH_INSTITUTION, "sHospId", "an institution's code has 10 letters and digits")
    uploaded_ns = _read_moment(texts["sUploadDT"])
    if uploaded_ns is None:
        return Refused(OTHER, "sUploadDT", "17 digits: year, month, day, hour, minute, second, milliseconds, Taiwan time")
    if len(texts["sPatData"]) > MAX_ENCODED:
        return Refused(OTHER, "sPatData", f"more than {MAX_ENCODED} characters")
    try:
        file = base64.b64decode(texts["sPatData"].encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return Refused(OTHER, "sPatData", "no base64")
    return UploadRequest(
        protocol, Operation(texts["sType"]), texts["sSamId"], texts["sHospId"], texts["sClientRandom"], texts["sSignature"],
        uploaded_ns, file,
    )


@dataclass(frozen=True, slots=True)
class SamStanding:
    """A SAM as the data centre knows it."""

    institution: str
    revoked: bool = False


def check_request(
    request: UploadRequest, sam: SamStanding | None, institution_known: bool, now_ns: int, holds: Callable[[UploadRequest], bool],
) -> Refused | None:
    """Whether a request may be taken: the SAM, its institution, the signature and its age. ``holds`` verifies the signature
    over the random number; ``sam`` None: no such SAM."""
    if not institution_known:
        return Refused(NO_SUCH_INSTITUTION, "sHospId", "no contracted institution")
    if sam is None or sam.institution != request.institution:
        return Refused(WRONG_SAM, "sSamId", "not a SAM of this institution")
    if sam.revoked:
        return Refused(SAM_REVOKED, "sSamId", "revoked")
    if not abs(now_ns - request.uploaded_ns) <= SIGNATURE_LIFETIME_S * NS:
        return Refused(STALE_SIGNATURE, "sUploadDT", "signed more than an hour ago, or ahead of time")
    if not holds(request):
        return Refused(BAD_SIGNATURE, "sSignature", "the signature does not hold")
    return None


def make_opcode(uploaded_ns: int, number: int, institution: str, sam_id: str) -> str:
    """The key for fetching the result, 42 characters: 0-13 date and time, 14-19 a number that tells uploads of one second apart,
    20-29 institution, 30-41 SAM."""
    text = roc_datetime13(uploaded_ns)
    opcode = f"{int(text[:3]) + ROC_OFFSET:04d}{text[3:]}{number % 1_000_000:06d}{institution}{sam_id}"
    if not is_opcode(opcode):
        raise ValueError(f"{institution!r} and {sam_id!r} must be 10 and 12 letters and digits")
    return opcode


def is_opcode(text: str) -> bool:
    """At least 42 characters of the layout above."""
    return _OPCODE.fullmatch(text) is not None


def sam_of_opcode(opcode: str) -> tuple[str, str]:
    """Institution and SAM in an Opcode. Raises ValueError for what is none."""
    if not is_opcode(opcode):
        raise ValueError("an Opcode has 20 digits, an institution of 10 and a SAM of 12 characters")
    return opcode[20:30], opcode[30:42]


def make_answer(code: str, opcode: str = "") -> dict[str, str]:
    """What the service answers."""
    return {"RtnCode": code, "Opcode": opcode}


def make_request(
    operation: Operation, sam_id: str, institution: str, client_random: str, signature: str, uploaded_ns: int, file: bytes,
) -> dict[str, str]:
    """What an institution's software sends."""
    roc = roc_datetime13(uploaded_ns)
    moment = f"{int(roc[:3]) + ROC_OFFSET:04d}{roc[3:]}{uploaded_ns % NS // 1_000_000:03d}"
    return {
        "sSamId": sam_id, "sHospId": institution, "sClientRandom": client_random, "sSignature": signature,
        "sType": operation.value, "sPatData": base64.b64encode(file).decode("ascii"), "sUploadDT": moment,
    }


def _read_moment(text: str) -> int | None:
    found = _MOMENT.fullmatch(text)
    if found is None or not ROC_OFFSET < int(found[1]) <= ROC_OFFSET + 999:
        return None
    try:
        return parse_roc(f"{int(found[1]) - ROC_OFFSET:03d}{found[2]}") + int(found[3]) * 1_000_000
    except ValueError:
        return None


def receipt(request: UploadRequest, records: int, received_ns: int) -> dict[str, str | int]:
    """What is told at once, before any check (official)."""
    return {
        "institution": request.institution, "sam_id": request.sam_id, "uploaded_at": roc_datetime13(request.uploaded_ns),
        "records": records, "bytes": len(request.file), "received_at": roc_datetime13(received_ns),
    }


__all__ = [
    "OPCODE_CHARACTERS", "Operation", "Protocol", "REQUEST_FIELDS", "Refused", "SamStanding", "UploadRequest", "check_request",
    "is_opcode", "make_answer", "make_opcode", "make_request", "read_request", "receipt", "sam_of_opcode",
]
