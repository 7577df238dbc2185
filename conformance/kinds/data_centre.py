"""A data centre (健保資料中心) under test: what it answers desks and phones, and what an officer at its counter finds.

A case speaks with it message by message, as an institution's security module, as a phone, and asks its officer, who of a real one
is a person or its own web face.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import cbor2

from conformance.case import Kind
from conformance.kinds import Suite
from conformance.references.data_centre import ReferenceDataCentre
from conformance.tester import Tester
from conformance.town import Place, clinic, maker, pharmacy, renewed
from conformance.vectors.world import World
from virtual_devices import cose
from virtual_devices.authentication import Party, padded_id, proof_message
from virtual_devices.authorization import Relation, Scope
from virtual_devices.clock import NS, Clock, VirtualClock
from virtual_devices.cloud.guardians import Ground
from virtual_devices.cloud.phone_messages import bound_proof, phone_request, proof_payload
from virtual_devices.cloud.service import DATA_CENTRE_ID
from virtual_devices.cose import MalformedCose
from virtual_devices.flow import Exchange, Flow, Session, run
from virtual_devices.link import Attempt, Link, Outcome
from virtual_devices.pki import DAY_NS, Identity, Refused, Role, sign
from virtual_devices.wallet.attestation import Claim, Policy, Purpose
from virtual_devices.write_back import holder_of

DESK, PHONE = "cloud", "issuer"
"""The faces: what institutions' desks meet, what phones meet."""
TIMEOUT_S = 10.0
Body = Mapping[str, Any]


class Officer(Protocol):
    """Who stands at the data centre's counter. What is not told answers with the field's code (``references.data_centre``)."""

    def ticket(self, card_no: str) -> str: ...
    def telephone(self, card_no: str) -> str: ...
    def token(self, card_no: str) -> str: ...
    def states(self, card_no: str) -> dict[str, str]: ...
    def insure(self, card_no: str, **change: Any) -> None: ...
    def take_physical(self, card_no: str) -> str: ...
    def suspend(self, card: str) -> str: ...
    def resume(self, card: str) -> str: ...
    def recall(self, card: str) -> str: ...
    def report_lost(self, card_no: str, what: str) -> str: ...
    def grant(
        self, ward: str, guardian: str, relation: Relation, scope: frozenset[Scope], days: float, ground: Ground = Ground.WARD,
    ) -> tuple[str, bytes]: ...
    def withdraw(self, authorization: bytes) -> str: ...
    def late(self, institution: str) -> list[str]: ...
    def unaccounted(self, institution: str) -> list[bytes]: ...
    def unsigned(self, institution: str) -> list[bytes]: ...
    def unanswered(self, institution: str) -> list[bytes]: ...
    def accesses(self, card_no: str) -> list[tuple[bytes, str, str]]: ...
    def night(self) -> list[bytes]: ...
    def head(self) -> bytes: ...
    def log(self, size: int) -> list[bytes]: ...
    def about(self, card_no: str) -> list[tuple[int, bytes, str, str, bytes, int, tuple[bytes, ...]]]: ...
    def consistency(self, old: int, size: int) -> list[bytes]: ...


class DataCentreUnderTest(Protocol):
    """A data centre, and the ways to it: its registers have the people and institutions of :mod:`conformance.town`."""

    @property
    def clock(self) -> Clock: ...

    @property
    def officer(self) -> Officer: ...

    def meet(self) -> Mapping[str, Link]:
        """Links to its two faces."""
        ...

    def now_ns(self) -> int: ...

    def later(self, seconds: float) -> None:
        """Let time pass there."""
        ...


class DataCentreTester(Tester):
    """Two institutions' desks and any number of phones. ``clinic``, ``pharmacy``: who they are, and their keys."""

    role = DESK

    def __init__(self, centre: DataCentreUnderTest, world: World, name: str) -> None:
        super().__init__()
        self.centre = centre
        self.world = world
        self.name = name
        self.officer = centre.officer
        self.clinic, self.pharmacy = clinic(world), pharmacy(world)
        self._certified_ns = centre.now_ns()
        self.fresh = world.fresh("tester", name)
        self._links = centre.meet()
        self._phones = 0

    @property
    def now_ns(self) -> int:
        return self.centre.now_ns()

    @property
    def margin_ns(self) -> int:
        """How far off a moment may be: nothing where its clock stands still while it is asked, else half a minute."""
        return 0 if isinstance(self.centre.clock, VirtualClock) else 30 * NS

    def edge_ns(self, offset_ns: int, *, inside: bool) -> int:
        """An offset at a bound, moved by the margin to the side on which it is to be."""
        away = 1 if offset_ns > 0 else -1
        return offset_ns + (-away if inside else away) * self.margin_ns

    def moment(self, what: str, received: object, expected_ns: int) -> None:
        """That this is the moment is a check."""
        near = isinstance(received, int) and abs(received - expected_ns) <= self.margin_ns
        self.expect(what, near, expected_ns, received)

    def later(self, seconds: float = 0, days: float = 0) -> None:
        """Let time pass. Security modules and professionals have new certificates every two days, for the same keys."""
        self.centre.later(seconds + days * 86_400)
        if self.now_ns - self._certified_ns > 2 * DAY_NS:
            self._certified_ns = self.now_ns
            self.clinic, self.pharmacy = (renewed(place, self.world, self.now_ns) for place in (self.clinic, self.pharmacy))

    # -- messages

    def send(self, message: bytes, face: str = DESK, step: str = "message") -> bytes:
        """Any bytes, and the answer as it came. That there is one in time is a check."""
        def exchange() -> Flow[Attempt]:
            attempt: Attempt = yield Exchange(DESK, message, TIMEOUT_S, step)
            return attempt

        session = Session({DESK: self._links[face]}, self.centre.clock, record=self.rows.append, name=self.name, flow="conform")
        attempt: Attempt = run(exchange(), session)
        self.need("the data centre is there", attempt.outcome is not Outcome.GONE, attempt.outcome.value)
        self.expect(f"the data centre answers {step}", attempt.reply is not None, "an answer", attempt.outcome.value)
        return attempt.reply or b""

    def read(self, raw: bytes, request: bytes) -> Mapping[int, Any]:
        """An answer as the profile has it, signed by the data centre, to this request (empty: to none that it could read)."""
        try:
            message = cose.decode(raw)
        except MalformedCose as e:
            self.expect("the answer is a COSE_Sign1", False, "tag 18", e.what)
            raise AssertionError("unreachable") from None
        who = self.world.root.check(message.chain, {Role.DATA_CENTRE}, self.now_ns)
        if isinstance(who, Refused):
            self.expect("the answer is by the data centre", False, "its chain", who.text)
            raise AssertionError("unreachable")
        self.expect("the answer's signature holds", message.verify(who.key))
        payload = message.payload_map() or {}
        self.equal("the answer's version and request", (payload.get(1), payload.get(3)), (1, request))
        self.expect("the answer has a code and a map", isinstance(payload.get(8), str) and isinstance(payload.get(9), Mapping),
                    "8: text, 9: map", payload)
        return payload

    # -- desks

    def message(
        self, operation: Any, arguments: Any, *, by: Place | None = None, request: Any = None, signer: Identity | None = None,
        change: Mapping[int, Any] | None = None, protected: bytes = cose.PROTECTED_ES256,
    ) -> bytes:
        """A request of a desk. ``change``: of its payload, None takes a key out; ``signer``: in place of the SAM's own."""
        place = by or self.clinic
        number = self.fresh(16) if request is None else request
        body = {1: 1, 2: operation, 3: number, 4: place.institution, 5: place.sam_id, 6: self.now_ns, 7: arguments}
        body = {key: value for key, value in {**body, **(change or {})}.items() if value is not None}
        return self.signed(cbor2.dumps(body, canonical=True), signer or Identity(place.sam.key, place.sam.chain), protected)

    def signed(self, payload: bytes, signer: Identity, protected: bytes = cose.PROTECTED_ES256) -> bytes:
        value = sign(signer.key, cose.sig_structure(protected, payload))
        return cose.Sign1(protected, {cose.X5CHAIN: list(signer.chain)}, payload, value).to_bytes()

    def ask(
        self, operation: str, arguments: Mapping[str, Any] | None = None, *, by: Place | None = None, request: bytes = b"",
    ) -> tuple[str, Body]:
        """A right request of a desk: code and result."""
        number = request or self.fresh(16)
        raw = self.send(self.message(operation, dict(arguments or {}), by=by, request=number), step=operation)
        answer = self.read(raw, number)
        return answer[8], answer[9]

    def done(
        self, operation: str, arguments: Mapping[str, Any] | None = None, *, by: Place | None = None, request: bytes = b"",
    ) -> Body:
        """The same; that it is done is a check."""
        code, body = self.ask(operation, arguments, by=by, request=request)
        self.equal(f"{operation} is done", code, "0")
        return body

    def refused(self, raw: bytes, code: str, request: bytes = b"", face: str = DESK) -> None:
        """This message is refused with this code, and nothing is told."""
        answer = self.read(self.send(raw, face), request)
        self.equal("code", answer[8], code)
        self.equal("result", dict(answer[9]), {})

    def card_session(self, card_no: str, *, proof_by: Identity | None = None) -> bytes:
        """A physical card proves itself at the clinic's desk: the statement of the session. That it is taken is a check."""
        challenge = self.done("card-challenge", {"card_no": card_no})["challenge"]
        card = self.world.authority.issue(Role.PATIENT_CARD, card_no)
        proof = sign((proof_by or card).key, proof_message(Party.CARD, challenge, padded_id(DATA_CENTRE_ID)))
        arguments = {"card_no": card_no, "proof": proof, "chain": card.chain_bytes()}
        return bytes(self.done("card-session", arguments)["statement"])

    # -- phones

    def phone(self) -> SoftPhone:
        """Another phone, by a maker whose attestations are believed."""
        self._phones += 1
        return SoftPhone(self, f"{self.name} {self._phones}")


@dataclass
class SoftPhone:
    """A phone as far as the data centre sees it: its own key, and device keys that its maker attests."""

    tester: DataCentreTester
    name: str

    def __post_init__(self) -> None:
        world = self.tester.world
        self.key, self.device = world.private("phone", self.name), world.private("device", self.name)
        self.code_key = world.private("codes", self.name)
        self.batch = maker(world).batch(1)

    @property
    def id(self) -> bytes:
        return holder_of(self.key.public_key())

    def message(self, operation: Any, arguments: Any, number: bytes) -> bytes:
        return phone_request(
            operation, number, self.key.public_key(), lambda m: sign(self.key, m), arguments, self.tester.now_ns,
        )

    def ask(self, operation: str, arguments: Mapping[str, Any] | None = None, *, request: bytes = b"") -> tuple[str, Body]:
        """A right request: code and result."""
        number = request or self.tester.fresh(16)
        raw = self.tester.send(self.message(operation, dict(arguments or {}), number), PHONE, operation)
        answer = self.tester.read(raw, number)
        return answer[8], answer[9]

    def done(self, operation: str, arguments: Mapping[str, Any] | None = None, *, request: bytes = b"") -> Body:
        code, body = self.ask(operation, arguments, request=request)
        self.tester.equal(f"{operation} is done", code, "0")
        return body

    # -- what it proves

    def challenge(self) -> bytes:
        found = self.done("challenge")["challenge"]
        self.tester.expect("a challenge of 16 bytes", isinstance(found, bytes) and len(found) == 16, "16 bytes", found)
        return bytes(found)

    def attestation(self, challenge: bytes, *, key: Any = None, by: Identity | None = None, **change: Any) -> bytes:
        """Of its device key. ``change``: of what is claimed."""
        claim = {"purpose": Purpose.SIGN, "hardware": True, "policy": Policy.HOLDER, "phone": self.id, **change}
        made = Claim((key or self.device).public_key(), challenge=challenge, **claim)
        signer = by or self.batch
        return cose.sign1(signer.key, made.to_bytes(), {cose.X5CHAIN: list(signer.chain)})

    def certificate(self, operation: str, card_no: str, id_no: str, challenge: bytes, by: Identity | None = None) -> Body:
        """Given: a citizen certificate, for this operation."""
        citizen = by or self.tester.world.authority.issue(Role.CITIZEN, id_no)
        payload = proof_payload(operation, card_no, challenge)
        return {"id_no": id_no, "certificate": cose.sign1(citizen.key, payload, {cose.X5CHAIN: list(citizen.chain)})}

    def own_proof(self, operation: str, card_no: str, id_no: str, challenge: bytes) -> Body:
        """Given: the device key of the card on this phone."""
        proof = bound_proof(operation, card_no, challenge, lambda m: sign(self.device, m))
        return {"id_no": id_no, "bound_proof": proof}

    def applies(self, card_no: str, given: Mapping[str, Any]) -> tuple[str, Body]:
        """For a card, by what is given."""
        return self.ask("apply", {"card_no": card_no, "given": given, "attestation": self.attestation(self.challenge())})

    def applied(self, card_no: str, id_no: str, *, request: bytes = b"") -> str:
        """A card applied for by a counter's ticket; its name."""
        given = {"id_no": id_no, "ticket": self.tester.officer.ticket(card_no)}
        arguments = {"card_no": card_no, "given": given, "attestation": self.attestation(self.challenge())}
        return str(self.done("apply", arguments, request=request)["card"])

    def enrolled(self, card_no: str, id_no: str) -> tuple[str, Body]:
        """The same, activated: its name, and what the phone is given. With a key for codes."""
        card = self.applied(card_no, id_no)
        attested = self.attestation(self.challenge(), key=self.code_key)
        return card, self.done("activate", {"card": card, "qr_attestation": attested})


SUITE = Suite(
    Kind.DATA_CENTRE, ("network",), ReferenceDataCentre, DataCentreTester,
    (
        *(f"virtual_devices.cloud.{name}" for name in (
            "service", "phone_service", "phone_proofs", "core", "desk_operations", "home_visits", "emergency", "identification",
            "late", "token_operations:TokenOperations._scan", "prescription_service",
        )),
        "virtual_devices.wallet.attestation", "virtual_devices.cose:_need_algorithm",
        "virtual_devices.cose:_tagged", "virtual_devices.cose:decode",
    ),
)

__all__ = ["DESK", "PHONE", "SUITE", "DataCentreTester", "DataCentreUnderTest", "SoftPhone"]
