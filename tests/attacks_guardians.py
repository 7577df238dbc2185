"""Attacks by guardians and on them: a ward's card on a guardian's phone, presented whole, with an authorization that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

import cbor2

from virtual_devices import vhc
from virtual_devices.authorization import (
    GRANT,
    MEDIA_TYPE,
    Authorization,
    Purpose,
    Relation,
    Scope,
    claims,
    read,
)
from virtual_devices.clock import NS
from virtual_devices.cloud.places import Place
from virtual_devices.codes import Space
from virtual_devices.cose import TYP, X5CHAIN, make_sign1, read_sign1
from virtual_devices.cwt import EXP
from virtual_devices.link import Work
from virtual_devices.mdoc.mso import StatusReference
from virtual_devices.pki import DAY_NS, ChainVerifier, Identity, Role
from virtual_devices.status_list import Status, StatusLists
from virtual_devices.wallet import phone_home
from virtual_devices.wallet.held import Held
from virtual_devices.wallet.phone import Phone

from .attacks import Attack, Kind, Mark, Result, Table, consult, desk_for, identified, later, tried
from .desk import AUTHORITY, CARD_NO, NOW_NS, STRANGER
from .wallets import ISSUER, PLACE, WalletBench, card_holder, phone

ROWS = Table("Guardians' authorizations")
WARD, GUARDIAN = "000000000011", CARD_NO
CTI = b"authorization 01"
GRANT_PLACE = Place("urn:nhi:bench:authorizations/0", 7)
CLAUSE = "authorization"
Change = Mapping[str, Any]


def granted(made: Phone, key: str, **change: Any) -> Authorization:
    fields: dict[str, Any] = {
        "cti": CTI, "ward": WARD, "guardian": GUARDIAN, "guardian_name": "王小明", "guardian_key": made.keystore.public_key(key),
        "relation": Relation.CARER, "scope": frozenset({Scope.BASIC}), "purpose": Purpose.CARE, "issued_ns": NOW_NS,
        "not_before_ns": NOW_NS, "expires_ns": NOW_NS + 30 * DAY_NS,
        "status": StatusReference(GRANT_PLACE.uri, GRANT_PLACE.index), **change,
    }
    return Authorization(**fields)


def signed(a: Authorization, by: Identity = ISSUER.data_centre, changed: Mapping[int, Any] | None = None) -> bytes:
    """What the data centre would sign, or somebody who does not care for the rules."""
    payload = cbor2.dumps({**claims(a), **(changed or {})}, canonical=True)
    return make_sign1(by.key, payload, {X5CHAIN: list(by.chain)}, protected={TYP: MEDIA_TYPE}).to_bytes()


def guardians_desk(authorization: Any = None, held_under: bytes = CTI, status: Status = Status.VALID) -> WalletBench:
    """A desk, and a guardian's phone that shows a ward's card. ``authorization(phone, key)`` makes its bytes."""
    bench = desk_for()
    made = bench.phone
    key = made.new_key("ward")
    issued = ISSUER.credential(card_holder(WARD, "王小華"), made.keystore.public_key(key), PLACE, NOW_NS, held_under=held_under)
    raw = (authorization or (lambda p, k: signed(granted(p, k))))(made, key)
    made.install(Held("ward", issued, key, raw))
    made.show("ward")
    known = StatusLists(ChainVerifier(AUTHORITY.root_der), Work())
    for one in ISSUER.status_lists({GRANT_PLACE: status, PLACE: Status.VALID}, NOW_NS, 8192).values():
        known.take(one, NOW_NS)
    bench.desk.institution = replace(bench.desk.institution, lists=known)
    return bench


def told(authorization: Any, scope: frozenset[Scope] = frozenset({Scope.BASIC}), **more: Any) -> Result:
    return tried(lambda: identified(guardians_desk(authorization, **more), scope))


def _made(**change: Any) -> Any:
    return lambda made, key: signed(granted(made, key, **change))


def good() -> WalletBench:
    """The guardian does what was granted: recorded as by one for another."""
    bench = guardians_desk()
    person = identified(bench)
    assert (person.card_no, person.on_behalf) == (WARD, f"by 王小明 ({GUARDIAN}) for {WARD}")
    assert bench.phone.log.entries()[0].holder == WARD
    return bench


def _payload_changed(made: Phone, key: str) -> bytes:
    """The data centre's signature round a wider scope."""
    message, a = read(signed(granted(made, key)))
    wider = {**claims(a), GRANT: {**claims(a)[GRANT], 4: [1, 2, 3, 4, 5]}}
    return replace(message, payload=cbor2.dumps(wider, canonical=True)).to_bytes()


def _by_the_guardian(made: Phone, key: str) -> bytes:
    thief = AUTHORITY.issue(Role.SAM, "a clinic", organisation="9901180014")
    return signed(granted(made, key), thief)


WRONG: list[tuple[str, str, Any, frozenset[Scope], str, str]] = [
    ("widened-by-the-holder", "the scope widened in the authorization", _payload_changed, frozenset({Scope.MEDICAL}), "1523",
     "the data centre's signature is wrong"),
    ("beyond-its-relation", "an authorization wider than its relation can be given, rightly signed",
     _made(scope=frozenset({Scope.BASIC, Scope.LOG})), frozenset({Scope.BASIC}), "4029", "widened: beyond a carer"),
    ("longer-than-its-relation", "an authorization longer than its relation can be given",
     _made(expires_ns=NOW_NS + 400 * DAY_NS), frozenset({Scope.BASIC}), "4029", "widened: beyond 366 days"),
    ("granted-by-a-clinic", "an authorization signed by a clinic's SAM", _by_the_guardian, frozenset({Scope.BASIC}), "4029",
     "not by a party that may grant"),
    ("granted-by-a-stranger", "an authorization signed under another root",
     lambda made, key: signed(granted(made, key), STRANGER.issue(Role.DATA_CENTRE, "IDC")), frozenset({Scope.BASIC}), "1523",
     "the chain ends elsewhere"),
    ("out-of-scope", "a guardian for basic data at a physician's", _made(), frozenset({Scope.BASIC, Scope.MEDICAL}), "4029",
     "out of scope"),
    ("not-begun", "an authorization before its time", _made(not_before_ns=NOW_NS + DAY_NS), frozenset({Scope.BASIC}), "3239",
     "not yet valid"),
    ("for-another-ward", "the authorization for one ward with the card of another", _made(ward="000000000012"),
     frozenset({Scope.BASIC}), "5020", "for another ward"),
    ("without-authorization", "a ward's card whose authorization is held back", lambda *_: None, frozenset({Scope.BASIC}), "3237",
     "the issuer's signed card says that it is held for another"),
    ("under-another-authorization", "a ward's card with an older, wider authorization of the same guardian",
     _made(cti=b"authorization 02"), frozenset({Scope.BASIC}), "4029", "the card is held under another authorization"),
]


def _rows() -> None:
    for name, what, make, scope, code, seen in WRONG:
        space = Space.VHC if code in ("1523", "3239", "1520", "3237", "3238", "3240", "3100") else Space.CSHIS
        ROWS.put(Attack(name, what, Kind.REFUSED, code, seen, CLAUSE, Mark.PROFILE, partial(told, make, scope), space))


_rows()


@ROWS.add("an authorization that was withdrawn, at a desk with a list of its time", Kind.REFUSED, "3240",
          "withdrawn, says the status list", CLAUSE, Mark.PROFILE, Space.VHC)
def withdrawn() -> Result:
    good()
    return told(None, status=Status.INVALID)


@ROWS.add("an authorization that was withdrawn, at a desk long offline", Kind.RECONCILED, "0",
          "served, marked as by X for Y; the next list tells", CLAUSE, Mark.PROFILE)
def withdrawn_at_a_desk_long_offline() -> Result:
    bench = guardians_desk()
    later(bench, 20 * DAY_NS)
    bench.reader_certificates(from_ns=bench.clock.now_ns())
    person = identified(bench)
    assert bench.desk.institution.lists is not None
    look = bench.desk.institution.lists.look(GRANT_PLACE.uri, GRANT_PLACE.index, bench.clock.now_ns())
    return Result(True, "0", look.status is Status.UNKNOWN and person.on_behalf.startswith("by "))


@ROWS.add("an authorization whose end has come", Kind.REFUSED, "4029", "the phone itself shows nothing: authorization ended",
          CLAUSE, Mark.PROFILE)
def ended() -> Result:
    bench = guardians_desk()
    later(bench, 31 * DAY_NS)
    bench.reader_certificates(from_ns=bench.clock.now_ns())
    return tried(lambda: identified(bench))


@ROWS.add("an authorization whose end has come, on a phone whose clock was put back", Kind.REFUSED, "3238",
          "expired, by the desk's own clock", CLAUSE, Mark.PROFILE, Space.VHC)
def ended_and_a_clock_put_back() -> Result:
    bench = guardians_desk()
    later(bench, 31 * DAY_NS)
    bench.phone.clock_error_ns = -31 * DAY_NS
    bench.reader_certificates(from_ns=NOW_NS)
    return tried(lambda: identified(bench))


@ROWS.add("the end put off in the authorization", Kind.REFUSED, "1523", "the data centre's signature is wrong", CLAUSE,
          Mark.PROFILE, Space.VHC)
def end_put_off() -> Result:
    def later_end(made: Phone, key: str) -> bytes:
        message, a = read(signed(granted(made, key)))
        return replace(message, payload=cbor2.dumps({**claims(a), EXP: (NOW_NS + 90 * DAY_NS) // NS}, canonical=True)).to_bytes()

    return told(later_end)


@ROWS.add("an authorization copied to another phone, with a ward's card of its own", Kind.REFUSED, "5020",
          "it names another guardian's key", CLAUSE, Mark.PROFILE)
def copied_to_another_phone() -> Result:
    other = phone("another guardian's")
    key = other.new_key("ward")
    return told(lambda *_: signed(granted(other, key)))


@ROWS.add("a recorded proof of the guardian's in another session", Kind.REFUSED, "3100", "not proven in this session", CLAUSE,
          Mark.PROFILE, Space.VHC)
def proof_recorded() -> Result:
    bench = guardians_desk()
    yesterdays = read_sign1(consult(bench).value(vhc.DELEGATION, "proof"))
    with patch.object(phone_home, "make_proof", lambda *_: yesterdays):
        return tried(lambda: identified(bench))


@ROWS.add("a ward's card shown as the guardian's own: the issuer's mark left out of the answer", Kind.REFUSED, "4043",
          "the desk asks for the mark, and an answer without it is not taken", CLAUSE, Mark.PROFILE)
def mark_left_out() -> Result:
    """The phone's software is the guardian's: it selects all that was asked for, but the mark."""
    bench = guardians_desk()
    held = bench.phone.cards.get("ward")
    assert held is not None
    kept = {s: tuple(i for i in items if i.identifier != "held_under") for s, items in held.issued.items.items()}
    bench.phone.install(replace(held, issued=replace(held.issued, items=kept)))
    return tried(lambda: identified(bench))

