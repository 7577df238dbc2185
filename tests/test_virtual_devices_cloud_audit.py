"""The audit log: an entry with each access and change or none of both, nothing personal in it, and a holder finds their own."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from virtual_devices.cloud.audit import AUDIT, AuditLog, Head, Who, read_head, sign_head
from virtual_devices.cloud.books import MemoryBooks
from virtual_devices.cloud.core import Person
from virtual_devices.cloud.registers import Identity
from virtual_devices.errors import PeerError
from virtual_devices.merkle import leaf_hash, verify_consistency, verify_inclusion
from virtual_devices.pki import ChainVerifier, Role

from . import shelves
from .desk import AUTHORITY, CARD_NO, DOCTOR_ID, HOLDER, INSTITUTION, NOW_NS, SAM_ID, STRANGER, Bench
from .shelves import fresh_books
from .test_virtual_devices_cloud_service import ask, request
from .told import a_file, a_visit

over_each = shelves.over_each
CENTRE = AUTHORITY.issue(Role.DATA_CENTRE, "IDC")
ROOT = ChainVerifier(AUTHORITY.root_der)


def filled(books: Any, count: int = 20) -> AuditLog:
    log = AuditLog(books, b"secret")
    for number in range(count):
        log.institution(NOW_NS + number, "0", INSTITUTION, SAM_ID, "begin-visit", f"{number % 3:012d}")
    return log


def test_every_head_continues_those_before() -> None:
    log = filled(fresh_books(), 0)
    heads = []
    for number in range(12):
        heads.append(log.head(NOW_NS))
        log.person(NOW_NS, "0", Who.PHONE, "phone", "sync", str(number))
    last = log.head(NOW_NS)
    assert [head.size for head in heads] == list(range(12))
    for head in heads:
        assert verify_consistency(head.size, head.root, last.size, last.root, log.tree.consistency(head.size, last.size))


def test_holder_finds_their_own_with_proofs_and_nobody_elses() -> None:
    log = filled(fresh_books())
    root = log.head(NOW_NS).root
    found = log.about("000000000001")
    assert [each.entry.number for each in found] == list(range(1, 20, 3))
    for each in found:
        assert verify_inclusion(leaf_hash(each.entry.encoded()), each.entry.number, each.size, each.proof, root)
    assert log.about("000000000009") == []


def test_entry_and_change_are_there_together_or_not_at_all() -> None:
    books = fresh_books()
    log = filled(books, 3)
    before = log.head(NOW_NS)
    with pytest.raises(RuntimeError), books.transaction():
        log.person(NOW_NS, "0", Who.OFFICER, "officer 7", "take-in", CARD_NO)
        raise RuntimeError
    assert log.head(NOW_NS) == before and len(books.shelf(AUDIT)) == 3


def test_head_is_believed_of_a_data_centre_of_this_authority_alone() -> None:
    head = Head(3, bytes(32), NOW_NS)
    assert read_head(sign_head(head, CENTRE), ROOT) == head
    for other in (STRANGER.issue(Role.DATA_CENTRE, "IDC"), AUTHORITY.issue(Role.SAM, SAM_ID, organisation=INSTITUTION)):
        with pytest.raises(PeerError, match="certificate is refused"):
            read_head(sign_head(head, other), ROOT)
    signed = bytearray(sign_head(head, CENTRE))
    signed[-1] ^= 1
    with pytest.raises(PeerError, match="signature is wrong"):
        read_head(bytes(signed), ROOT)


def test_data_centre_writes_down_who_did_what_to_whom_and_what_it_said() -> None:
    bench = Bench()
    log = bench.cloud.audit
    _, begun = ask(bench.cloud, request())
    bench.cloud.handle(request("begin-visit", {"card_no": "999999999999", "visit_type": "01"}, _3=b"2" * 16), NOW_NS)
    ask(bench.cloud, request("roll-back", {"identifier": begun["identifier"]}))
    ask(bench.cloud, request("verify-sam", {"challenge": b"c" * 16}))
    told = [(e.who, e.actor, e.what, e.subject, e.code) for e in bench.core.books.shelf(AUDIT)]
    mine, here = log.pseudonym(CARD_NO), f"{INSTITUTION}/{SAM_ID}"
    assert told == [
        (Who.INSTITUTION, here, "begin-visit", mine, "0"),
        (Who.INSTITUTION, here, "begin-visit", log.pseudonym("999999999999"), "9012"),
        (Who.INSTITUTION, here, "roll-back", mine, "0"),
        (Who.INSTITUTION, here, "verify-sam", b"", "0"),
    ]


def test_every_record_of_an_upload_is_an_entry_of_its_patients() -> None:
    bench = Bench()
    bench.core.enrol(Person("000000000002"))
    bench.cloud.registers.take_in(Identity("B123456780", "000000000002", "王大明", HOLDER.birth_roc, "M"))
    other = replace(a_visit(1), national_id="B123456780", card_no="000000000002")
    whole = a_file(a_visit(), other)
    part = {"batch": b"b" * 16, "digest": hashlib.sha256(whole).digest(), "index": 0, "total": 1, "part": whole}
    ask(bench.cloud, request("upload", part))
    assert [len(bench.cloud.audit.about(card_no)) for card_no in (CARD_NO, "000000000002")] == [1, 1]


def test_log_holds_nothing_personal() -> None:
    books = MemoryBooks()
    log = AuditLog(books, b"secret")
    log.institution(NOW_NS, "0", INSTITUTION, SAM_ID, "begin-visit", CARD_NO)
    log.person(NOW_NS, "0", Who.OFFICER, DOCTOR_ID, "take-in", CARD_NO)
    log.person(NOW_NS, "0", Who.PHONE, "a phone", "sync", CARD_NO)
    kept = b"".join(entry.encoded() for entry in books.shelf(AUDIT))
    assert not any(name.encode() in kept for name in (CARD_NO, DOCTOR_ID, "a phone")) and INSTITUTION.encode() in kept
    assert log.pseudonym(CARD_NO) != AuditLog(MemoryBooks(), b"another").pseudonym(CARD_NO)
