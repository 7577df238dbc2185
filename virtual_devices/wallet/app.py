"""What the wallet does online, as flows with the role "issuer": apply, activate, change phones, lose, erase, restore, catch up.

    app = App(phone, clock)
    card = yield from apply(app, card_no, given)         given: {"id_no": ..., "birth_date": ..., "household_no": ..., ...}
    yield from activate(app, card, given)                the credential is in the phone
    yield from sync(app)                                 cards to erase, records that came late

An answer is believed when the data centre signed it. A line that fails ends the flow (4061), a phone that is switched off cuts
it; run again, on the same phone with a new ``App`` too, it asks with the same id, and nothing is done twice. What comes is in
the vault before it is forgotten that it was asked for; what is erased is erased before the data centre is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from virtual_devices.authorization import MalformedAuthorization, Scope, read
from virtual_devices.authorization_check import Checker, Use
from virtual_devices.cloud import phone_accesses
from virtual_devices.cloud.audit import Entry
from virtual_devices.errors import PeerError
from virtual_devices.flow import Flow
from virtual_devices.mdoc.mso import read_issuer_signed
from virtual_devices.mdoc.tagged import MalformedMdoc
from virtual_devices.reader.transmit import Ended
from virtual_devices.status_list import Status, StatusVerdict
from virtual_devices.wallet.held import OWN, Held
from virtual_devices.wallet.online import (
    NO_CARD,
    NOT_BELIEVED,
    ROLE,
    App,
    Refusal,
    a_name,
    ask,
    call,
    entries,
    not_believed,
    some_bytes,
)
from virtual_devices.wallet.unfinished import Changes
from virtual_devices.wallet.vault import SEALING_KEY
from virtual_devices.write_back import WriteOutcome

Given = Mapping[str, Any]


# -- having a card

def apply(app: App, card_no: str, given: Given) -> Flow[str]:
    """A first virtual card for this phone: a key made in its hardware, attested, and the card's name at the data centre."""
    key, body, done = yield from _attested(app, "apply", card_no, {"given": dict(given)})
    card = a_name(body, "card")
    app.unfinished.commit(done | app.unfinished.applied_for(card, key, card_no))
    app.phone.drop_unused_keys()
    return card


def rebind(app: App, card_no: str, given: Given, *, both: bool = False) -> Flow[str]:
    """This phone in place of the former one: the new card is in the phone when this is done, and the old one is revoked.
    ``both``: the physical card was lost too, and is made anew by the same application."""
    key, body, done = yield from _attested(app, "rebind", card_no, {"given": dict(given), "both": both})
    return _install(app, body, OWN, key, done, card_no=card_no).card


def _attested(
    app: App, operation: str, card_no: str, arguments: Mapping[str, Any],
) -> Flow[tuple[str, Mapping[str, Any], Changes]]:
    """The key that is to be bound, the answer, and what closes the application. A key for which it was refused is deleted: it is
    bound to nothing, or burnt, and another try has another one."""
    app.need_wallet(card_no)
    key = app.key_to_bind(f"{operation}.{card_no}")
    bound = app.unfinished.bound(f"{operation}.{card_no}")
    challenge = yield from _challenge(app)
    asked = {"card_no": card_no, **arguments, "attestation": app.attest(key, challenge)}
    try:
        body, done = yield from ask(app, operation, asked | (_code_key(app, key, challenge) if operation == "rebind" else {}))
    except Refusal:
        app.unfinished.commit(bound)
        app.phone.drop_unused_keys()
        raise
    return key, body, done | bound


def activate(app: App, card: str, given: Given | None = None) -> Flow[Held]:
    """The credential into the phone; with ``given`` when the application's proof does not entitle to it."""
    app.need_wallet()
    here = app.phone.cards.find(card)
    if here is not None:  # it had been taken in when the phone was switched off
        return here
    key, card_no = app.unfinished.applied().get(card, ("", ""))
    if not key:
        raise Ended("this phone has not applied for such a card", NO_CARD, ROLE)
    app.need_wallet(card_no)
    code_key = _code_key(app, key, (yield from _challenge(app)))
    arguments = {"card": card, **code_key} | ({"given": dict(given)} if given is not None else {})
    body, done = yield from ask(app, "activate", arguments)
    return _install(app, body, OWN, key, done | app.unfinished.not_applied(card), card_no=card_no)


def hold(app: App, own: str, authorization: bytes) -> Flow[Held]:
    """A ward's card, under an authorization (its id): bound to the key of the guardian's own card, which it names, and its code
    to that card's key for codes."""
    app.need_wallet()
    held = app.phone.cards.get(OWN)
    if held is None:
        raise Ended("the guardian has no card on this phone", NO_CARD, ROLE)
    code_key = _code_key(app, held.key, (yield from _challenge(app)))
    body, done = yield from ask(app, "hold", {"card": own, "authorization": authorization, **code_key})
    raw = body.get("authorization")
    return _install(app, body, authorization.hex(), held.key, done, authorization=raw if isinstance(raw, bytes) else b"")


def _challenge(app: App) -> Flow[bytes]:
    body = yield from call(app, "challenge", {})
    return some_bytes(body.get("challenge"))


def _code_key(app: App, key: str, challenge: bytes) -> dict[str, Any]:
    """The key for QR codes that belongs to a device key, attested like that one."""
    return {"qr_attestation": app.attest(app.phone.codes.key_for(key), challenge)}


def _install(
    app: App, body: Mapping[str, Any], name: str, key: str, done: Changes, *, card_no: str = "",
    authorization: bytes | None = None,
) -> Held:
    """Take in what came, when it is for this phone's key and this person; in the same commit it is no longer asked for. Raises
    Ended otherwise."""
    qr = body.get("qr")
    if qr is not None and not isinstance(qr, bytes):
        raise Ended("a QR credential that is none", NOT_BELIEVED, ROLE)
    try:
        held = Held(name, read_issuer_signed(body.get("issued")), key, authorization, qr, a_name(body, "card"))
        device_key = held.mso.device_key
    except MalformedMdoc as e:
        raise Ended(f"the credential: {e.what}", NOT_BELIEVED, ROLE) from None
    if device_key.public_numbers() != app.phone.keystore.public_key(key).public_numbers():
        raise Ended("a credential for another key", NOT_BELIEVED, ROLE)
    before = app.phone.cards.get(name)
    if held.card_no != (card_no or (held if before is None else before).card_no):
        raise Ended("another person's credential", NOT_BELIEVED, ROLE)
    if authorization is not None:
        _check(app, held, name, authorization)
    app.phone.cards.put(held, done)
    app.phone.drop_unused_keys()
    return held


def _check(app: App, held: Held, name: str, authorization: bytes) -> None:
    """The authorization that was asked for, which the credential names, for its ward and this key; for whatever purpose."""
    try:
        said = read(authorization)[1]
    except MalformedAuthorization as e:
        raise Ended(f"the authorization: {e.what}", NOT_BELIEVED, ROLE) from None
    if not said.cti.hex() == name == held.held_under.hex():
        raise Ended("another authorization than was asked for", NOT_BELIEVED, ROLE)
    checker = Checker(app.phone.root, lambda *_: StatusVerdict(Status.UNKNOWN, None, "the phone keeps no lists"))
    use = Use(held.card_no, frozenset({Scope.BASIC}), said.purpose, held.mso.device_key)
    verdict = checker.check(authorization, use, app.clock.now_ns() + app.phone.clock_error_ns)
    if not verdict.holds:
        raise Ended(f"the authorization: {verdict.reason.value}", verdict.code.number, ROLE)


# -- afterwards

def sync(app: App) -> Flow[Mapping[str, Any]]:
    """Erase what is to be erased, take in records that came late, and tell what became of both. The data centre's answer."""
    phone = app.phone
    if not phone.vault.ready and SEALING_KEY in phone.keystore.names():  # cut or refused: what is on it cannot be said
        app.need_wallet()
    body = yield from call(app, "sync", {})
    late = body.get("late", {})
    brought = {str(card): entries(late, card, list) for card in (late if isinstance(late, Mapping) else not_believed("late"))}
    orders = [str(card) for card in entries(body, "erase", str)]
    standing = body.get("standing")
    in_force = [card for card, code in standing.items() if code == "0"] if isinstance(standing, Mapping) else []
    gone = [card for card in orders if _erased(app, card, in_force)]  # first of all: a line that fails later changes nothing
    for card, some in brought.items():
        held = phone.cards.find(card) if phone.vault.ready else None
        if held is not None:
            numbers = [some_bytes(entry[0]) if entry else not_believed("late") for entry in some]
            done = [[n, phone.take_late(e, app.clock.now_ns(), held.name).value] for n, e in zip(numbers, some, strict=True)]
            yield from call(app, "receipts", {"card": card, "receipts": done})
    for card in gone:
        yield from call(app, "wiped", {"card": card})
    if not phone.vault.ready:  # all is told: nobody shall be known by this phone's key any more
        phone.forget_name()
    return body


def erase(app: App, card: str) -> Flow[None]:
    """A card off this phone, for good; the holder's own takes everything with it. The data centre is told afterwards."""
    if _erased(app, card):
        yield from call(app, "wiped", {"card": card})


def _erased(app: App, card: str, in_force: Iterable[str] = ()) -> bool:
    """Nothing of the card is on this phone any more. False when that cannot be said."""
    phone = app.phone
    if not phone.vault.ready:
        return SEALING_KEY not in phone.keystore.names()
    held = phone.cards.find(card)
    if held is None:
        app.unfinished.commit(app.unfinished.not_applied(card) | app.unfinished.answered(f"activate.{card}"))
        phone.drop_unused_keys()
        return "" not in app.cards  # a card that came without its name could be the one
    if held.name == OWN and not _being_replaced(app, held, in_force):
        phone.wipe()
    else:
        phone.remove(held.name)
    return True


def _being_replaced(app: App, own: Held, in_force: Iterable[str]) -> bool:
    """The data centre has bound a new card to this phone, whose credential has not come: a wipe would take that away too."""
    return bool(app.unfinished.key_for(f"rebind.{own.card_no}")) and bool(set(in_force) - set(app.cards))


def report_lost(app: App, card_no: str, given: Given) -> Flow[Mapping[str, Any]]:
    """From any phone that can reach the data centre."""
    return (yield from call(app, "report-lost", {"card_no": card_no, "given": dict(given)}))


def accesses(app: App, card: str, before: int | None = None) -> Flow[list[Entry]]:
    """Who touched what is the holder's, the oldest first, proved to be in the log that the data centre signed: the newest,
    or of those below the number ``before``. Raises Ended for a card that is not on this phone, and for what is not proved."""
    if not app.phone.vault.ready or app.phone.cards.find(card) is None:
        raise Ended("there is no such card on this phone", NO_CARD, ROLE)
    body = yield from call(app, "accesses", {"card": card} | ({} if before is None else {"before": before}))
    try:
        return phone_accesses.read(body, app.phone.root)
    except PeerError as error:
        raise Ended(str(error), NOT_BELIEVED, ROLE) from None


def restore_prescriptions(app: App, card: str) -> Flow[list[WriteOutcome]]:
    """The holder's prescriptions again, as they were signed, into the phone that now has the card: what became of each record.
    Those that it has already are left as they are. Raises Ended for a card that is not on this phone."""
    held = app.phone.cards.find(card) if app.phone.vault.ready else None
    if held is None:
        raise Ended("there is no such card on this phone", NO_CARD, ROLE)
    body = yield from call(app, "prescriptions", {"card": card})
    return [_taken(app, entry, held.name) for entry in entries(body, "prescriptions", list)]


def _taken(app: App, entry: list[Any], name: str) -> WriteOutcome:
    raws = entry[1] if len(entry) > 1 and isinstance(entry[1], list) else not_believed("prescriptions")
    here = app.phone.records(name).all()
    return WriteOutcome.ALREADY if all(raw in here for raw in raws) else app.phone.take_late(entry, app.clock.now_ns(), name)


__all__ = [
    "App", "Refusal", "WriteOutcome", "accesses", "activate", "apply", "call", "erase", "hold", "rebind", "report_lost",
    "restore_prescriptions", "sync",
]
