"""Attacks with cards: copied, altered, forged, ended, revoked."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

from virtual_devices import vhc
from virtual_devices.codes import Space
from virtual_devices.holder import application
from virtual_devices.link import Work
from virtual_devices.mdoc.mso import IssuerSigned, Item, StatusReference, Validity, issue, read_item
from virtual_devices.pki import DAY_NS, ChainVerifier, Role
from virtual_devices.randomness import ByteStream
from virtual_devices.status_list import Status, StatusLists, Taking
from virtual_devices.wallet import app
from virtual_devices.wallet.held import OWN, Held
from virtual_devices.wallet.phone import Phone
from virtual_devices.wallet.vault import VaultRefused

from .attacks import Attack, Kind, Mark, Result, Table, consult, desk_for, identified, later, medical, tried
from .card_office import ANNA
from .desk import AUTHORITY, CARD_NO, NOW_NS, STRANGER
from .enrolment import Town, facts
from .wallets import ISSUER, PLACE, WalletBench, card_holder, phone

ROWS = Table("Cards that are copied, altered, forged or ended")
SIGNED = "18013-5 9.1.2"


def with_card(issued: Any) -> WalletBench:
    """A desk, and a phone whose only card is made so: ``issued(phone, key's name)``."""
    bench = desk_for()
    key = bench.phone.new_key()
    bench.phone.cards.remove(OWN)
    bench.phone.install(Held(OWN, issued(bench.phone, key), key))
    return bench


def shown(issued: Any) -> Result:
    return tried(lambda: consult(with_card(issued)))


# -- copies

@ROWS.add("a credential copied to another phone", Kind.REFUSED, "4033", "the device does not hold the key it is bound to",
          "18013-5 9.1.3")
def credential_copied() -> Result:
    victim = phone("victim").cards.get(OWN)
    assert victim is not None
    return shown(lambda *_: victim.issued)


@ROWS.add("the flash of a phone copied into another", Kind.REFUSED, "", "the copy does not open: its key is in the first phone's "
          "secure element", "keystore", Mark.PROFILE)
def flash_copied() -> Result:
    thief = Phone("tests", "thief's", AUTHORITY.root_der, flash=phone("victim").vault.backup())
    try:
        thief.start(NOW_NS)
    except VaultRefused:
        return Result(False)
    return Result(thief.vault.ready and thief.cards.get(OWN) is not None)


@ROWS.add("a phone's own older flash put back, to win tries of the PIN or bring back a card", Kind.REFUSED, "",
          "the secure element's anchor is newer: the vault does not open", "keystore", Mark.PROFILE)
def flash_set_back() -> Result:
    made = phone("victim")
    old = made.vault.backup()
    made.holder.enter_pin("9731", NOW_NS)
    again = Phone("tests", "victim", AUTHORITY.root_der, flash=old, keystore=made.keystore.cells())
    try:
        again.start(NOW_NS)
    except VaultRefused:
        return Result(False)
    return Result(again.vault.ready)


@ROWS.add("a key attested by another phone, which was made to do it, for the thief's challenge", Kind.REFUSED, "1024",
          "the attestation names the phone that gave it, and another one asks", "attestation", Mark.PROFILE, Space.VHC)
def attestation_relayed() -> Result:
    town = Town()
    thief, elsewhere = town.app("thief's"), town.app("elsewhere")
    challenge = town.run(app.call(thief, "challenge", {}))["challenge"]
    relayed = elsewhere.attest(elsewhere.phone.new_key(), challenge)
    arguments = {"card_no": ANNA.card_no, "given": facts(ANNA), "attestation": relayed}
    found = tried(lambda: town.run(app.call(thief, "apply", arguments)))
    return replace(found, succeeded=found.succeeded or any(c.phone for c in town.domain.ledger.cards.values()))


# -- forgeries

def _altered(made: Phone, key: str) -> IssuerSigned:
    issued = ISSUER.credential(card_holder(), made.keystore.public_key(key), PLACE, NOW_NS)

    def other(item: Item) -> Item:
        if item.identifier != "card_no":
            return item
        return read_item(item.raw.replace(CARD_NO.encode(), b"000099999999"))

    return replace(issued, items={s: tuple(other(i) for i in items) for s, items in issued.items.items()})


def _moved(made: Phone, key: str) -> IssuerSigned:
    """Another person's medical data under one's own basic data."""
    own, public = made.keystore.public_key(key), ISSUER
    mine = public.credential(card_holder(), own, PLACE, NOW_NS)
    other = public.credential(card_holder("000000000077", "陳淑芬"), own, PLACE, NOW_NS)
    return replace(mine, items={**mine.items, vhc.MEDICAL: other.items[vhc.MEDICAL]})


def _bound_anew(made: Phone, key: str) -> IssuerSigned:
    """The victim's card with the thief's key put into what the issuer signed."""
    victim = phone("victim").cards.get(OWN)
    assert victim is not None and victim.issued.auth.payload is not None
    mine = ISSUER.credential(card_holder("000000000077", "陳淑芬"), made.keystore.public_key(key), PLACE, NOW_NS)
    assert mine.auth.payload is not None
    return replace(victim.issued, auth=replace(victim.issued.auth, payload=mine.auth.payload))


def _issued(
    made: Phone, key: str, *, authority: Any = AUTHORITY, role: Role = Role.DOCUMENT_SIGNER, from_ns: int = NOW_NS,
    days: int = 365, **more: Any,
) -> IssuerSigned:
    validity, signer = Validity(from_ns, from_ns, from_ns + days * DAY_NS), authority.issue(role, "documents", **more)
    reference = StatusReference(PLACE.uri, PLACE.index)
    return issue(
        vhc.DOCTYPE, card_holder().elements(), made.keystore.public_key(key), signer, validity, ByteStream("attack"),
        status=reference, authorised=vhc.AUTHORISED,
    )


FORGED: list[tuple[str, str, Any, str, str, str]] = [
    ("card-altered", "an element altered", _altered, "4033", "the digest is not the issuer's", SIGNED),
    ("elements-of-two-cards", "elements of two cards put together", _moved, "4033", "the digest is not the issuer's", SIGNED),
    ("card-bound-anew", "another device key put into the card", _bound_anew, "4033", "the issuer's signature is wrong", SIGNED),
    ("card-of-a-strange-issuer", "a card of an issuer of another root", partial(_issued, authority=STRANGER), "4033",
     "the chain ends elsewhere", "18013-5 9.3.1"),
    ("card-issued-by-a-clinic", "a card signed by a clinic's SAM", partial(_issued, role=Role.SAM, organisation="9901180014"),
     "4033", "a SAM may not sign documents", "18013-5 B.1.4"),
    ("card-expired", "an expired card", partial(_issued, from_ns=NOW_NS - 30 * DAY_NS, days=29), "5002",
     "the phone itself shows nothing: not in force", "18013-5 9.1.2.4"),
    ("card-not-yet-valid", "a card before its time", partial(_issued, from_ns=NOW_NS + DAY_NS), "5003",
     "not yet valid", "18013-5 9.1.2.4"),
]
for _id, _what, _card, _code, _seen, _clause in FORGED:
    ROWS.put(Attack(_id, _what, Kind.REFUSED, _code, _seen, _clause, Mark.STANDARD, partial(shown, _card)))


@ROWS.add("an expired card on a phone whose clock was put back", Kind.REFUSED, "5003", "expired, by the desk's own clock",
          "18013-5 9.1.2.4")
def expired_card_and_a_clock_put_back() -> Result:
    bench = with_card(partial(_issued, from_ns=NOW_NS - 30 * DAY_NS, days=29))
    bench.phone.clock_error_ns = -15 * DAY_NS
    old_ns = NOW_NS - 15 * DAY_NS
    bench.reader_certificates(from_ns=old_ns)  # else the phone would take the desk for one of the future
    return tried(lambda: consult(bench))


@ROWS.add("the device itself says what only the issuer may: another card number", Kind.REFUSED, "4033",
          "not in the key authorizations of the credential", "18013-5 9.1.2.4")
def device_says_what_the_issuer_did_not() -> Result:
    bench = desk_for()
    true = application.sign_device

    def lying(sign: Any, transcript: Any, doctype: str, values: Any) -> Any:
        return true(sign, transcript, doctype, {**values, vhc.BASIC: {"card_no": "000099999999"}})

    with patch.object(application, "sign_device", lying):
        return tried(lambda: consult(bench))


# -- status

def lists(status: Status, at_ns: int = NOW_NS) -> StatusLists:
    known = StatusLists(ChainVerifier(AUTHORITY.root_der), Work())
    for raw in ISSUER.status_lists({PLACE: status}, at_ns, 8192).values():
        assert known.take(raw, at_ns).outcome is Taking.ACCEPTED
    return known


def _with_list(status: Status) -> Result:
    bench = desk_for()
    bench.desk.institution = replace(bench.desk.institution, lists=lists(status))
    return tried(lambda: identified(bench))


def _by_the_list() -> None:
    for status, word in ((Status.INVALID, "revoked"), (Status.SUSPENDED, "suspended")):
        ROWS.put(Attack(
            f"card-{word}", f"a {word} card", Kind.REFUSED, "5002", f"{status.name.lower()}, says the status list",
            "status list (draft)", Mark.STANDARD, partial(_with_list, status),
        ))


_by_the_list()


def _told_later(bench: WalletBench, person: Any) -> bool:
    """The next list, laid beside the desk's record of which credential it served, when."""
    fresh = lists(Status.INVALID, bench.clock.now_ns())
    return bool(person.issuer_auth) and fresh.look(PLACE.uri, PLACE.index, bench.clock.now_ns()).status is Status.INVALID


@ROWS.add("a card revoked after the desk's list was made", Kind.RECONCILED, "0",
          "served; the record holds the credential's hash and the list's age", "status list, age", Mark.PROFILE)
def revoked_after_the_desks_list() -> Result:
    bench = desk_for()
    bench.desk.institution = replace(bench.desk.institution, lists=lists(Status.VALID))
    person = identified(bench)
    return Result(person.status is Status.VALID, "0", _told_later(bench, person))


@ROWS.add("a revoked card at a desk that was offline beyond the end of its lists", Kind.RECONCILED, "0",
          "served as unknown, never as valid, and marked", "status list, end", Mark.PROFILE)
def revoked_at_a_desk_long_offline() -> Result:
    bench = desk_for()
    bench.desk.institution = replace(bench.desk.institution, lists=lists(Status.VALID))
    later(bench, 30 * DAY_NS)
    bench.reader_certificates(from_ns=bench.clock.now_ns())
    person = identified(bench)
    assert person.status is Status.UNKNOWN and person.status_age_ns > 0
    return Result(True, "0", _told_later(bench, person))


# -- people

@ROWS.add("a holder who lends phone and PIN to somebody else", Kind.NOT_DETECTABLE, "0",
          "nothing but the photograph, when a person looks at it", "18013-5 E.5")
def colluding_holder() -> Result:
    bench = desk_for()
    return medical(consult(bench))
