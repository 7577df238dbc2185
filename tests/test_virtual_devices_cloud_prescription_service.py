"""The data centre's operations on prescriptions: who may, what is refused and with which code, what is found, what is logged."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtual_devices.cloud.books import MemoryBooks
from virtual_devices.cloud.prescription_retention import proof_of
from virtual_devices.cloud.prescription_service import TAKES, PrescriptionService
from virtual_devices.cloud.prescriptions import Prescriptions
from virtual_devices.codes import lookup
from virtual_devices.cose import decode
from virtual_devices.link import Work
from virtual_devices.pki import DAY_NS, Identity, Role, Verified
from virtual_devices.prescription.acts import Dispensing
from virtual_devices.prescription.codes import CODES, Table
from virtual_devices.prescription.document import Prescription
from virtual_devices.write_back import Kind

from .desk import AUTHORITY, CARD_NO, DOCTOR_ID, NOW_NS, STRANGER, Bench
from .prescribed import (
    CLINIC,
    DOCTOR,
    OTHER_PHARMACY,
    PHARMACIST,
    PHARMACY,
    PHARMACY_SAM,
    Register,
    about,
    number,
    rx,
    signed,
)

ROOT = AUTHORITY.verifier()
OTHER_SAM = AUTHORITY.issue(Role.SAM, "SAM000000003", organisation=OTHER_PHARMACY)
CHAINS = [list(identity.chain) for identity in (DOCTOR, CLINIC, PHARMACIST, PHARMACY_SAM)]


def who(identity: Identity) -> Verified:
    found = ROOT.check(identity.chain, {Role.SAM}, NOW_NS)
    assert isinstance(found, Verified)
    return found


@dataclass
class Centre:
    """The operations, and whose data they were about."""

    told: list[str] = field(default_factory=list)
    revoked: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.domain = Prescriptions(MemoryBooks())
        self.service = PrescriptionService(
            self.domain, ROOT, Work(), self.revoked, lambda card_no: card_no == CARD_NO, self.told.append,
        )

    def ask(self, name: str, sam: Identity = CLINIC, now_ns: int = NOW_NS, **arguments: Any) -> tuple[str, dict[str, Any]]:
        code, body = self.service.operations()[name](who(sam), bytes(16), arguments, now_ns)
        assert cbor2.loads(cbor2.dumps(body)) is not None
        return code, body

    def store(self, document: Prescription | None = None, **more: Any) -> tuple[str, dict[str, Any]]:
        return self.ask("rx-store", record=signed((document or rx()).record()), chains=CHAINS, **more)


def dispensing(issue: int = 1, name: str = "first") -> bytes:
    known = replace(about(rx()), digest=hashlib.sha256(signed(rx().record())).digest())
    return signed(Dispensing(number(name), known, PHARMACY, NOW_NS, issue).record(), PHARMACIST, PHARMACY_SAM)


def test_prescription_is_stored_found_and_dispensed() -> None:
    centre = Centre()
    code, body = centre.store()
    assert code == "0" and body["state"] == "issued" and body["issues"] == 1 and not body["again"]
    assert centre.store()[1]["again"]
    code, body = centre.ask("rx-find", PHARMACY_SAM, card_no=CARD_NO)
    [found] = body["prescriptions"]
    assert code == "0" and found["records"] == [signed(rx().record())] and found["id"] == rx().id
    assert sorted(body["chains"]) == sorted(CHAINS[:2])
    code, body = centre.ask("rx-dispense", PHARMACY_SAM, record=dispensing(), chains=CHAINS)
    assert code == "0" and body["state"] == "completed" and body["issue"] == 1
    code, body = centre.ask("rx-dispense", PHARMACY_SAM, record=dispensing(2, "more"), chains=CHAINS)
    assert (code, body["table"]) == ("D019", "check") and body["state"] == "completed" and "issue" not in body
    assert set(centre.told) == {CARD_NO}


def test_dispensing_brings_the_prescription_along() -> None:
    centre = Centre()
    code, _ = centre.ask("rx-dispense", PHARMACY_SAM, record=dispensing(), chains=CHAINS)
    assert code == "D049"
    more = {"record": dispensing(), "chains": CHAINS, "documents": [signed(rx().record()), b"rubbish"]}
    code, body = centre.ask("rx-dispense", PHARMACY_SAM, **more)
    assert code == "0" and body["state"] == "completed" and centre.store()[1]["again"]


def test_what_is_told_of_is_kept_with_what_is_against_it() -> None:
    centre = Centre()
    first = {"record": dispensing(), "chains": CHAINS, "documents": [signed(rx().record())]}
    assert centre.ask("rx-tell", PHARMACY_SAM, **first)[1]["issue"] == 1
    code, body = centre.ask("rx-tell", PHARMACY_SAM, record=dispensing(1, "twice"), chains=CHAINS)
    assert code == "0" and body["dispensed"] == 1 and len(body["conflicts"]) == 1
    assert body["conflicts"][0]["found"] == ["D019"] and body["conflicts"][0]["institution"] == PHARMACY


# -- refusals

def forged(identity: Identity, as_: Identity) -> Identity:
    return Identity(identity.key, as_.chain)


STRANGE = STRANGER.issue(Role.PHYSICIAN, DOCTOR_ID)


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (signed(rx().record(), forged(PHARMACIST, DOCTOR)), "1420"),
        (signed(rx().record(), sam=forged(PHARMACIST, CLINIC)), "3100"),
        (signed(rx().record(), PHARMACIST), "3212"), (signed(rx().record(), sam=PHARMACY_SAM), "3211"),
        (signed(rx().record(), STRANGE), "1423"), (signed(rx(card_no="1").record()), "9012"),
        (signed(rx(card_no="").record()), "9012"), (signed(rx(days=8).record()), "RX03"), (dispensing(), "9002"),
        (signed(replace(rx().record(), fields={1: rx().institution, 2: "x", 7: CARD_NO})), "9002"), (b"", "9002"),
        (b"\xa0", "9002"),
    ],
)
def test_record_that_is_not_as_it_must_be_is_refused_with_its_code(record: bytes, code: str) -> None:
    centre = Centre()
    told, body = centre.ask("rx-store", record=record, chains=[*CHAINS, list(STRANGE.chain)])
    assert told == code and body["why"] and not list(centre.domain.of_holder(CARD_NO))


def test_signer_that_was_revoked_or_whose_time_is_over_is_refused() -> None:
    centre = Centre()
    centre.revoked.add(who_is(DOCTOR).serial)
    assert centre.store()[0] == "1424"
    late = replace(rx(), issued_ns=NOW_NS - 400 * DAY_NS, last_day=rx().last_day)
    assert Centre().store(late)[0] == "1422"


def who_is(identity: Identity) -> Verified:
    found = ROOT.check(identity.chain, {Role.PHYSICIAN}, NOW_NS)
    assert isinstance(found, Verified)
    return found


def test_institution_brings_only_what_it_signed_itself() -> None:
    centre = Centre()
    assert centre.ask("rx-store", PHARMACY_SAM, record=signed(rx().record()), chains=CHAINS)[0] == "3211"
    centre.store()
    assert centre.ask("rx-tell", OTHER_SAM, record=dispensing(), chains=CHAINS)[0] == "3211"


def test_operation_takes_its_own_kinds_only() -> None:
    kinds = {kind for kinds in TAKES.values() for kind in kinds}
    assert kinds == set(Kind) - {Kind.VISIT, Kind.FEE}
    centre = Centre()
    centre.store()
    for name in set(TAKES) - {"rx-dispense", "rx-tell"}:
        assert centre.ask(name, PHARMACY_SAM, record=dispensing(), chains=CHAINS)[0] == "9002"


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=5,
)


@given(st.sampled_from([*TAKES, "rx-find", "rx-doubts"]), st.dictionaries(
    st.sampled_from(["record", "chains", "documents", "card_no", "number", "id", "else"]), VALUE, max_size=4), st.booleans())
@settings(max_examples=50, deadline=None)
def test_whatever_is_asked_is_answered(name: str, arguments: dict[str, Any], good: bool) -> None:
    centre = Centre()
    centre.store()
    if good and name in TAKES:
        arguments = {"record": signed(rx("other").record()), "chains": CHAINS, **arguments}
    code, body = centre.ask(name, PHARMACY_SAM, **arguments)
    table = Table(body.get("table", "cshis"))
    assert code in {str(c) for c in CODES.values() if c.table is table}


def test_chains_that_are_too_many_are_refused() -> None:
    assert Centre().ask("rx-store", record=signed(rx().record()), chains=[*CHAINS, *[CHAINS[0]] * 8])[0] == "9002"
    assert Centre().ask("rx-store", record=signed(rx().record()), chains=[[bytes(5000)]])[0] == "9002"


def test_codes_of_the_field_are_in_the_fields_tables() -> None:
    for code in CODES.values():
        if code.table in (Table.CSHIS, Table.VHC):
            assert lookup(code.number, code.table.value).known, code


# -- who finds what

def test_what_was_not_released_concerns_who_prescribed_it_only() -> None:
    centre = Centre()
    own = rx(entries=(replace(rx().entries[0], delivery_mark="01"),))
    assert centre.store(own)[0] == "0"
    assert centre.ask("rx-find", PHARMACY_SAM, card_no=CARD_NO)[1]["prescriptions"] == []
    assert len(centre.ask("rx-find", card_no=CARD_NO)[1]["prescriptions"]) == 1
    assert len(centre.ask("rx-find")[1]["prescriptions"]) == 1 and centre.ask("rx-find", PHARMACY_SAM)[1]["prescriptions"] == []


def test_found_by_number_and_by_id() -> None:
    centre = Centre()
    centre.store()
    for what in ({"number": rx().visit}, {"id": rx().id}):
        assert [one["id"] for one in centre.ask("rx-find", PHARMACY_SAM, **what)[1]["prescriptions"]] == [rx().id]
    for what in ({"number": "1"}, {"id": bytes(16)}, {"card_no": "2"}):
        assert centre.ask("rx-find", PHARMACY_SAM, **what)[1]["prescriptions"] == []
    assert centre.ask("rx-find", card_no=CARD_NO, number="1")[0] == "9002"


# -- the whole device

def test_device_deletes_after_the_time_and_says_so_in_its_log() -> None:
    bench = Bench()
    domain = bench.cloud.prescriptions
    assert domain.take(Register().store(rx()), NOW_NS).ok
    [folder] = domain.of_holder(CARD_NO)
    assert bench.cloud.delete_due(folder.keep_until_ns - 1) == []
    [deletion] = bench.cloud.delete_due(folder.keep_until_ns)
    statement = decode(deletion.statement)
    centre = ROOT.check(statement.chain, {Role.DATA_CENTRE}, NOW_NS)
    assert isinstance(centre, Verified) and statement.verify(centre.key)
    assert proof_of(bench.core.books, rx().id) is not None
    told = [(proven.entry.what, proven.entry.under) for proven in bench.cloud.audit.about(CARD_NO)]
    assert told == [("rx-delete", hashlib.sha256(deletion.statement).digest())]


def test_phone_is_given_what_phones_keep() -> None:
    r = Register()
    document = rx()
    r.store(document)
    given_ = r.dispensing(document)
    r.take(given_)
    r.take(r.written(given_, document))
    assert [row.id for row in r.domain.for_phone(CARD_NO, {document.device})] == [document.id, given_.record.id]
    assert r.domain.for_phone(CARD_NO, {bytes(32)}) == r.domain.for_phone("000000000000", {document.device}) == []


def test_phone_is_given_each_record_with_its_signers() -> None:
    centre = Centre()
    centre.store()
    centre.ask("rx-dispense", PHARMACY_SAM, record=dispensing(), chains=CHAINS)
    prescribed, given_ = centre.service.for_phone(CARD_NO, {rx().device})
    assert prescribed.records == (signed(rx().record()),) and given_.records == (dispensing(),)
    assert sorted(map(list, prescribed.chains)) == sorted(CHAINS[:2]) and sorted(map(list, given_.chains)) == sorted(CHAINS[2:])
    assert prescribed.holder == rx().device and prescribed.id != given_.id
