"""The data centre's signatures on virtual cards: the credential, the QR code's inner part, status lists.

What a card says comes from the registers (:class:`CardHolder`); which card there is, and how it stands, from the domain
(``cards.py``). Keys and salts follow from the seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import vhc
from virtual_devices.clock import NS
from virtual_devices.cloud.books import Kind
from virtual_devices.cloud.places import Place
from virtual_devices.mdoc.mso import IssuerSigned, StatusReference, Validity, issue
from virtual_devices.mdoc.tagged import full_date
from virtual_devices.pki import DAY_NS, Authority, Role, ends_ns
from virtual_devices.qr import card as qr_card
from virtual_devices.randomness import ByteStream
from virtual_devices.status_list import Status, StatusList
from virtual_devices.write_back import holder_of

CREDENTIAL_DAYS = 365
LIST_LIFE_S, LIST_TTL_S = 86_400, 3600
"""A status list is good for a day, and a fresh one is to be fetched every hour."""
OLD_YEARS = 50


@dataclass(frozen=True, slots=True)
class CardHolder:
    """What a card says of its holder. Dates of the Western calendar; ``portrait`` a JPEG; ``medical``: elements by name."""

    card_no: str
    name: str
    id_no: str
    birth_date: date
    sex: str
    issue_date: date
    expiry_date: date
    portrait: bytes = field(repr=False)
    identity_mark: str = "3"
    emergency_tel: str = ""
    medical: Mapping[str, Any] = field(default_factory=dict)

    def elements(self, held_under: bytes = b"", former: Sequence[bytes] = ()) -> dict[str, dict[str, Any]]:
        """Issuer-signed elements by namespace. ``held_under``: the authorization's id, of a ward's card; ``former``: the cards
        whose place it takes, newest first."""
        basic = {
            "name": self.name, "birth_date": full_date(self.birth_date), "sex": self.sex, "portrait": self.portrait,
            "card_no": self.card_no, "id_no": self.id_no, "issue_date": full_date(self.issue_date),
            "expiry_date": full_date(self.expiry_date), "identity_mark": self.identity_mark, "emergency_tel": self.emergency_tel,
            vhc.HELD_UNDER: held_under, **({vhc.FORMER: list(former)} if former else {}),
        }
        return {vhc.BASIC: basic} | ({vhc.MEDICAL: dict(self.medical)} if self.medical else {})

    def qr(self, device_key: ec.EllipticCurvePublicKey, guardian: qr_card.Guardian | None = None) -> qr_card.CardData:
        """What the QR code says: no photograph fits. ``guardian``: of a ward's card."""
        under = b"" if guardian is None else guardian.authorization
        return qr_card.CardData(
            self.card_no, self.name, self.id_no, self.birth_date, self.sex, self.issue_date, self.expiry_date,
            self.identity_mark, holder_of(device_key, under), guardian,
        )


HOLDERS = Kind("holders", CardHolder, ("card_no",))


@cache
def portrait(sex: str, age_years: int) -> bytes:
    """The photograph of a person of the bench: drawn, nobody's face, 7 to 8 kB."""
    name = f"portrait_{sex.lower()}_{'old' if age_years >= OLD_YEARS else 'young'}.jpg"
    return (files("virtual_devices") / "data" / "portraits" / name).read_bytes()


class CardIssuer:
    """Signs for the data centre."""

    def __init__(self, authority: Authority, seed: object) -> None:
        self.signer = authority.issue(Role.DOCUMENT_SIGNER, "NHI bench documents")
        self.data_centre = authority.issue(Role.DATA_CENTRE, "IDC reference")
        self._until_ns = ends_ns(self.signer.chain[0])
        self._fresh = ByteStream(seed, "issuer")

    def credential(
        self, holder: CardHolder, device_key: ec.EllipticCurvePublicKey, place: Place, at_ns: int, until_ns: int | None = None,
        held_under: bytes = b"", former: Sequence[bytes] = (),
    ) -> IssuerSigned:
        """A credential bound to a device key, from now on, for a year, until ``until_ns``, or until its signer's end."""
        at_ns -= at_ns % NS
        validity = Validity(at_ns, at_ns, self._end(at_ns, until_ns))
        return issue(
            vhc.DOCTYPE, holder.elements(held_under, former), device_key, self.signer, validity, self._fresh,
            status=StatusReference(place.uri, place.index), authorised=vhc.AUTHORISED,
        )

    def qr(
        self, holder: CardHolder, device_key: ec.EllipticCurvePublicKey, qr_key: ec.EllipticCurvePublicKey, place: Place,
        at_ns: int, until_ns: int | None = None, guardian: qr_card.Guardian | None = None,
    ) -> bytes:
        """The inner part of the QR code, bound to a key for codes, which names whom records are for."""
        term = qr_card.Term(at_ns, at_ns, self._end(at_ns, until_ns))
        reference = StatusReference(place.uri, place.index)
        return qr_card.issue(holder.qr(device_key, guardian), qr_key, self.signer, term, reference, self._fresh)

    def _end(self, at_ns: int, until_ns: int | None) -> int:
        longest_ns = min(at_ns + CREDENTIAL_DAYS * DAY_NS, self._until_ns)
        return longest_ns if until_ns is None else min(longest_ns, until_ns)

    def status_lists(self, statuses: Mapping[Place, Status], at_ns: int, size: int) -> dict[str, bytes]:
        """Signed lists by their address, with these statuses. ``size``: entries of each."""
        lists: dict[str, StatusList] = {}
        for place, status in statuses.items():
            lists.setdefault(place.uri, StatusList(place.uri, size))[place.index] = status.value
        return {
            uri: found.sign(self.data_centre, at_ns, at_ns + LIST_LIFE_S * NS, LIST_TTL_S) for uri, found in sorted(lists.items())
        }
