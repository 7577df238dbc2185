"""Authorizations of guardians that a data centre grants, and the wards' cards that it issues under them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.case import Each, Nature, case
from conformance.issued import credential_of, status_of
from conformance.kinds.data_centre import DataCentreTester, SoftPhone
from conformance.town import CHILD_NO, GUARDIAN, ID_NO
from conformance.vectors.world import CARD_NO, GUARDIAN_NO
from virtual_devices import authorization, cwt, vhc
from virtual_devices.authorization import BOUNDS, Purpose, Relation, Scope
from virtual_devices.cloud.guardians import Ground
from virtual_devices.pki import Role, Verified
from virtual_devices.qr import card as qr_card
from virtual_devices.status_list import Status
from virtual_devices.write_back import holder_of, of_card

EVERYTHING = frozenset(Scope)


def _guardian(data_centre: DataCentreTester) -> tuple[SoftPhone, str]:
    phone = data_centre.phone()
    return phone, phone.enrolled(GUARDIAN_NO, GUARDIAN.holder.id_no)[0]


def _granted(data_centre: DataCentreTester, days: float = 300, scope: frozenset[Scope] = EVERYTHING) -> bytes:
    code, cti = data_centre.officer.grant(CARD_NO, GUARDIAN_NO, Relation.FAMILY, scope, days)
    data_centre.equal("granted", code, "0")
    return cti


def _held(phone: SoftPhone, card: str, cti: bytes, request: bytes = b"") -> Mapping[str, Any]:
    attested = phone.attestation(phone.challenge(), key=phone.code_key)
    return phone.done("hold", {"card": card, "authorization": cti, "qr_attestation": attested}, request=request)


@case("P-AUT-01", "P-AUT-02", "P-AUT-06", "P-AUT-08", "P-ELE-05", "P-PHN-06", nature=Nature.VALID,
      zh="代理授權與代理人手機上之卡片")
def test_wards_card_and_authorization_name_the_guardians_key(data_centre: DataCentreTester) -> None:
    """hold: the authorization as a CWT by the data centre, and the ward's credential, both for the guardian's device key."""
    phone, own = _guardian(data_centre)
    cti = _granted(data_centre)
    body = _held(phone, own, cti)
    message, found = authorization.read(body["authorization"])
    who = data_centre.world.root.check(message.chain, {Role.DATA_CENTRE}, data_centre.now_ns)
    data_centre.expect("signed by the data centre", isinstance(who, Verified) and message.verify(who.key))
    data_centre.equal("typ", message.header.get(16), "application/tw.nhi.bench.authorization+cwt")
    data_centre.equal("ward, guardian, name, id", (found.ward, found.guardian, found.guardian_name, found.cti),
                      (CARD_NO, GUARDIAN_NO, GUARDIAN.holder.name, cti))
    data_centre.equal("relation, scope, purpose", (found.relation, found.scope, found.purpose),
                      (Relation.FAMILY, EVERYTHING, Purpose.CARE))
    issued, credential = credential_of(data_centre, body)
    mine = phone.device.public_key().public_numbers()
    data_centre.equal("the key that it names", found.guardian_key.public_numbers(), mine)
    data_centre.equal("the key of the ward's card", credential.device_key.public_numbers(), mine)
    data_centre.equal("held under", issued.values()[vhc.BASIC][vhc.HELD_UNDER], cti)
    data_centre.equal("its status", status_of(data_centre, found.status), Status.VALID)
    code = cwt.decode(body["qr"]).claims.values[qr_card.DATA]
    data_centre.equal("the code's guardian", code[10][:3], [cti, GUARDIAN_NO, GUARDIAN.holder.name])
    data_centre.equal("and whom records are for", code[9], of_card(holder_of(phone.device.public_key()), cti))


def _bounds() -> Mapping[str, Each]:
    beyond = {Relation.CARER: Scope.MEDICAL, Relation.MESSENGER: Scope.WRITE}
    found = {}
    for relation in (Relation.FAMILY, Relation.CARER, Relation.MESSENGER):
        bounds, name = BOUNDS[relation], relation.value
        found[f"{name}-as-far-as-it-goes"] = Each((relation, bounds.scope, bounds.days, "0"), nature=Nature.VALID)
        found[f"{name}-a-day-more"] = Each((relation, bounds.scope, bounds.days + 1, "1059"))
        if relation in beyond:
            found[f"{name}-a-scope-more"] = Each((relation, bounds.scope | {beyond[relation]}, 30, "4029"))
    found["nothing"] = Each((Relation.FAMILY, frozenset(), 30, "1057"))
    found["over-at-once"] = Each((Relation.FAMILY, frozenset({Scope.BASIC}), 0, "1059"))
    return found


@case("P-AUT-03", nature=Nature.LIMIT, zh="授權不得超過該關係之範圍與期間", each=_bounds)
def test_relation_bounds_what_is_granted(
    data_centre: DataCentreTester, value: tuple[Relation, frozenset[Scope], float, str],
) -> None:
    """A relation bounds scope and time; what goes beyond is not granted."""
    relation, scope, days, code = value
    _guardian(data_centre)
    found, cti = data_centre.officer.grant(CARD_NO, GUARDIAN_NO, relation, scope, days)
    data_centre.equal("code", found, code)
    data_centre.equal("an id of 16 bytes, or none", len(cti), 16 if code == "0" else 0)


@case("P-AUT-03", nature=Nature.INVALID, zh="父母僅得為其未成年子女，且至成年為止")
def test_parents_act_for_their_own_children(data_centre: DataCentreTester) -> None:
    """A parent is one whom the household register names."""
    _guardian(data_centre)
    grant = data_centre.officer.grant
    data_centre.equal("a mother", grant(CHILD_NO, GUARDIAN_NO, Relation.PARENT, EVERYTHING, 300, Ground.PARENT)[0], "0")
    found, _ = grant(CARD_NO, GUARDIAN_NO, Relation.PARENT, EVERYTHING, 300, Ground.PARENT)
    data_centre.expect("somebody else's", found != "0", "a refusal", found)
    found, _ = grant(CHILD_NO, GUARDIAN_NO, Relation.FAMILY, EVERYTHING, 300)
    data_centre.expect("by a ward under age", found != "0", "a refusal", found)


@case("P-AUT-08", "P-LIF-02", nature=Nature.INOPPORTUNE, zh="授權撤銷：清單即時失效，被代理卡片隨之終止")
def test_withdrawn_authorization_ends_the_wards_card(data_centre: DataCentreTester) -> None:
    """Withdrawn: invalid in the list, and so is the ward's card on that phone, which is to be erased; it cannot be held again."""
    phone, own = _guardian(data_centre)
    cti = _granted(data_centre)
    body = _held(phone, own, cti)
    _, found = authorization.read(body["authorization"])
    _, credential = credential_of(data_centre, body)
    data_centre.equal("withdrawn", data_centre.officer.withdraw(cti), "0")
    data_centre.equal("status of both", (status_of(data_centre, found.status), status_of(data_centre, credential.status)),
                      (Status.INVALID, Status.INVALID))
    data_centre.equal("what is erased", list(phone.done("sync")["erase"]), [body["card"]])
    code, _ = phone.ask("hold", {"card": own, "authorization": cti})
    data_centre.expect("held again", code != "0", "a refusal", code)


@case("P-AUT-08", "P-LIF-02", nature=Nature.INOPPORTUNE, zh="代理人手機掛失：授權隨之失效")
def test_guardian_whose_phone_is_lost_has_no_authorization(data_centre: DataCentreTester) -> None:
    """The guardian's card reported lost: the authorization for its key is invalid in the list, and so is the ward's card."""
    phone, own = _guardian(data_centre)
    body = _held(phone, own, _granted(data_centre))
    _, found = authorization.read(body["authorization"])
    _, credential = credential_of(data_centre, body)
    data_centre.equal("reported lost", data_centre.officer.report_lost(GUARDIAN_NO, "virtual"), "0")
    data_centre.equal("status of both", (status_of(data_centre, found.status), status_of(data_centre, credential.status)),
                      (Status.INVALID, Status.INVALID))


@case("P-AUT-08", nature=Nature.ATTACK, zh="他人之授權、未知之授權不得持卡")
def test_anothers_authorization_gives_no_card(data_centre: DataCentreTester) -> None:
    """Another guardian's authorization, one past its end and one that never was give no card."""
    phone, own = _guardian(data_centre)
    cti = _granted(data_centre, days=1)
    stranger = data_centre.phone()
    other, _ = stranger.enrolled(CARD_NO, ID_NO)
    code, body = stranger.ask("hold", {"card": other, "authorization": cti})
    data_centre.expect("by somebody else", code != "0" and "issued" not in body, "a refusal", code)
    code, body = phone.ask("hold", {"card": own, "authorization": bytes(16)})
    data_centre.expect("one that never was", code != "0" and "issued" not in body, "a refusal", code)
    data_centre.equal("what sync names", phone.done("sync")["authorizations"], [[CARD_NO, cti]])
    data_centre.later(days=1)
    data_centre.equal("past its end", phone.done("sync")["authorizations"], [])
    code, body = phone.ask("hold", {"card": own, "authorization": cti})
    data_centre.expect("one past its end", code != "0" and "issued" not in body, "a refusal", code)


@case("P-PHN-14", "P-PHN-10", nature=Nature.VALID, zh="再次取得被代理卡片；換機後授權換新識別碼")
def test_wards_card_is_given_again_and_moves_along(data_centre: DataCentreTester) -> None:
    """hold again gives the same card's credential; after a change of phones the authorization has a new id that sync names."""
    phone, own = _guardian(data_centre)
    cti = _granted(data_centre)
    first = _held(phone, own, cti)
    data_centre.equal("the same card", _held(phone, own, cti)["card"], first["card"])
    data_centre.equal("what sync names", phone.done("sync")["authorizations"], [[CARD_NO, cti]])
    new = data_centre.phone()
    given = {"id_no": GUARDIAN.holder.id_no, "ticket": data_centre.officer.ticket(GUARDIAN_NO)}
    attested = new.attestation(new.challenge())
    body = new.done("rebind", {"card_no": GUARDIAN_NO, "given": given, "attestation": attested, "both": False})
    named = new.done("sync")["authorizations"]
    data_centre.expect("a new id for the same ward", len(named) == 1 and named[0][0] == CARD_NO and named[0][1] != cti,
                       "a new id",
                       named)
    held = _held(new, body["card"], named[0][1])
    data_centre.equal("held under", credential_of(data_centre, held)[0].values()[vhc.BASIC][vhc.HELD_UNDER], named[0][1])
    data_centre.equal("what the old phone erases", len(phone.done("sync")["erase"]), 2)
