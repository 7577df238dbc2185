"""What the wallet does online, as flows with the role "issuer": apply, activate, change phones, lose, erase, restore, catch up.

    app = App(phone, clock, root)
    card = yield from apply(app, card_no, given)         given: {"id_no": ..., "birth_date": ..., "household_no": ..., ...}
    yield from activate(app, card, given)                the credential is in the phone
    yield from sync(app)                                 cards to erase, records that came late

An answer is believed when the data centre signed it. A line that fails ends the flow (4061); run again with the same ``App`` it
asks with the same id, and nothing is done twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from virtual_devices import cose
from virtual_devices.authorization import Purpose, Scope
from virtual_devices.authorization_check import Checker, Use
from virtual_devices.clock import Clock
from virtual_devices.cloud.phone_messages import VERSION, phone_request
from virtual_devices.codes import Space
from virtual_devices.cose import MalformedCose
from virtual_devices.flow import Exchange, Flow
from virtual_devices.link import Attempt, Outcome
from virtual_devices.mdoc.cose_key import to_cose
from virtual_devices.mdoc.mso import read_issuer_signed
from virtual_devices.mdoc.tagged import MalformedMdoc
from virtual_devices.pki import Refused, Role
from virtual_devices.reader.transmit import Ended
from virtual_devices.status_list import Status, StatusVerdict
from virtual_devices.vhc import BASIC
from virtual_devices.wallet.held import OWN, Held
from virtual_devices.wallet.keystore import Policy
from virtual_devices.wallet.keystore import Purpose as KeyPurpose
from virtual_devices.wallet.phone import Phone
from virtual_devices.write_back import WriteOutcome

ROLE = "issuer"
TIMEOUT_S = 15.0
NETWORK_DOWN, NOT_BELIEVED = "4061", "9015"
PHONE_KEY = "phone"
Given = Mapping[str, Any]


class Refusal(Ended):
    """The data centre refuses. ``code`` and ``space``: the field's; ``text``: why, in words."""

    def __init__(self, operation: str, code: str, space: str, text: str) -> None:
        super().__init__(f"{operation}: the data centre refuses ({text or 'no reason given'})", code, ROLE)
        self.space = space
        self.text = text


@dataclass
class App:
    """The app on one phone. ``open_ids``: ids of requests whose answers have not come."""

    phone: Phone
    clock: Clock
    open_ids: dict[str, bytes] = field(default_factory=dict)
    cards: dict[str, str] = field(default_factory=dict)
    """Name at the data centre -> name on this phone (``own``, or the ward's authorization in hex)."""
    applied: dict[str, str] = field(default_factory=dict)
    """Name at the data centre -> device key, of cards whose credential has not come yet."""
    _binding: str = ""  # the device key of an application whose answer has not come

    def __post_init__(self) -> None:
        if PHONE_KEY not in self.phone.keystore.names():
            self.phone.keystore.make(PHONE_KEY, KeyPurpose.SIGN, Policy.FREE)

    def key_to_bind(self) -> str:
        """A new device key, the same one until it is known what became of the application for it."""
        self._binding = self._binding or self.phone.new_key()
        return self._binding

    def bound(self) -> None:
        self._binding = ""


def call(app: App, operation: str, arguments: Mapping[str, Any], step: str = "") -> Flow[Mapping[str, Any]]:
    """One operation. Raises Ended 4061 without an answer, 9015 for one that the data centre did not sign, Refusal."""
    phone = app.phone
    request_id = app.open_ids.setdefault(operation, phone.keystore.random(16))
    message = phone_request(
        operation, request_id, phone.keystore.public_key(PHONE_KEY), lambda m: phone.keystore.sign(PHONE_KEY, m), arguments,
        app.clock.now_ns() + phone.clock_error_ns,
    )
    attempt: Attempt = yield Exchange(ROLE, message, TIMEOUT_S, step or operation.replace("-", " "))
    if attempt.outcome is not Outcome.REPLIED or attempt.reply is None:
        raise Ended("the data centre does not answer", NETWORK_DOWN, ROLE, outcome=attempt.outcome)
    payload = _believed(app, attempt.reply, request_id)
    del app.open_ids[operation]
    body = payload[9] if isinstance(payload.get(9), Mapping) else {}
    if payload[8] != "0":
        raise Refusal(operation, payload[8], str(payload.get(10, Space.CSHIS.value)), str(body.get("text", "")))
    return body


def _believed(app: App, reply: bytes, request_id: bytes) -> Mapping[Any, Any]:
    try:
        message = cose.decode(reply)
    except MalformedCose:
        raise Ended("an answer that is none", NOT_BELIEVED, ROLE) from None
    now_ns = app.clock.now_ns() + app.phone.clock_error_ns
    app.phone.work.chains += 1
    centre = app.phone.root.check(message.chain, {Role.DATA_CENTRE}, now_ns)
    app.phone.work.verifications += 1
    payload = message.payload_map()
    if isinstance(centre, Refused) or not message.verify(centre.key) or payload is None:
        raise Ended("an answer that the data centre did not sign", NOT_BELIEVED, ROLE)
    if payload.get(1) != VERSION or payload.get(3) != request_id or not isinstance(payload.get(8), str):
        raise Ended("an answer to something else", NOT_BELIEVED, ROLE)
    return payload


# -- having a card

def apply(app: App, card_no: str, given: Given) -> Flow[str]:
    """A first virtual card for this phone: a key made in its hardware, attested, and the card's name at the data centre."""
    key = app.key_to_bind()
    body = yield from _attested(app, "apply", key, {"card_no": card_no, "given": dict(given)})
    app.bound()
    card = str(body["card"])
    app.applied[card] = key
    return card


def rebind(app: App, card_no: str, given: Given, *, both: bool = False) -> Flow[str]:
    """This phone in place of the former one: the new card is in the phone when this is done, and the old one is revoked.
    ``both``: the physical card was lost too, and is made anew by the same application."""
    key = app.key_to_bind()
    asked = {"card_no": card_no, "given": dict(given), "both": both, **_code_key(app, key)}
    body = yield from _attested(app, "rebind", key, asked)
    app.bound()
    _install(app, body, OWN, key)
    return str(body["card"])


def _attested(app: App, operation: str, key: str, arguments: Mapping[str, Any]) -> Flow[Mapping[str, Any]]:
    challenge = yield from call(app, "challenge", {})
    if not isinstance(challenge.get("challenge"), bytes):
        raise Ended("no challenge", NOT_BELIEVED, ROLE)
    attestation = app.phone.keystore.attest(key, challenge["challenge"])
    return (yield from call(app, operation, {**arguments, "attestation": attestation}))


def activate(app: App, card: str, given: Given | None = None) -> Flow[Held]:
    """The credential into the phone; with ``given`` when the application's proof does not entitle to it."""
    key = app.applied[card]
    arguments = {"card": card, **_code_key(app, key)} | ({"given": dict(given)} if given is not None else {})
    body = yield from call(app, "activate", arguments)
    del app.applied[card]
    return _install(app, body, OWN, key)


def hold(app: App, own: str, authorization: bytes) -> Flow[Held]:
    """A ward's card, under an authorization (its id): bound to the key of the guardian's own card, which it names."""
    held = app.phone.cards.get(OWN)
    if held is None:
        raise Ended("the guardian has no card on this phone", "3241", ROLE)
    body = yield from call(app, "hold", {"card": own, "authorization": authorization})
    raw = body.get("authorization")
    return _install(app, body, authorization.hex(), held.key, raw if isinstance(raw, bytes) else b"")


def _code_key(app: App, key: str) -> dict[str, Any]:
    """The key for QR codes that belongs to a device key."""
    return {"qr_key": to_cose(app.phone.keystore.public_key(app.phone.codes.key_for(key)))}


def _install(app: App, body: Mapping[str, Any], name: str, key: str, authorization: bytes | None = None) -> Held:
    """Take in what came, when it is for this phone's key. Raises Ended otherwise."""
    try:
        held = Held(name, read_issuer_signed(body.get("issued")), key, authorization, body.get("qr"))
        device_key = held.mso.device_key
    except MalformedMdoc as e:
        raise Ended(f"the credential: {e.what}", NOT_BELIEVED, ROLE) from None
    if device_key.public_numbers() != app.phone.keystore.public_key(key).public_numbers():
        raise Ended("a credential for another key", NOT_BELIEVED, ROLE)
    if authorization is not None:
        _check(app, held, authorization)
    app.phone.install(held)
    app.cards[str(body.get("card"))] = name
    return held


def _check(app: App, held: Held, authorization: bytes) -> None:
    ward = str(held.issued.values().get(BASIC, {}).get("card_no", ""))
    checker = Checker(app.phone.root, lambda *_: StatusVerdict(Status.UNKNOWN, None, "the phone keeps no lists"))
    use = Use(ward, frozenset({Scope.BASIC}), Purpose.CARE, held.mso.device_key)
    verdict = checker.check(authorization, use, app.clock.now_ns() + app.phone.clock_error_ns)
    if not verdict.holds:
        raise Ended(f"the authorization: {verdict.reason.value}", verdict.code.number, ROLE)


# -- afterwards

def sync(app: App) -> Flow[Mapping[str, Any]]:
    """Erase what is to be erased, take in records that came late, and tell what became of both. The data centre's answer."""
    body = yield from call(app, "sync", {})
    own = next((card for card, name in app.cards.items() if name == OWN), "")
    done = [[entry[0], app.phone.take_late(entry, app.clock.now_ns()).value] for entry in body.get("late", [])]
    if done and own:
        yield from call(app, "receipts", {"card": own, "receipts": done})
    for card in body.get("erase", []):
        yield from erase(app, str(card))
    return body


def erase(app: App, card: str) -> Flow[None]:
    """A card off this phone, for good; the holder's own takes everything with it. The data centre is told afterwards."""
    name = app.cards.pop(card, "")
    if name == OWN:
        app.phone.wipe()
        app.cards.clear()
    elif name:
        app.phone.cards.remove(name)
    yield from call(app, "wiped", {"card": card})


def report_lost(app: App, card_no: str, given: Given) -> Flow[Mapping[str, Any]]:
    """From any phone that can reach the data centre."""
    return (yield from call(app, "report-lost", {"card_no": card_no, "given": dict(given)}))


def restore_prescriptions(app: App, card: str) -> Flow[list[bytes]]:
    """The holder's prescriptions again, as they were signed, after a new binding."""
    body = yield from call(app, "prescriptions", {"card": card})
    return [bytes(entry[1]) for entry in body.get("prescriptions", [])]


__all__ = [
    "App", "Refusal", "WriteOutcome", "activate", "apply", "call", "erase", "hold", "rebind", "report_lost",
    "restore_prescriptions", "sync",
]
