"""Who asks, as the data centre finds out from a phone's request: what is given, and the keys that the phone's maker vouches for.

Certificates, card sessions, tickets and the card's own signature are verified here; facts are the domain's to compare. What is
signed over the phone's challenge names the operation and the person too (``phone_messages.proof_payload``), so that it proves
nothing for another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import cose
from virtual_devices.cloud.card_ledger import Phone
from virtual_devices.cloud.challenges import Newest
from virtual_devices.cloud.identification import CardSession, Given
from virtual_devices.cloud.journal import Asker
from virtual_devices.cloud.office import Office
from virtual_devices.cloud.phone_messages import proof_payload
from virtual_devices.cose import MalformedCose
from virtual_devices.lifecycle import Party
from virtual_devices.link import Work
from virtual_devices.pki import ChainVerifier, Refused, Role
from virtual_devices.wallet.attestation import NotAttested, verify_attestation
from virtual_devices.write_back import holder_of

MAX_TEXT = 40


class BadArguments(Exception):
    """The arguments are not what the operation takes."""


class Unattested(Exception):
    """Nobody vouches for a key, for the challenge that this phone was given."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request whose signature holds."""

    id: bytes
    operation: str
    phone: bytes
    """SHA-256 of the phone's key."""
    arguments: Mapping[str, Any]
    now_ns: int
    challenge: bytes | None = None
    """The one that this phone was given, which a request with a proof over it uses up; None without one."""

    @property
    def device(self) -> bytes:
        return self.phone[:16]

    def take(self, name: str, kind: type) -> Any:
        value = self.arguments.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise BadArguments(name)
        return value


def over_challenge(arguments: Mapping[Any, Any]) -> bool:
    """Whether something in a request is signed over the phone's challenge."""
    given = arguments.get("given")
    names = {*arguments, *(given if isinstance(given, Mapping) else ())}
    return not names.isdisjoint({"attestation", "qr_attestation", "certificate", "bound_proof"})


class Proofs:
    """What proves who asks. ``keys``: the device key of each card, by the card's name."""

    def __init__(self, office: Office, keys: Mapping[str, ec.EllipticCurvePublicKey], work: Work) -> None:
        self._office = office
        self._keys = keys
        self._work = work
        self._root = ChainVerifier(office.root)
        self._used: Newest[tuple[bytes, bytes, str], tuple[str, str]] = Newest()  # tickets, by the request that used them up

    def given(self, call: Call, card_no: str) -> tuple[Given, Asker]:
        """What the asker gives, verified, and who that makes them. Raises BadArguments."""
        given = call.take("given", Mapping) if "given" in call.arguments else {}
        officer = self._officer(call, given, card_no)
        asker = Asker(Party.DATA_CENTRE, officer) if officer else Asker(Party.HOLDER, card_no)
        return Given(
            _text(given, "id_no"), _day(given), _text(given, "household_no"), _text(given, "phone_no"),
            _text(given, "one_time_code"), self._citizen(call, given, card_no), self._bound(call, given, card_no),
            self._session(given), officer,
        ), asker

    def _session(self, given: Mapping[Any, Any]) -> CardSession | None:
        statement = given.get("statement", b"")
        if "statement" in given and not (isinstance(statement, bytes) and statement in self._office.card_sessions):
            raise BadArguments("statement")
        return self._office.card_sessions.get(statement)

    def _officer(self, call: Call, given: Mapping[Any, Any], card_no: str) -> str:
        """Who gave the ticket, if it is this person's. It is good for one request, however often that is sent."""
        ticket = _text(given, "ticket")
        request = call.phone, call.id, ticket
        if ticket in self._office.tickets:
            self._used.put(request, self._office.tickets.pop(ticket))
        found = self._used.get(request)
        return found[1] if found is not None and found[0] == card_no else ""

    def _citizen(self, call: Call, given: Mapping[Any, Any], card_no: str) -> str:
        """The id number in a citizen certificate whose holder has signed for this very operation; empty without one."""
        if "certificate" not in given:
            return ""
        try:
            message = cose.decode(given["certificate"] if isinstance(given["certificate"], bytes) else b"")
        except MalformedCose:
            raise BadArguments("certificate") from None
        self._work.chains += 1
        who = self._root.check(message.chain, {Role.CITIZEN}, call.now_ns)
        if isinstance(who, Refused) or call.challenge is None:
            raise BadArguments("certificate")
        self._work.verifications += 1
        if message.payload != proof_payload(call.operation, card_no, call.challenge) or not message.verify(who.key):
            raise BadArguments("certificate")
        return who.subject_id

    def _bound(self, call: Call, given: Mapping[Any, Any], card_no: str) -> bytes:
        """The id of the key of the person's own card on this phone, which has signed for this very operation; empty without."""
        if "bound_proof" not in given:
            return b""
        try:
            message = cose.read_sign1(given["bound_proof"])
        except MalformedCose:
            raise BadArguments("bound_proof") from None
        card = self._office.cards.ledger.own(card_no)
        if card is None or card.phone is None or card.phone.device != call.device or call.challenge is None:
            raise BadArguments("bound_proof")
        self._work.verifications += 1
        if not message.verify(self._keys[card.name], detached=proof_payload(call.operation, card_no, call.challenge)):
            raise BadArguments("bound_proof")
        return card.phone.key

    def attested(self, call: Call) -> tuple[Phone, ec.EllipticCurvePublicKey]:
        """The device key that the phone's maker vouches for, for the challenge of this phone. Raises Unattested, BadArguments."""
        key = self._vouched(call, "attestation")
        return Phone(call.device, holder_of(key)), key

    def code_key(self, call: Call) -> ec.EllipticCurvePublicKey | None:
        """The key for codes, attested like the device key; None where none is wanted. Raises Unattested, BadArguments."""
        return self._vouched(call, "qr_attestation") if "qr_attestation" in call.arguments else None

    def _vouched(self, call: Call, name: str) -> ec.EllipticCurvePublicKey:
        raw = call.take(name, bytes)
        if call.challenge is None:
            raise Unattested(name)  # it was given none, or has used it up
        claim = verify_attestation(raw, self._office.maker_root, call.challenge, call.phone, call.now_ns, work=self._work)
        if isinstance(claim, NotAttested):
            raise Unattested(name)
        return claim.key


def _text(given: Mapping[Any, Any], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise BadArguments(name)
    return value


def _day(given: Mapping[Any, Any]) -> date | None:
    text = _text(given, "birth_date")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadArguments("birth_date") from None


__all__ = ["BadArguments", "Call", "Proofs", "Unattested", "over_challenge"]
