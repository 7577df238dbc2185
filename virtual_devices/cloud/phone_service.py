"""The data centre's side towards phones: signed requests in, signed answers out, round the domain of cards (``cards.py``).

A request is a COSE_Sign1 by the phone's own key, which stands in it. The payload is a CBOR map:

    1 version, 2 operation, 3 request id (16 bytes), 4 phone's key (COSE_Key), 6 asker's time (ns), 7 map of arguments

The answer is a COSE_Sign1 by the data centre: 1 version, 3 request id, 8 code, 9 map, 10 space of the code. A phone is known by
the SHA-256 of its key; what it may ask is the domain's to say. A card is bound to a device key that the phone's maker attests
(``wallet.attestation``) for the challenge that the data centre gave to this phone. The form is the bench's profile.

    challenge       -> {challenge}                       apply, rebind: which device key, under which proof -> {card}
    send-code       a code to the telephone on file      activate       -> credential, QR code's inner part
    report-lost, suspend, resume, recall, wiped          sync           -> cards to erase, records that came late
    hold            a ward's card, under an authorization -> credential, QR, authorization
    receipts        what became of records that came late
    prescriptions   restored after a new binding         accesses       -> who touched what is theirs (``phone_accesses.py``)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import authorization, cose
from virtual_devices.clock import NS
from virtual_devices.cloud import phone_accesses
from virtual_devices.cloud.audit import Who
from virtual_devices.cloud.card_keys import DONE, DeviceKeys, DoneByPhone
from virtual_devices.cloud.card_ledger import Card, Phone
from virtual_devices.cloud.challenges import Challenges
from virtual_devices.cloud.guardians import Grant
from virtual_devices.cloud.identification import Given
from virtual_devices.cloud.journal import ANOTHER_REQUEST, Answer, Asker, Request
from virtual_devices.cloud.late import FOR_NOW, LateRecords
from virtual_devices.cloud.office import Office
from virtual_devices.cloud.packing import fingerprint
from virtual_devices.cloud.phone_messages import VERSION
from virtual_devices.cloud.phone_proofs import BadArguments, Call, Proofs, Unattested, over_challenge
from virtual_devices.codes import Space
from virtual_devices.cose import MalformedCose, Sign1
from virtual_devices.lifecycle import OK, FieldCode, Party
from virtual_devices.link import Work
from virtual_devices.mdoc.cose_key import from_cose
from virtual_devices.mdoc.mso import StatusReference
from virtual_devices.mdoc.tagged import MalformedMdoc, dumps
from virtual_devices.qr import card as qr_card
from virtual_devices.write_back import holder_of

CLOCK_SKEW_S = 900
HEADER_REJECTED, SYNTAX_REJECTED, SIGNATURE_REJECTED = FieldCode("9001"), FieldCode("9002"), FieldCode("9020")
NOT_ATTESTED = FieldCode("1024", Space.VHC)


Reply = tuple[FieldCode, dict[str, Any]]


class PhoneService:
    """The data centre as phones meet it: a device behind the port, role "issuer"."""

    atr = b""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.work = Work()
        self._challenges: Challenges[bytes] = Challenges(office.fresh)
        books = office.cards.ledger.books
        self._keys = DeviceKeys(books)
        self._done = books.shelf(DONE)
        self.proofs = Proofs(office, self._keys, self.work)
        self._operations: dict[str, Callable[[Call], Reply]] = {
            "challenge": self._challenge, "send-code": self._send_code, "apply": self._apply, "activate": self._activate,
            "rebind": self._rebind, "report-lost": self._report_lost, "suspend": self._suspend, "resume": self._resume,
            "recall": self._recall, "wiped": self._wiped, "sync": self._sync, "hold": self._hold, "receipts": self._receipts,
            "prescriptions": self._prescriptions,
            "accesses": lambda call: phone_accesses.told(self.office, self._mine(call), call),
        }

    def power_on(self) -> bytes:
        return b""

    def power_off(self) -> None:
        return

    def handle(self, request: bytes, now_ns: int) -> bytes:
        try:
            message = cose.decode(request)
        except MalformedCose:
            return self._answer(b"", HEADER_REJECTED, {})
        payload = message.payload_map()
        request_id = None if payload is None else payload.get(3)
        if payload is None or payload.get(1) != VERSION or not isinstance(request_id, bytes) or len(request_id) != 16:
            return self._answer(b"", SYNTAX_REJECTED, {})
        code, body = self._handle(message, payload, request_id, now_ns)
        return self._answer(request_id, code, body)

    def _handle(self, message: Sign1, payload: Mapping[Any, Any], request_id: bytes, now_ns: int) -> Reply:
        try:
            key = from_cose(payload.get(4), "the phone's key")
        except MalformedMdoc:
            return SYNTAX_REJECTED, {}
        self.work.verifications += 1
        if not message.verify(key):
            return SIGNATURE_REJECTED, {}
        name, asked_ns, arguments = payload.get(2), payload.get(6), payload.get(7)
        operation = self._operations.get(name) if isinstance(name, str) else None
        if operation is None or not isinstance(arguments, Mapping) or not isinstance(asked_ns, int):
            return SYNTAX_REJECTED, {}
        if abs(now_ns - asked_ns) > CLOCK_SKEW_S * NS:
            return HEADER_REJECTED, {}
        try:
            phone = holder_of(key)
            challenge = self._challenges.use(phone, now_ns) if over_challenge(arguments) else None
            call = Call(request_id, str(name), phone, arguments, now_ns, challenge)
            code, body = operation(call)
            self._write_down(call, code)
            return code, body
        except BadArguments:
            return SYNTAX_REJECTED, {}
        except Unattested:
            return NOT_ATTESTED, {"text": "nobody vouches for the key, for a challenge given to this phone"}

    def _write_down(self, call: Call, code: FieldCode) -> None:
        """Who did or tried what, to whose card. Of people whom nobody knows nothing is written: strangers fill no log."""
        named, card, under = call.arguments.get("card_no"), call.arguments.get("card"), b""
        if isinstance(card, str):
            found = self.office.cards.ledger.cards.get(card)
            named = None if found is None else found.card_no
            under = b"" if found is None or found.held is None else found.held.authorization
        if self.office.audit is not None and named in self.office.cards.ledger.identification.people:
            self.office.audit.person(call.now_ns, code.number, Who.PHONE, call.phone.hex(), call.operation, str(named), under)

    def _answer(self, request_id: bytes, code: FieldCode, body: dict[str, Any]) -> bytes:
        self.work.signatures += 1
        payload = dumps({1: VERSION, 3: request_id, 8: code.number, 9: body, 10: code.space.value})
        identity = self.office.issuer.data_centre
        return cose.sign1(identity.key, payload, {cose.X5CHAIN: list(identity.chain)})

    # -- whose cards
    def _on(self, call: Call) -> list[Card]:
        return self.office.cards.ledger.on_phone(Phone(call.device, b""))

    def _mine(self, call: Call) -> Card:
        """The card that is named, when it is on this phone."""
        name = call.take("card", str)
        card = next((c for c in self._on(call) if c.name == name), None)
        if card is None:
            raise BadArguments("card")
        return card

    def _asker(self, card: Card) -> Asker:
        return Asker(Party.HOLDER, card.card_no) if card.held is None else Asker(Party.GUARDIAN, card.held.guardian)

    # -- operations

    def _challenge(self, call: Call) -> Reply:
        """The phone's challenge, the same until a proof has used it up or its time is over."""
        return OK, {"challenge": self._challenges.give(call.phone, call.now_ns)}

    def _send_code(self, call: Call) -> Reply:
        card_no = call.take("card_no", str)
        given, _ = self.proofs.given(call, card_no)
        code, digits = self.office.cards.ledger.identification.send_code(card_no, given, call.now_ns)
        if digits:
            self.office.telephone[card_no] = digits
        return code, {}

    def _apply(self, call: Call) -> Reply:
        answer = self._bind(call, self.office.cards.apply)
        return (OK, {"card": answer.cards[0]}) if answer.ok else (answer.code, {"text": answer.text})

    def _rebind(self, call: Call) -> Reply:
        both = call.arguments.get("both") is True
        answer = self._bind(call, self.office.cards.reissue_both if both else self.office.cards.rebind)
        if not answer.ok:
            return answer.code, {"text": answer.text}
        return self._credential(call, self.office.cards.ledger.cards[answer.cards[0]], self.proofs.code_key(call))

    def _bind(self, call: Call, act: Callable[[Request, str, Given, Phone], Answer]) -> Answer:
        """A card for an attested key."""
        card_no = call.take("card_no", str)
        (phone, key), code_key = self.proofs.attested(call), self.proofs.code_key(call)
        content = phone.key, call.arguments.get("both") is True, _id(code_key)
        answer = self._once(call, card_no, card_no, content, lambda request, given: act(request, card_no, given, phone))
        if answer.ok:
            self._keys.setdefault(answer.cards[0], key)
        return answer

    def _once(
        self, call: Call, card_no: str, about: str, content: object, act: Callable[[Request, Given], Answer],
    ) -> Answer:
        """An act on a person's cards, by who they prove to be, once. Done before by this very request of this very phone, its
        answer is found again, whatever proof comes along now: the one of then is used up, and another may have become at hand."""
        asked = fingerprint((call.operation, about, content))
        done = self._done.get(call.phone, call.id)
        if done is not None:
            return done.answer if done.content == asked else Answer(ANOTHER_REQUEST, "this id belongs to another request")
        given, asker = self.proofs.given(call, card_no)
        answer = act(Request(call.id, asker, call.now_ns), given)
        if answer.ok:
            self._done.put(DoneByPhone(call.phone, call.id, asked, answer))
        return answer

    def _authorizations(self, call: Call, own: Card) -> list[list[Any]]:
        """What the holder of this card is a guardian under: the ward's card number, the authorization's id."""
        in_force = own.phone is not None and self.office.cards.ledger.standing(own.name, call.now_ns) == OK
        grants = self.office.guardians.trusted(own.phone.key, call.now_ns) if own.phone is not None and in_force else []
        return [[grant.ward, grant.cti] for grant in grants]

    def _activate(self, call: Call) -> Reply:
        card = self._mine(call)
        code_key = self.proofs.code_key(call)
        key = b"" if card.phone is None else card.phone.key

        def act(request: Request, given: Given) -> Answer:
            proof = given if "given" in call.arguments else None
            return self.office.cards.activate(request, card.name, key, proof, _id(code_key))

        answer = self._once(call, card.card_no, card.name, _id(code_key), act)
        return self._credential(call, card, code_key) if answer.ok else (answer.code, {"text": answer.text})

    def _credential(self, call: Call, card: Card, code_key: ec.EllipticCurvePublicKey | None = None) -> Reply:
        """What the phone keeps: the credential, and the QR code's inner part for an attested key for codes. Signed for a card
        that is in force now only: an act that was done once is answered again, and its card may have ended since."""
        code = self.office.cards.ledger.standing(card.name, call.now_ns)
        if code != OK:
            return code, {"text": "the card is not in force"}
        holder, key = self.office.holders[card.card_no], self._keys[card.name]
        under = b"" if card.held is None else card.held.authorization
        former = self.office.cards.ledger.former(card)
        issued = self.office.issuer.credential(holder, key, card.place, call.now_ns, card.expires_ns, under, former)
        body: dict[str, Any] = {"card": card.name, "issued": issued.item(), "qr": None}
        if code_key is not None:
            guardian = None if card.held is None else _guardian(self.office.guardians.grants[card.held.authorization])
            body["qr"] = self.office.issuer.qr(holder, key, code_key, card.place, call.now_ns, card.expires_ns, guardian)
        return OK, body

    def _simple(self, call: Call, act: Callable[[Request, str, Given], Answer]) -> Reply:
        card = self._mine(call)
        answer = self._once(call, card.card_no, card.name, None, lambda request, given: act(request, card.name, given))
        return answer.code, {"text": answer.text, "cards": list(answer.cards)}

    def _report_lost(self, call: Call) -> Reply:
        """From any phone, by who the asker proves to be: the lost one is not at hand."""
        card_no = call.take("card_no", str)
        report = self.office.cards.report_lost
        answer = self._once(call, card_no, card_no, None, lambda request, given: report(request, card_no, given))
        return answer.code, {"text": answer.text, "cards": list(answer.cards)}

    def _suspend(self, call: Call) -> Reply:
        return self._simple(call, self.office.cards.suspend)

    def _resume(self, call: Call) -> Reply:
        return self._simple(call, self.office.cards.resume)

    def _recall(self, call: Call) -> Reply:
        return self._simple(call, self.office.cards.recall)

    def _wiped(self, call: Call) -> Reply:
        card = self._mine(call)
        request = Request(call.id, Asker(Party.DEVICE, call.device.hex()), call.now_ns)
        return self.office.cards.wiped(request, card.name).code, {}

    def _sync(self, call: Call) -> Reply:
        """What the phone has to do, and what has come for its cards."""
        office = self.office
        cards = self._on(call)
        for card in cards:
            office.cards.ledger.settle(card.card_no, call.now_ns)
            self._forget_late(card.card_no)
        own = next((c for c in reversed(cards) if c.held is None), None)
        standing = {c.name: office.cards.ledger.standing(c.name, call.now_ns).number for c in cards}
        return OK, {
            "erase": list(office.cards.ledger.wipe_orders(call.device)), "standing": standing,
            "authorizations": [] if own is None else self._authorizations(call, own),
            "late": {card.name: late for card in cards if standing[card.name] == OK.number and (late := self._late(card))},
        }

    def _late(self, card: Card) -> list[list[Any]]:
        return [[*_for_phone(entry), entry.received_ns] for entry in self._waiting(card)]

    def _waiting(self, card: Card) -> list[LateRecords]:
        """What has come for this person and this very card, or one whose place it took."""
        mine = self._names(card)
        return [entry for entry in self.office.late.get(card.card_no, []) if entry.holder in mine]

    def _names(self, card: Card) -> frozenset[bytes]:
        return frozenset({card.holder, *self.office.cards.ledger.former(card)})

    def _forget_late(self, card_no: str) -> None:
        """What came for a card that has ended reaches nobody any more, and would take up the room of others."""
        if card_no in self.office.late:
            living = {name for card in self.office.cards.ledger.open_cards(card_no) for name in self._names(card)}
            self.office.late[card_no] = [entry for entry in self.office.late[card_no] if entry.holder in living]

    def _receipts(self, call: Call) -> Reply:
        card = self._mine(call)
        done = {}
        for entry in call.take("receipts", list):
            if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], bytes) and isinstance(entry[1], int)):
                raise BadArguments("receipts")
            done[entry[0]] = entry[1]
        standing = self.office.cards.ledger.standing(card.name, call.now_ns)
        if standing != OK:
            return standing, {}
        waiting = self._waiting(card)
        self.office.receipts += [(card.card_no, e.id, done[e.id]) for e in waiting if e.id in done]
        settled = {e.id for e in waiting if e.id in done and done[e.id] not in FOR_NOW}
        left = [e for e in self.office.late.get(card.card_no, []) if e.id not in settled]
        if settled:
            self.office.late[card.card_no] = left
        return OK, {"left": len(self._waiting(card))}

    def _hold(self, call: Call) -> Reply:
        """A ward's card on a guardian's phone: bound to the key of the guardian's own card, which the authorization names; its
        code to an attested key for codes, like that of the guardian's own."""
        cti = call.take("authorization", bytes)
        own, code_key = self._mine(call), self.proofs.code_key(call)
        if own.phone is None or own.held is not None:
            raise BadArguments("card")
        request = Request(call.id, Asker(Party.GUARDIAN, own.card_no), call.now_ns)
        answer = self.office.guardians.hold(request, cti, own.phone)
        if not answer.ok:
            return answer.code, {"text": answer.text}
        card = self.office.cards.ledger.cards[answer.cards[0]]
        self._keys[card.name] = self._keys[own.name]
        code, body = self._credential(call, card, code_key)
        if code != OK:
            return code, body
        return OK, {**body, "authorization": self._authorization(self.office.guardians.grants[cti], self._keys[own.name])}

    def _authorization(self, g: Grant, key: ec.EllipticCurvePublicKey) -> bytes:
        made = authorization.Authorization(
            g.cti, g.ward, g.guardian, g.guardian_name, key, g.relation, g.scope, g.purpose, g.granted_ns - g.granted_ns % NS,
            g.begins_ns, g.ends_ns, StatusReference(g.place.uri, g.place.index),
        )
        self.work.signatures += 1
        return authorization.issue(made, self.office.issuer.data_centre)

    def _prescriptions(self, call: Call) -> Reply:
        card = self._mine(call)
        key = b"" if card.phone is None else card.phone.key
        restored = self.office.restoring.restore(Request(call.id, self._asker(card), call.now_ns), card.name, key)
        return restored.code, {"prescriptions": [_for_phone(entry) for entry in restored.records]}


def _for_phone(entry: LateRecords) -> list[Any]:
    return [entry.id, list(entry.records), [list(chain) for chain in entry.chains]]


def _guardian(grant: Grant) -> qr_card.Guardian:
    return qr_card.Guardian(grant.cti, grant.guardian, grant.guardian_name, grant.scope, grant.purpose)


def _id(key: ec.EllipticCurvePublicKey | None) -> bytes:
    return b"" if key is None else holder_of(key)
