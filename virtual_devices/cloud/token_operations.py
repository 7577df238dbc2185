"""Operations of the data centre for desks with a virtual card: the token that was scanned, and the calls of the software
development kit over the card's file. Codes are of the space ``vhc`` for the token, of ``cshis`` for what a call of that name
would say.

    qr-scan    token -> basic (72 bytes)              the scan: whose code it is; counts as used
    qr-verify  token -> {}                            opens the card's session (Verification/VirtualHc)
    vhc-call   token, name, arguments -> out          a call of the kit, arguments and results as bytes
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from virtual_devices import pki
from virtual_devices.card.draft import FEE_FIELDS
from virtual_devices.cloud.card_service import CardService
from virtual_devices.pki import Identity, Verified
from virtual_devices.qr.token import TEXT_PREFIX, Answer

MALFORMED, WRONG_FORM, SYNTAX_REJECTED, OTHER_PERSON, BAD_ARGUMENT = "1520", "1522", "9002", "5020", "6018"
MAX_TOKEN_CHARACTERS = 4_296
RX_BYTES, SHORT_CODE, LONG_CODE, DIAGNOSES = 61, 5, 7, 6
Arguments = Mapping[str, Any]
Reply = tuple[str, dict[str, Any]]


class TokenOperations:
    """``identity``: the data centre's, which signs beside the SAM what the kit's sequence number carries."""

    def __init__(self, cards: CardService, identity: Identity) -> None:
        self._cards = cards
        self._identity = identity
        self._calls: dict[str, Callable[[str, str, Arguments, int], Reply]] = {
            "hisGetBasicData": lambda card_no, *_: ("0", {"pBuffer": cards.read(card_no, "basic")}),
            "hisGetRegisterBasic": lambda card_no, *_: ("0", {"pBuffer": cards.read(card_no, "register")}),
            "hisGetSeqNumber256N1": self._next,
            "csUnGetSeqNumber": self._take_back,
            "hisWriteTreatmentCode": self._codes,
            "hisWriteTreatmentFee": self._fees,
            "hisWritePrescriptionSign": self._prescribe,
            "hisWriteMultiPrescriptSign": self._prescribe,
            "GenCloudMedicalToken": lambda *_: ("0", {"pBuffer": cards.fresh(16).hex().encode("ascii")}),
        }

    def all(self) -> dict[str, Callable[[Verified, bytes, Arguments, int], Reply]]:
        return {"qr-scan": self._scan, "qr-verify": self._verify, "vhc-call": self._call}

    def _scan(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        token = a.get("token")
        if not isinstance(token, str) or not token or len(token) > MAX_TOKEN_CHARACTERS:
            return MALFORMED, {}
        if not token.startswith(TEXT_PREFIX):
            return WRONG_FORM, {}
        found = self._cards.tokens.resolve(token, sam.organisation, now_ns)
        if found.answer is not Answer.OK:
            return found.answer.code.number, {}
        return "0", {"basic": self._cards.read(found.card_no, "basic")}

    def _verify(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        found = self._cards.tokens.verify(str(a.get("token", "")), sam.organisation, now_ns)
        return found.answer.code.number, {"card_no": found.card_no}

    def _call(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        found = self._cards.tokens.look(str(a.get("token", "")), sam.organisation, now_ns)
        if found.answer is not Answer.OK:
            return found.answer.code.number, {}
        call, arguments = self._calls.get(str(a.get("name", ""))), a.get("arguments")
        if call is None or not isinstance(arguments, Mapping) or not all(isinstance(v, bytes) for v in arguments.values()):
            return SYNTAX_REJECTED, {}
        code, out = call(found.card_no, sam.organisation, arguments, now_ns)
        return code, {"out": out}

    # -- the calls

    def _next(self, card_no: str, institution: str, a: Arguments, now_ns: int) -> Reply:
        kind, newborn, recard = (_text(a, name) for name in ("cTreatItem", "cBabyTreat", "cTreatAfterCheck"))
        if len(kind) != 2:
            return BAD_ARGUMENT, {}
        found = self._cards.register(card_no, institution, kind, newborn[:1], recard[:1], now_ns, virtual=True)
        if not found.identifier:
            return found.code, {}
        head = f"{found.when}{found.sequence}{institution:<10}".encode("ascii")
        return found.code, {
            "head": head, "signature": pki.sign(self._identity.key, head), "same_day": b"Y" if found.same_day else b"N",
            "identifier": found.identifier.encode("ascii"),
        }

    def _take_back(self, card_no: str, institution: str, a: Arguments, now_ns: int) -> Reply:
        return self._cards.take_back(card_no, institution, _text(a, "pUnTreatDate"), now_ns), {}

    def _others(self, card_no: str, a: Arguments) -> bool:
        identity = (_text(a, "pPatientID") + _text(a, "pPatientBirthDate")).encode("ascii", "replace")
        return identity != self._cards.files.cell(card_no, "public")[32:49]

    def _codes(self, card_no: str, institution: str, a: Arguments, now_ns: int) -> Reply:
        """Diagnoses of 5 or of 7 characters, unpadded between: 31 or 43 in all."""
        if self._others(card_no, a):
            return OTHER_PERSON, {}
        raw = _data(a, 1 + DIAGNOSES * LONG_CODE, 1 + DIAGNOSES * SHORT_CODE)
        width = {1 + DIAGNOSES * LONG_CODE: LONG_CODE, 1 + DIAGNOSES * SHORT_CODE: SHORT_CODE}.get(len(raw))
        if width is None:
            return BAD_ARGUMENT, {}
        slots = (raw[1 + n * width : 1 + (n + 1) * width].ljust(LONG_CODE) for n in range(DIAGNOSES))
        codes = raw[:1] + b"".join(b" " + slot + b" " for slot in slots)
        return self._cards.write(card_no, institution, _text(a, "pDateTime"), codes, None), {"pBufferDocID": b""}

    def _fees(self, card_no: str, institution: str, a: Arguments, now_ns: int) -> Reply:
        if self._others(card_no, a):
            return OTHER_PERSON, {}
        raw = _data(a, FEE_FIELDS[-1][1])
        if not raw:
            return BAD_ARGUMENT, {}
        return self._cards.write(card_no, institution, _text(a, "pDateTime"), None, raw), {}

    def _prescribe(self, card_no: str, institution: str, a: Arguments, now_ns: int) -> Reply:
        if self._others(card_no, a):
            return OTHER_PERSON, {}
        raw = a.get("pDataWrite", b"")
        raw = _data(a, len(raw) // RX_BYTES * RX_BYTES)
        if not raw:
            return BAD_ARGUMENT, {}
        entries = [raw[at : at + RX_BYTES] for at in range(0, len(raw), RX_BYTES)]
        code, signatures = self._cards.prescribe(card_no, institution, _text(a, "pDateTime"), entries)
        return code, {"pBuffer": "".join(one.hex() for one in signatures).encode("ascii")}


def _data(arguments: Arguments, *lengths: int) -> bytes:
    """What is to be written, of one of these lengths, with or without the space that stands for the NUL; empty otherwise."""
    raw = bytes(arguments.get("pDataWrite", b""))
    for length in lengths:
        if raw[length:] in (b"", b" ") and len(raw) >= length:
            return raw[:length]
    return b""


def _text(arguments: Arguments, name: str) -> str:
    """An argument as text: one trailing space stands where csHIS wants the NUL."""
    value = arguments.get(name, b"")
    return bytes(value).decode("ascii", "replace").rstrip(" \0")


__all__ = ["TokenOperations"]
