"""The app's line to the data centre: one signed request, one signed answer, believed or not; see ``wallet.app`` for the flows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from virtual_devices import cose
from virtual_devices.clock import Clock
from virtual_devices.cloud.phone_messages import VERSION, phone_request
from virtual_devices.codes import Space
from virtual_devices.cose import MalformedCose
from virtual_devices.flow import Exchange, Flow
from virtual_devices.link import Attempt, Outcome
from virtual_devices.pki import Refused, Role
from virtual_devices.reader.transmit import Ended
from virtual_devices.wallet.held import OWN
from virtual_devices.wallet.keystore import Policy
from virtual_devices.wallet.keystore import Purpose as KeyPurpose
from virtual_devices.wallet.phone import PHONE_KEY, Phone
from virtual_devices.wallet.unfinished import ID_BYTES, Changes, Unfinished

ROLE = "issuer"
TIMEOUT_S = 15.0
NETWORK_DOWN, NOT_BELIEVED, NO_CARD, WRONG_PERSON = "4061", "9015", "3241", "5020"
_ONCE = frozenset({"apply", "activate", "rebind", "report-lost", "suspend", "resume", "recall", "wiped", "hold"})
"""Operations that change something: asked again under the id of then, until an answer has been taken in."""


class Refusal(Ended):
    """The data centre refuses. ``code`` and ``space``: the field's; ``text``: why, in words."""

    def __init__(self, operation: str, code: str, space: str, text: str) -> None:
        super().__init__(f"{operation}: the data centre refuses ({text or 'no reason given'})", code, ROLE)
        self.space = space
        self.text = text


@dataclass
class App:
    """The app on one phone. What it has to remember is in the phone's vault."""

    phone: Phone
    clock: Clock
    unfinished: Unfinished = field(init=False)

    def __post_init__(self) -> None:
        self.unfinished = Unfinished(self.phone.vault, self.phone.keystore)

    @property
    def cards(self) -> dict[str, str]:
        """Name at the data centre -> name on this phone (``own``, or the ward's authorization in hex)."""
        if not self.phone.vault.ready:
            return {}
        cards = self.phone.cards
        return {held.card: name for name in cards.names() if (held := cards.get(name)) is not None}

    @property
    def applied(self) -> dict[str, str]:
        """Name at the data centre -> device key, of cards whose credential has not come yet."""
        return {card: key for card, (key, _) in self.unfinished.applied().items()} if self.phone.vault.ready else {}

    @property
    def key(self) -> str:
        """The name of the phone's own key, by which the data centre knows it; made when there is none. Free of consent."""
        if PHONE_KEY not in self.phone.keystore.names():
            self.phone.keystore.make(PHONE_KEY, KeyPurpose.SIGN, Policy.FREE)
        return PHONE_KEY

    def attest(self, key: str, challenge: bytes) -> bytes:
        """The maker's word that this key lives in the phone that asks, for a challenge of the data centre."""
        return self.phone.keystore.attest(key, challenge, self.key)

    def need_wallet(self, card_no: str = "") -> None:
        """Raises Ended where nothing can be taken in: no wallet, or, for an own card, another person's on this phone."""
        if not self.phone.vault.ready:
            raise Ended("there is no wallet on this phone, or it is not started", NO_CARD, ROLE)
        own = self.phone.cards.get(OWN) if card_no else None
        if own is not None and own.card_no != card_no:
            raise Ended("another person's card is on this phone", WRONG_PERSON, ROLE)

    def key_to_bind(self, what: str) -> str:
        """A new device key, the same one until it is known what became of the application for it."""
        key = self.unfinished.key_for(what)
        if not key:
            key = self.phone.new_key()
            self.unfinished.commit(self.unfinished.binding(what, key))
        return key


def call(app: App, operation: str, arguments: Mapping[str, Any], step: str = "") -> Flow[Mapping[str, Any]]:
    """One operation. Raises Ended 4061 without an answer, 9015 for one that the data centre did not sign, Refusal."""
    body, done = yield from ask(app, operation, arguments, step)
    app.unfinished.commit(done)
    return body


def ask(
    app: App, operation: str, arguments: Mapping[str, Any], step: str = "",
) -> Flow[tuple[Mapping[str, Any], Changes]]:
    """One operation, and what closes it in the vault: for the commit that takes in what came."""
    phone, what, key = app.phone, what_is_asked(operation, arguments), app.key
    once = operation in _ONCE
    request_id = app.unfinished.id_of(what) if once else phone.keystore.random(ID_BYTES)
    message = phone_request(
        operation, request_id, phone.keystore.public_key(key), lambda m: phone.keystore.sign(key, m), arguments,
        app.clock.now_ns() + phone.clock_error_ns,
    )
    attempt: Attempt = yield Exchange(ROLE, message, TIMEOUT_S, step or operation.replace("-", " "))
    if attempt.outcome is not Outcome.REPLIED or attempt.reply is None:
        raise Ended("the data centre does not answer", NETWORK_DOWN, ROLE, outcome=attempt.outcome)
    payload = _believed(app, attempt.reply, request_id)
    done = app.unfinished.answered(what) if once else {}
    body = payload[9] if isinstance(payload.get(9), Mapping) else {}
    if payload[8] != "0":
        app.unfinished.commit(done)
        raise Refusal(operation, payload[8], str(payload.get(10, Space.CSHIS.value)), str(body.get("text", "")))
    return body, done


def what_is_asked(operation: str, arguments: Mapping[str, Any]) -> str:
    """An operation and what it is about: of two cards at once, each has its own request."""
    about = next((arguments[name] for name in ("authorization", "card", "card_no") if name in arguments), "")
    return f"{operation}.{about.hex() if isinstance(about, bytes) else about}"


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


# -- what an answer holds: nothing of it is taken for granted

def not_believed(name: str) -> NoReturn:
    raise Ended(f"an answer whose {name!r} is not what it has to be", NOT_BELIEVED, ROLE)


def a_name(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) and value else not_believed(name)


def some_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else not_believed("bytes")


def entries(body: Mapping[str, Any], name: str, kind: type) -> list[Any]:
    """Empty when there is none of that name."""
    value = body.get(name, [])
    return value if isinstance(value, list) and all(isinstance(entry, kind) for entry in value) else not_believed(name)
