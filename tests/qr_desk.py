"""A phone with a card's code, a reader that knows the issuer, and the list that says how the card stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import pki
from virtual_devices.clock import NS
from virtual_devices.link import Work
from virtual_devices.mdoc.mso import StatusReference
from virtual_devices.pki import Identity, Role
from virtual_devices.qr.card import CardData, Signer, Term, issue, show
from virtual_devices.qr.challenge import Challenge
from virtual_devices.qr.check import Issuers, QrReader
from virtual_devices.qr.prescription import Entry, Prescription, SigningParty, sign, to_text
from virtual_devices.randomness import ByteStream, private_key
from virtual_devices.status_list import Status, StatusList, StatusLists
from virtual_devices.write_back import holder_of

from .desk import AUTHORITY, CARD_NO, DOCTOR_ID, INSTITUTION, NOW_NS, SAM_ID

DAY_NS = 86_400 * NS
SIGNER, CENTRE = AUTHORITY.issue(Role.DOCUMENT_SIGNER, "document signer"), AUTHORITY.issue(Role.DATA_CENTRE, "IDC")
KEY, OTHER_KEY = private_key("tests", "phone"), private_key("tests", "another phone")
URI = "https://status.bench.example/lists/07"
PLACE = StatusReference(URI, 813_642)
DATA = CardData(CARD_NO, "王小明", "A123456789", date(1958, 7, 4), "M", date(2021, 1, 1), date(2027, 12, 31), "3")
TERM = Term(NOW_NS - 30 * DAY_NS, NOW_NS - 30 * DAY_NS, NOW_NS + 300 * DAY_NS)
READER = "9901180014/counter 1"


def signer(key: ec.EllipticCurvePrivateKey) -> Signer:
    return lambda message: pki.sign(key, message)


def card(
    data: CardData = DATA, *, key: ec.EllipticCurvePrivateKey = KEY, issuer: Identity = SIGNER, term: Term = TERM,
    place: StatusReference = PLACE, name: str = "card",
) -> bytes:
    return issue(data, key.public_key(), issuer, term, place, ByteStream("tests", name))


@dataclass
class Phone:
    """A holder's phone. Each showing has a number of its own."""

    key: ec.EllipticCurvePrivateKey = KEY
    card: bytes = field(default_factory=card)
    fresh: Callable[[int], bytes] = field(default_factory=lambda: ByteStream("tests", "showings"))

    def show(self, now_ns: int = NOW_NS, challenge: Challenge | None = None, **more: Any) -> str:
        return show(self.card, signer(self.key), now_ns, self.fresh, challenge, **more)


def published(status: Status = Status.VALID, at_ns: int = NOW_NS) -> bytes:
    listed = StatusList(URI)
    listed[PLACE.index] = status
    return listed.sign(CENTRE, at_ns, at_ns + 3 * DAY_NS, 3600)


def reader(name: str = READER, status: Status | None = Status.VALID, work: Work | None = None, **more: Any) -> QrReader:
    """A reader that knows the issuer, and unless ``status`` is None a list that says so of the card."""
    work = work or Work()
    root = AUTHORITY.verifier()
    issuers, lists = Issuers(root, work), StatusLists(root, work)
    issuers.take(SIGNER.chain, NOW_NS)
    if status is not None:
        lists.take(published(status), NOW_NS)
    return QrReader(name, issuers, lists, work, **more)


# -- prescriptions

DOCTOR = AUTHORITY.issue(Role.PHYSICIAN, DOCTOR_ID)
CLINIC = AUTHORITY.issue(Role.SAM, SAM_ID, organisation=INSTITUTION)
AUTHORITIES = (DOCTOR.chain[1], CLINIC.chain[1])
ENTRIES = tuple(
    Entry("1", f"AC{n}4917100", "", usage, 28, total, "01") for n, (usage, total) in enumerate((
        ("1T QD PO", 280), ("1T BID PC PO", 560), ("0.5T HS PO", 140), ("1C TID PC PO", 840), ("1T QOD PO", 145)))
)
RX = Prescription(bytes(range(16)), holder_of(KEY.public_key()), NOW_NS, INSTITUTION, ENTRIES, date(2026, 5, 24))


def party(identity: Identity) -> SigningParty:
    return SigningParty(identity.chain[0], signer(identity.key))


def prescribed(rx: Prescription = RX, doctor: Identity = DOCTOR, clinic: Identity = CLINIC, **more: Any) -> str:
    """The code of a prescription signed by these."""
    return to_text(sign(rx, party(doctor), party(clinic), **more))
