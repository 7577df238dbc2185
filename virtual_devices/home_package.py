"""What a home-visit team takes along of a patient (居家醫療出訪資料): made and signed by the data centre, for one institution,
one professional, one purpose and a bounded time.

    payload = {1: 1, 2: institution, 3: professional's id, 4: purpose, 5: from, 6: until (ns), 7: person, 8: insurance,
               9: [prescription], 10: [chain of their signers], 11: id of the package (16 bytes)}
    person    = [card number, name, national id, birth date ROC YYYMMDD, sex]
    insurance = [code that refuses or "0", ROC date until which it holds]

A COSE_Sign1 with the data centre's chain, so that the team can believe it where there is no network. That records are taken along
for home care is public (a download type of the field's upload API, code F00B); the form is the bench's **profile**.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cbor2

from virtual_devices import cose
from virtual_devices.cose import MalformedCose, Sign1
from virtual_devices.errors import PeerError, UsageError
from virtual_devices.pki import ChainVerifier, Identity, Refused, Role

VERSION = 1
HOME_CARE = "home-care"
PURPOSES = frozenset({HOME_CARE})
LONGEST_S = 86_400
"""A package serves a day's round, and no longer (profile)."""
MAX_PRESCRIPTIONS = 100
PROOF = b"VHC home package 1\0"


class MalformedPackage(PeerError, ValueError):
    """Bytes that are no package, or one that nobody believed in signed."""


@dataclass(frozen=True, slots=True)
class HomePerson:
    """Who is visited. ``birth_date``: ROC YYYMMDD."""

    card_no: str
    name: str
    id_no: str
    birth_date: str
    sex: str

    @property
    def identity(self) -> bytes:
        """ID number and birth date, 17 bytes, as a card's public data have them."""
        return f"{self.id_no:<10}{self.birth_date:<7}".encode("ascii")


@dataclass(frozen=True, slots=True)
class HomePackage:
    """One patient's. Times in nanoseconds; ``insurance``: the code that refuses, ``0`` for none; ``holds_until``: ROC date."""

    id: bytes
    institution: str
    professional: str
    purpose: str
    from_ns: int
    until_ns: int
    person: HomePerson
    insurance: str
    holds_until: str
    prescriptions: tuple[bytes, ...] = ()
    chains: tuple[tuple[bytes, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.purpose not in PURPOSES:
            raise UsageError(f"{self.purpose!r} is no purpose of a home package; there are {', '.join(sorted(PURPOSES))}")
        if not 0 < self.until_ns - self.from_ns <= LONGEST_S * 10**9:
            raise UsageError(f"a home package serves for {LONGEST_S} s at most, not {(self.until_ns - self.from_ns) / 1e9:g}")

    def sign(self, by: Identity) -> bytes:
        """As the data centre hands it out."""
        p = self.person
        payload = cbor2.dumps({
            1: VERSION, 2: self.institution, 3: self.professional, 4: self.purpose, 5: self.from_ns, 6: self.until_ns,
            7: [p.card_no, p.name, p.id_no, p.birth_date, p.sex], 8: [self.insurance, self.holds_until],
            9: list(self.prescriptions), 10: [list(chain) for chain in self.chains], 11: self.id,
        }, canonical=True)
        return cose.sign1(by.key, payload, {cose.X5CHAIN: list(by.chain)})


def read_package(raw: bytes, root: ChainVerifier, now_ns: int, revoked: frozenset[int] = frozenset()) -> HomePackage:
    """The package, when the data centre signed it. Raises MalformedPackage with what is wrong; its time is the bag's to keep."""
    try:
        message = cose.decode(raw)
    except MalformedCose as e:
        raise MalformedPackage(f"no home package: {e.what}", code="9002") from None
    who = root.check(message.chain, {Role.DATA_CENTRE}, now_ns, revoked)
    if isinstance(who, Refused) or not message.verify(who.key):
        raise MalformedPackage("the data centre did not sign this home package", code="9015")
    try:
        return _read(message)
    except (KeyError, TypeError, ValueError, UnicodeError) as e:
        raise MalformedPackage(f"the home package is not as it should be ({e})", code="9002") from None


def _read(message: Sign1) -> HomePackage:
    payload = message.payload_map()
    if payload is None or payload.get(1) != VERSION:
        raise ValueError("version")
    person = [_of(value, str) for value in _of(payload[7], list)]
    code, holds_until = (_of(value, str) for value in _of(payload[8], list))
    chains = tuple(tuple(_of(der, bytes) for der in _of(chain, list)) for chain in _of(payload[10], list))
    return HomePackage(
        _of(payload[11], bytes), _of(payload[2], str), _of(payload[3], str), _of(payload[4], str), _of(payload[5], int),
        _of(payload[6], int), HomePerson(*person), code, holds_until,
        tuple(_of(rx, bytes) for rx in _of(payload[9], list)), chains,
    )


def _of(value: Any, kind: type) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{type(value).__name__} where {kind.__name__} belongs")
    return value


def proof_message(request_id: bytes, card_no: str, purpose: str, until_ns: int) -> bytes:
    """What the professional's card signs to ask for a package."""
    return PROOF + request_id + f"{card_no}/{purpose}/{until_ns}".encode()


__all__ = [
    "HOME_CARE", "LONGEST_S", "PURPOSES", "HomePackage", "HomePerson", "MalformedPackage", "proof_message", "read_package",
]
