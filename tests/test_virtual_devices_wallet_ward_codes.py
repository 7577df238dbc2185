"""DLG: a guardian's phone shows a ward's code, by its own key, within its authorization and no further, and it is recorded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from virtual_devices import cwt
from virtual_devices.authorization import Purpose, Scope
from virtual_devices.cloud.guardians import Wish
from virtual_devices.cose import decode as decode_cose
from virtual_devices.errors import UsageError
from virtual_devices.link import Work
from virtual_devices.pki import DAY_NS
from virtual_devices.qr.card import DATA, read, show
from virtual_devices.qr.challenge import new_challenge
from virtual_devices.qr.check import Issuers, QrReader, Reason
from virtual_devices.randomness import ByteStream
from virtual_devices.status_list import StatusLists
from virtual_devices.wallet import app
from virtual_devices.wallet.access_log import Language, describe
from virtual_devices.wallet.app import App
from virtual_devices.wallet.codes import NAMES
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.held import OWN, Held
from virtual_devices.wallet.keystore import KeyDenied, Policy
from virtual_devices.wallet.keystore import Purpose as KeyPurpose
from virtual_devices.write_back import holder_of

from .card_office import ANNA, BABY, CHILD
from .desk import AUTHORITY, NOW_NS
from .enrolment import Town, wish
from .wallets import PHONE_PIN

READER = "9901180014/counter 1"
SAYS = f"by {ANNA.name} ({ANNA.card_no}) for {CHILD.card_no}"


def guardians_phone(town: Town, *wishes: Wish) -> tuple[App, str, list[Held]]:
    """Anna's phone with her own card, and a ward's for each wish."""
    of, own = town.enrolled(ANNA, "anna")
    grants = [town.domain.guardians.grant(town.domain.by(ANNA), wanted) for wanted in wishes]
    assert all(grant.ok for grant in grants)
    return of, own, [town.run(app.hold(of, own, grant.authorization)) for grant in grants]


def agree(town: Town, of: App, card: str) -> None:
    of.phone.show(card)
    of.phone.holder.enter_pin(PHONE_PIN, town.clock.now_ns())
    assert of.phone.arm(Use.REGISTRATION, NAMES, town.clock.now_ns(), write=False)


def shown(town: Town, of: App, card: str) -> str:
    agree(town, of, card)
    return of.phone.card_qr(town.clock.now_ns())


def reader(town: Town) -> QrReader:
    """With the status lists of now."""
    root, work = AUTHORITY.verifier(), Work()
    issuers, lists = Issuers(root, work), StatusLists(root, work)
    issuers.take(town.issuer.signer.chain, NOW_NS)
    for raw in town.statuses():
        lists.take(raw, town.clock.now_ns())
    return QrReader(READER, issuers, lists, work)


def test_wards_code_is_believed_and_recorded_as_by_the_guardian_for_the_ward() -> None:
    town = Town()
    of, _, [held] = guardians_phone(town, wish())
    agree(town, of, held.name)
    asked = new_challenge(READER, ByteStream("asked"))
    verdict = reader(town).check(of.phone.card_qr(NOW_NS, asked), NOW_NS, asked)
    assert verdict.reason is Reason.BELIEVED and verdict.bound and not verdict.to_reconcile
    assert verdict.on_behalf == SAYS and verdict.shown is not None
    assert (verdict.shown.data.card_no, verdict.shown.data.name) == (CHILD.card_no, CHILD.name)
    assert verdict.shown.device == held.holder  # the ward's records, and no others on that phone
    entry = of.phone.log.entries()[0]
    assert f"由{ANNA.name}代{CHILD.card_no}" in describe(entry, Language.ZH) and entry.channel == "qr"


def test_several_wards_and_ones_own_card_have_a_code_each_and_a_consent_each() -> None:
    town = Town()
    baby = replace(wish(), ward=BABY.card_no)
    of, _, wards = guardians_phone(town, wish(), baby)
    found, at = {}, reader(town)
    for name in (OWN, *(held.name for held in wards)):
        of.phone.show(name)
        with pytest.raises(KeyDenied):  # the consent for another card is none for this one
            of.phone.card_qr(NOW_NS)
        verdict = at.check(shown(town, of, name), NOW_NS)
        assert verdict.believed and verdict.shown is not None
        found[verdict.shown.data.card_no] = verdict.shown.device, verdict.on_behalf
    assert set(found) == {ANNA.card_no, CHILD.card_no, BABY.card_no} and len({device for device, _ in found.values()}) == 3
    assert found[ANNA.card_no][1] == "" and found[CHILD.card_no][1] == SAYS


@pytest.mark.parametrize(
    ("scope", "purpose", "believed"),
    [({Scope.BASIC}, Purpose.CARE, True), ({Scope.BASIC, Scope.MEDICAL}, Purpose.CARE, True),
     ({Scope.COLLECT}, Purpose.PHARMACY, False), ({Scope.BASIC}, Purpose.NON_MEDICAL, False)],
)
def test_wards_code_is_refused_beyond_the_authorization(scope: set[Scope], purpose: Purpose, believed: bool) -> None:
    town = Town()
    of, _, [held] = guardians_phone(town, wish(frozenset({Scope.BASIC, Scope.MEDICAL})))
    verdict = reader(town).check(shown(town, of, held.name), NOW_NS, scope=frozenset(scope), purpose=purpose)
    assert verdict.believed is believed
    if not believed:
        assert (verdict.reason, verdict.code.number, verdict.on_behalf) == (Reason.OUT_OF_SCOPE, "4029", "")
    own = reader(town).check(shown(town, of, OWN), NOW_NS, scope=frozenset(scope), purpose=purpose)
    assert own.believed  # one's own card has no such bounds


def test_withdrawn_authorization_is_seen_in_the_cards_own_status() -> None:
    town = Town()
    of, _, [held] = guardians_phone(town, wish())
    text = shown(town, of, held.name)
    assert town.domain.guardians.withdraw(town.domain.officer(), bytes.fromhex(held.name)).ok
    assert reader(town).check(text, NOW_NS).reason is Reason.REVOKED


def test_code_ends_with_the_authorization() -> None:
    town = Town()
    of, _, [held] = guardians_phone(town, wish(days=10))
    town.clock.advance_to(NOW_NS + 10 * DAY_NS)
    with pytest.raises(UsageError, match="authorization"):
        shown(town, of, held.name)
    assert of.phone.log.entries() == []
    assert held.qr is not None  # a phone that does not care, or whose clock stands
    key = "code." + held.key
    agree(town, of, OWN)
    of.phone.card_qr(town.clock.now_ns())
    text = show(held.qr, lambda m: of.phone.keystore.sign(key, m), town.clock.now_ns(), ByteStream("x"))
    assert reader(town).check(text, town.clock.now_ns()).reason is Reason.CARD_EXPIRED


def test_authorization_outside_medical_care_shows_no_code() -> None:
    """A code registers a visit."""
    town = Town()
    of, _, [held] = guardians_phone(town, replace(wish(frozenset({Scope.BASIC})), purpose=Purpose.NON_MEDICAL))
    with pytest.raises(UsageError, match="authorization"):
        shown(town, of, held.name)


def test_wards_code_is_bound_to_the_guardians_attested_key_for_codes() -> None:
    town = Town()
    of, own, [held] = guardians_phone(town, wish())
    keystore = of.phone.keystore
    own_card = of.phone.cards.get(OWN)
    assert own_card is not None and own_card.qr is not None and held.qr is not None
    keys = {cwt.read(decode_cose(raw)).claims.key.public_numbers() for raw in (own_card.qr, held.qr)}  # type: ignore[union-attr]
    assert keys == {keystore.public_key("code." + held.key).public_numbers()}
    keystore.make("free", KeyPurpose.SIGN, Policy.FREE)
    challenge = town.run(app.call(of, "challenge", {}))["challenge"]
    asked = {"card": own, "authorization": bytes.fromhex(held.name), "qr_attestation": of.attest("free", challenge)}
    assert town.ask(of, "hold", asked, b"1" * 16)[0] == "1024"
    del asked["qr_attestation"]
    code, body = town.ask(of, "hold", asked, b"2" * 16)
    assert (code, body["qr"]) == ("0", None)  # an app that asks for no code gets none


def test_wards_code_of_another_phone_or_with_another_scope_is_forged() -> None:
    town = Town()
    of, _, [held] = guardians_phone(town, wish(frozenset({Scope.BASIC})))
    assert held.qr is not None
    thief = town.app("thief").phone.keystore
    thief.make("thief", KeyPurpose.SIGN, Policy.FREE)
    copied = show(held.qr, lambda m: thief.sign("thief", m), NOW_NS, ByteStream("x"))
    assert reader(town).check(copied, NOW_NS).reason is Reason.FORGED_WRAPPER
    message = decode_cose(held.qr)
    claims = dict(cwt.read(message).claims.values)
    data = read(shown(town, of, held.name)).data
    assert data.guardian is not None
    for altered in (replace(data, guardian=replace(data.guardian, scope=frozenset(Scope))), replace(data, guardian=None)):
        other = replace(message, payload=cwt.Claims({**claims, DATA: altered.value()}).to_bytes())
        wrapped = show(other.to_bytes(), lambda m: thief.sign("thief", m), NOW_NS, ByteStream("y"))
        assert reader(town).check(wrapped, NOW_NS).reason is Reason.FORGED_CARD


def test_record_for_the_ward_names_authorization_and_key() -> None:
    town = Town()
    of, _, [held] = guardians_phone(town, wish())
    key = of.phone.keystore.public_key(held.key)
    assert read(shown(town, of, held.name)).device == holder_of(key, bytes.fromhex(held.name)) != holder_of(key)
