"""What a reader takes apart: codes, lists, credentials and records that are rightly signed and wrongly made."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import cbor2
from cryptography import x509

from conformance.case import Each, Nature, case
from conformance.kinds.reader import ReaderTester, Script, ScriptedCard, Task, other_session
from conformance.references.reader import Wants
from conformance.scripted import Answer, storing
from conformance.vectors import authorizations
from conformance.vectors.codes import Phone
from conformance.vectors.credentials import _resigned as resigned
from conformance.vectors.lists import LIFE_S, TTL_S, cards
from conformance.vectors.model import Input
from conformance.vectors.suite import Suite, flipped
from conformance.vectors.world import CARD_NO, INSTITUTION, STATUS_URI, Reader, World
from virtual_devices import cwt, vhc
from virtual_devices.apdu import Command
from virtual_devices.authorization import Purpose, Scope
from virtual_devices.certificates import DOCUMENT_SIGNER
from virtual_devices.clock import NS, from_datetime
from virtual_devices.cose import KCWT, X5CHAIN, decode
from virtual_devices.link import Outcome
from virtual_devices.mdoc import type4
from virtual_devices.mdoc.mso import StatusReference
from virtual_devices.mdoc.request import DeviceRequest
from virtual_devices.mdoc.tagged import dumps, read_map, tdate
from virtual_devices.pki import READER_AUTHENTICATION, Identity, Role
from virtual_devices.qr import card
from virtual_devices.status_list import MAX_PACKED_BYTES, MEDIA_TYPE
from virtual_devices.write_back import Kind, Record, holder_of

from conformance.records import signed  # isort: skip

NOT_READ, NOT_A_CARD, NO_CARD, SILENT = "4043", "4033", "4013", "4000"
UNREADABLE_CODE = "1520"
GUARDIAN = card.Guardian(bytes(range(16)), "000000000099", "陳美玲", frozenset({Scope.BASIC}), Purpose.CARE)


# -- codes

def _codes() -> Mapping[str, Each]:
    """A card's code with one thing changed in what is signed."""
    Make = Callable[[Phone], bytes]

    def wrapper(header: Callable[[Any], Any]) -> Make:
        return lambda phone: phone.show(header={KCWT: header(decode(phone.inner()).item())})

    def headers(change: Callable[[bytes], Mapping[Any, Any]], unprotected: Mapping[Any, Any] | None = None) -> Make:
        def made(phone: Phone) -> bytes:
            signer = phone.world.signer
            values = cbor2.loads(decode(phone.inner()).payload or b"")
            protected = change(card.key_id(signer.chain[0]))
            return phone.show(cwt.make(signer.key, values, protected=protected, unprotected=unprotected).to_bytes())
        return made

    def claims(change: Callable[[dict[Any, Any]], object], guardian: card.Guardian | None = None) -> Make:
        def made(phone: Phone) -> bytes:
            signer = phone.world.signer
            values = cbor2.loads(decode(phone.inner(guardian=guardian)).payload or b"")
            change(values)
            return phone.show(cwt.make(signer.key, values, protected={4: card.key_id(signer.chain[0])}).to_bytes())
        return made

    def data(change: Callable[[dict[Any, Any]], object], guardian: card.Guardian | None = None) -> Make:
        return claims(lambda values: change(values[card.DATA]), guardian)

    rows: Mapping[str, tuple[Make, str, tuple[str, ...]]] = {
        "card-untagged": (wrapper(list), "The card in header 13 has no tag.", ("P-QRC-05",)),
        "card-tag-98": (wrapper(lambda item: cbor2.CBORTag(98, item)), "The card in header 13 has tag 98.", ("P-QRC-05",)),
        "card-more-headers": (headers(lambda kid: {4: kid, 99: 1}), "The card has one header more.", ("P-QRC-05", "P-QRC-01")),
        "card-no-kid": (headers(lambda _: {}), "The card does not name its signer.", ("P-QRC-01",)),
        "card-kid-text": (headers(lambda _: {4: "12345678"}), "The name of the signer is a text.", ("P-QRC-01",)),
        "card-kid-long": (headers(lambda kid: {4: kid + b"\0"}), "The name of the signer has nine bytes.", ("P-QRC-01",)),
        "card-unprotected": (headers(lambda kid: {4: kid}, {33: b"x"}), "The card has a header that nothing protects.",
                             ("P-QRC-05",)),
        "no-iat": (lambda phone: phone.show(without=cwt.IAT), "The wrapper does not say when it was made.", ("P-QRC-04",)),
        "card-no-start": (claims(lambda values: values.pop(cwt.NBF)), "The card has no beginning.", ("P-QRC-02",)),
        "card-no-end": (claims(lambda values: values.pop(cwt.EXP)), "The card has no end.", ("P-QRC-02",)),
        "card-no-key": (claims(lambda values: values.pop(cwt.CNF)), "The card has no key.", ("P-QRC-02",)),
        "card-no-status": (claims(lambda values: values.pop(cwt.STATUS)), "The card has no place in a list.", ("P-QRC-02",)),
        "card-no-id": (claims(lambda values: values.pop(cwt.CTI)), "The card has no number.", ("P-QRC-02",)),
        "data-list": (claims(lambda values: values.update({card.DATA: [1]})), "The card's data are a list.", ("P-QRC-02",)),
        "data-numbers": (claims(lambda values: values.update({card.DATA: list(range(1, 9))})),
                         "The card's data are the list of their numbers.", ("P-QRC-02",)),
        "data-key-true": (data(lambda found: found.update({True: found.pop(1)})), "A key of the card's data is a truth value.",
                          ("P-QRC-02",)),
        "data-key-text": (data(lambda found: found.update({"more": 1})), "A key of the card's data is a text.", ("P-QRC-02",)),
        "data-less": (data(lambda found: found.pop(8)), "The card's data lack the last field.", ("P-QRC-02",)),
        "name-number": (data(lambda found: found.update({2: 7})), "The name is a number.", ("P-QRC-02",)),
        "device-text": (data(lambda found: found.update({9: "x" * 32})), "The id of the device is a text.", ("P-QRC-02",)),
        "device-short": (data(lambda found: found.update({9: bytes(31)})), "The id of the device has 31 bytes.", ("P-QRC-02",)),
        "ward-no-device": (data(lambda found: found.pop(9), GUARDIAN), "A ward's card does not say whom records are for.",
                           ("P-QRC-12",)),
        "date-text": (data(lambda found: found.update({4: "19580203"})), "The birth date is a text.", ("P-QRC-02",)),
        "date-nothing": (data(lambda found: found.update({4: 0})), "The birth date is 0.", ("P-QRC-02",)),
        "date-endless": (data(lambda found: found.update({4: 1 << 63})), "The birth date is beyond every calendar.",
                         ("P-QRC-02", "P-GEN-08")),
        "date-long": (data(lambda found: found.update({4: 100_000_101})), "The birth date has nine digits.", ("P-QRC-02",)),
    }
    return {name: Each(make, says, "", clauses) for name, (make, says, clauses) in rows.items()}


@case(nature=Nature.INVALID, zh="卡片條碼：簽章正確而結構有誤", channels=("ble",), when='"qr" in media', each=_codes)
def test_structure_of_a_code_is_judged(reader: ReaderTester, make: Callable[[Phone], bytes]) -> None:
    """A code that its card's key has signed, and that is not made as its rule has it, is no code; the next one is taken."""
    reader.give_lists()
    phone = Phone(reader.world)
    told = reader.scan(make(phone).decode())
    reader.refused(told, UNREADABLE_CODE)
    reader.equal("for whom", told.for_whom, "")
    told = reader.scan(phone.show().decode())
    reader.equal("the right code", (told.code, told.card_no), ("0", CARD_NO))


@case("P-QRC-08", nature=Nature.ATTACK, zh="用過之條碼：記到失效後 30 秒", channels=("ble",), when='"qr" in media')
def test_code_that_was_used_is_remembered_to_its_last_moment(reader: ReaderTester) -> None:
    """A code that is shown again in the last second of its skew, long after it was used, is known."""
    reader.give_lists()
    phone, begun_ns = Phone(reader.world), reader.reader.now_ns()
    text = phone.show(at_ns=begun_ns, lifetime_s=60).decode()
    reader.equal("the first time", reader.scan(text).code, "0")
    reader.at(begun_ns + 89 * NS)
    reader.refused(reader.scan(text), "1020")


# -- lists

def _lists() -> Mapping[str, Each]:
    Body = Callable[[dict[Any, Any]], object]
    packed = cards().compressed()

    def body(**more: Any) -> Body:
        return lambda claims: claims.update({cwt.STATUS_LIST: {"bits": 2, "lst": packed, **more}})

    rows: Mapping[str, tuple[Body, str, bool]] = {
        "no-address": (lambda claims: claims.pop(cwt.SUB), "It does not say which list it is.", False),
        "no-date": (lambda claims: claims.pop(cwt.IAT), "It does not say of when it is.", False),
        "no-list": (lambda claims: claims.pop(cwt.STATUS_LIST), "It has no list.", False),
        "list-text": (lambda claims: claims.update({cwt.STATUS_LIST: "list"}), "The list is a text.", False),
        "bits-true": (body(bits=True), "The bits of an entry are a truth value.", False),
        "bits-16": (body(bits=16), "Sixteen bits an entry.", False),
        "bits-text": (body(bits="2"), "The bits of an entry are a text.", False),
        "packed-text": (body(lst="packed"), "The packed list is a text.", False),
        "longest": (body(lst=zlib.compress(bytes(MAX_PACKED_BYTES), 9)), "The longest list that there may be.", True),
    }
    usual, at_bound = ("P-STA-03", "P-STA-01"), ("P-STA-06", "P-STA-01")
    return {name: Each((change, taken), says, "", at_bound if taken else usual,
                       Nature.LIMIT if taken else Nature.INVALID)
            for name, (change, says, taken) in rows.items()}


@case("P-STA-01", "P-STA-06", nature=Nature.INVALID, zh="狀態清單：標頭另有型別，或非權杖")
def test_message_that_is_no_list_is_not_taken(reader: ReaderTester) -> None:
    """What says that it is of another type, and what is no message, is no list: the card is served and marked."""
    world = reader.world
    seconds = cwt.seconds(world.now_ns)
    claims: dict[int | str, Any] = {cwt.SUB: STATUS_URI, cwt.IAT: seconds, cwt.EXP: seconds + LIFE_S, cwt.TTL: TTL_S,
                                    cwt.STATUS_LIST: {"bits": 2, "lst": cards().compressed()}}
    other = cwt.make(world.centre.key, claims, protected={16: card.MEDIA_TYPE}, unprotected={X5CHAIN: list(world.centre.chain)})
    for raw in (other.to_bytes(), b"\xff\xff"):
        reader.give_lists(raw)
    told, _ = reader.present()
    reader.done(told)
    reader.marked(told, True)


@case(nature=Nature.INVALID, zh="狀態清單：簽章正確而結構有誤", each=_lists)
def test_structure_of_a_list_is_judged(reader: ReaderTester, value: tuple[Callable[[dict[Any, Any]], object], bool]) -> None:
    """A list that is rightly signed and wrongly made is not taken: the card is served and marked; a right list is taken after."""
    change, taken = value
    world = reader.world
    claims: dict[int | str, Any] = {
        cwt.SUB: STATUS_URI, cwt.IAT: cwt.seconds(world.now_ns), cwt.EXP: cwt.seconds(world.now_ns) + LIFE_S, cwt.TTL: TTL_S,
        cwt.STATUS_LIST: {"bits": 2, "lst": cards().compressed()},
    }
    change(claims)
    made = cwt.make(world.centre.key, claims, protected={16: MEDIA_TYPE}, unprotected={X5CHAIN: list(world.centre.chain)})
    reader.give_lists(made.to_bytes())
    told, _ = reader.present()
    reader.done(told)
    reader.marked(told, not taken)
    reader.give_lists()
    told, _ = reader.present()
    reader.done(told)
    reader.equal("marked with a list that is right", told.marked, False)


@case("P-STA-01", "P-STA-05", nature=Nature.LIMIT, zh="清單第一個位置")
def test_first_place_of_a_list_is_looked_up(reader: ReaderTester) -> None:
    """The card at place 0 is found in its list."""
    reader.give_lists()
    reader.need_lists()
    told, _ = reader.present(Task.REGISTER, Script(carries=reader.world.credential(place=StatusReference(STATUS_URI, 0))))
    reader.done(told)
    reader.marked(told, False)


# -- credentials

def _item(world: World, change: Callable[[dict[str, Any]], object]) -> bytes:
    """The credential with the item of the name changed, and its digest with it."""
    changed: list[tuple[int, Any]] = []
    for tag in world.issued.item()["nameSpaces"][vhc.BASIC]:
        item = cbor2.loads(tag.value)
        if item["elementIdentifier"] == "name":
            number = item["digestID"]
            change(item)
            changed = [(number, cbor2.CBORTag(24, dumps(item)))]
    [(number, made)] = changed
    digest = hashlib.sha256(cbor2.dumps(made)).digest()
    body = resigned(world, lambda mso: mso["valueDigests"][vhc.BASIC].update({number: digest}))
    body["nameSpaces"][vhc.BASIC] = [
        made if cbor2.loads(tag.value)["elementIdentifier"] == "name" else tag for tag in body["nameSpaces"][vhc.BASIC]
    ]
    return dumps(body)


def _mso(change: Callable[[World, dict[str, Any]], object]) -> Callable[[World], bytes]:
    return lambda world: dumps(resigned(world, lambda mso: change(world, mso)))


def _dates(**changed: Callable[[World], int]) -> Callable[[World], bytes]:
    def change(world: World, mso: dict[str, Any]) -> None:
        mso["validityInfo"].update({name: tdate(at(world)) for name, at in changed.items()})

    return _mso(change)


def _swapped(_: World, mso: dict[str, Any]) -> None:
    digests = mso["valueDigests"][vhc.BASIC]
    first, second = sorted(digests)[:2]
    digests[first], digests[second] = digests[second], digests[first]


def _by_another_purpose(world: World) -> bytes:
    key = world.signer.key
    leaf = world.leaf(DOCUMENT_SIGNER, "document signer", key.public_key(), [Role.DOCUMENT_SIGNER.oid], [READER_AUTHENTICATION],
                      by_iaca=True)
    return dumps(world.credential(signer=Identity(key, (leaf,)), from_ns=world.now_ns).item())


def _window(world: World) -> tuple[int, int]:
    leaf = x509.load_der_x509_certificate(world.signer.chain[0])
    return from_datetime(leaf.not_valid_before_utc), from_datetime(leaf.not_valid_after_utc)


SKEW_NS = 30 * NS
_AT_ITS_END = _dates(validUntil=lambda w: w.now_ns - SKEW_NS)


@case(nature=Nature.INVALID, zh="憑證：簽章正確而內容有誤", each=lambda: {
    name: Each((make, code), says, "", clauses, nature)
    for name, make, code, says, clauses, nature in (
        ("random-15", lambda w: _item(w, lambda i: i.update(random=bytes(15))), NOT_READ, "An item's random has 15 bytes.",
         ("P-MSO-03",), Nature.LIMIT),
        ("random-16", lambda w: _item(w, lambda i: i.update(random=bytes(16))), "0", "An item's random has 16 bytes.",
         ("P-MSO-03",), Nature.LIMIT),
        ("no-value", lambda w: _item(w, lambda i: i.pop("elementValue")), NOT_READ, "An item has no value.", ("P-MSO-03",),
         Nature.INVALID),
        ("digest-by-text", _mso(lambda _, m: m["valueDigests"][vhc.BASIC].update({"x": bytes(32)})), NOT_A_CARD,
         "A digest stands under a text.", ("P-MSO-03",), Nature.INVALID),
        ("digests-swapped", _mso(_swapped), NOT_A_CARD, "Two elements' digests stand in each other's place.", ("P-BEL-01",),
         Nature.ATTACK),
        ("no-status", _mso(lambda _, m: m.pop("status")), "0", "It names no place in a list.", ("P-BEL-03",), Nature.VALID),
        ("signer-for-readers", _by_another_purpose, NOT_A_CARD, "Its signer's certificate is for readers (extendedKeyUsage).",
         ("P-CRT-07", "P-MSO-02"), Nature.ATTACK),
        ("digest-text", _mso(lambda _, m: m["valueDigests"][vhc.BASIC].update({9999: "x"})), NOT_A_CARD,
         "A digest is a text.", ("P-MSO-03",), Nature.INVALID),
        ("signed-first-second", _dates(signed=lambda w: _window(w)[0] - SKEW_NS), "0",
         "Signed 30 s before the signer's certificate began.", ("P-BEL-01", "P-GEN-07"), Nature.LIMIT),
        ("signed-a-second-earlier", _dates(signed=lambda w: _window(w)[0] - SKEW_NS - NS), NOT_A_CARD,
         "Signed 31 s before the signer's certificate began.", ("P-BEL-01", "P-GEN-07"), Nature.LIMIT),
        ("signed-last-second", _dates(signed=lambda w: _window(w)[1] + SKEW_NS), "0",
         "Signed 30 s after the signer's certificate ends.", ("P-BEL-01", "P-GEN-07"), Nature.LIMIT),
        ("signed-a-second-later", _dates(signed=lambda w: _window(w)[1] + SKEW_NS + NS), NOT_A_CARD,
         "Signed 31 s after the signer's certificate ends.", ("P-BEL-01", "P-GEN-07"), Nature.LIMIT),
        ("begins-in-30-s", _dates(validFrom=lambda w: w.now_ns + SKEW_NS), "0", "It begins in 30 s.", ("P-GEN-07",),
         Nature.LIMIT),
        ("begins-in-an-hour", _dates(validFrom=lambda w: w.now_ns + 3600 * NS), "5003", "It begins in an hour.",
         ("P-GEN-07", "P-BEL-01"), Nature.INVALID),
        ("ended-30-s-ago", _AT_ITS_END, "0", "It ended 30 s ago.", ("P-GEN-10", "P-GEN-07"),
         Nature.LIMIT),
        ("ended-an-hour-ago", _dates(validUntil=lambda w: w.now_ns - 3600 * NS), "5003", "It ended an hour ago.",
         ("P-GEN-10", "P-BEL-01"), Nature.INVALID),
    )})
def test_contents_of_a_credential_are_judged(reader: ReaderTester, value: tuple[Callable[[World], bytes], str]) -> None:
    """A credential that its issuer has signed is taken apart: what is not as its rule has it is refused, bounds are taken."""
    make, code = value
    reader.give_lists()
    if make is _AT_ITS_END:
        reader.to_the_second()
    raw = make(reader.world)

    def say(shown: ScriptedCard, asked: DeviceRequest, _: int) -> bytes:
        whole = read_map(shown.right(asked), "the response")
        empty = dumps({**whole["documents"][0], "issuerSigned": {}})
        at = empty.index(b"\x6cissuerSigned\xa0")
        document = empty[:at] + b"\x6cissuerSigned" + raw + empty[at + 14 :]
        return b"\xa3\x66status\x00\x67version\x631.0\x69documents\x81" + document

    told, _ = reader.present(Task.REGISTER, Script(say=say))
    reader.told(told, code)
    if code != "0":
        reader.equal("nothing of the card", told.card_no, "")


@case("P-AUT-08", "P-BEL-04", nature=Nature.ATTACK, zh="授權有效，惟卡片持有於另一授權之下")
def test_card_held_under_another_authorization_is_refused(reader: ReaderTester) -> None:
    """A card held under one authorization, shown with another one that is good in itself, is beyond the right."""
    reader.give_lists()
    world = reader.world
    carried = world.credential(device=world.guardian, held_under=b"0123456789abcdef")

    def say(shown: ScriptedCard, asked: DeviceRequest, _: int) -> bytes:
        suite = Suite()
        authorizations.add(suite, shown.world, shown.opened, other_session(shown.world))  # type: ignore[arg-type]
        files = suite.vectors["authorization/parent"].files
        proof = cbor2.loads(suite.files[files[Input.PROOF]])
        shown.script.values = {vhc.RECORDS: {"generation": 0},
                               vhc.DELEGATION: {"authorization": suite.files[files[Input.AUTHORIZATION]], "proof": proof}}
        return shown.right(asked)

    told, _ = reader.present(Task.REGISTER, Script(say=say, carries=carried, device=world.guardian))
    reader.refused(told, "4029")


@case("P-GEN-08", nature=Nature.INVALID, zh="資料中心不認得之卡：不予掛號")
def test_card_that_the_data_centre_does_not_know_is_not_registered(reader: ReaderTester) -> None:
    """A card that is right in itself, of a person whom the data centre does not know, begins no visit."""
    reader.give_lists()
    world = reader.world
    changed = replace(world)
    changed.__dict__["holder"] = replace(world.holder, card_no="000087654321")
    told, _ = reader.present(Task.REGISTER, Script(carries=changed.credential()))
    reader.refused(told, "9012")


@case("P-WBK-02", nature=Nature.INVALID, zh="世代不是自然數：不寫入", each=lambda: {
    name: Each(value, f"The generation is {name}.")
    for name, value in (("text", "0"), ("true", True), ("negative", -1), ("missing", None))})
def test_card_that_does_not_say_its_generation_is_not_written(reader: ReaderTester, value: object) -> None:
    """Without the generation of what the card holds no batch is made for it."""
    values: Mapping[str, Mapping[str, Any]] = {vhc.RECORDS: {} if value is None else {"generation": value}}
    told, shown = reader.present(Task.WRITE, storing(values=values))
    reader.told(told, NOT_READ)
    batches = [one for one in shown.requests if vhc.WRITE_INFO in one.documents[0].items.info]
    reader.equal("batches", len(batches), 0)


# -- records on the phone

def _records() -> Mapping[str, Each]:
    """What a phone shows as a prescription, and the certificates with it."""
    Make = Callable[[World], tuple[Any, Any]]

    def record(world: World, **more: Any) -> Record:
        usual: dict[str, Any] = {"kind": Kind.VISIT, "id": bytes(15) + b"\7", "holder": holder_of(world.device_key),
                                 "at_ns": world.now_ns, "fields": {1: "W001", 2: "01", 3: INSTITUTION}}
        return Record(**{**usual, **more})

    def chains(*who: Reader) -> dict[bytes, list[bytes]]:
        return {hashlib.sha256(one.chain[0]).digest(): list(one.chain) for one in who}

    def both(world: World) -> tuple[Reader, Reader]:
        return world.physician, world.sam

    def usual(world: World) -> tuple[Any, Any]:
        return [signed(record(world), *both(world), world=world)], chains(*both(world))

    def forged(world: World) -> tuple[Any, Any]:
        [raw], known = usual(world)
        return [raw[:-1] + flipped(raw[-1:])], known

    rows: Mapping[str, tuple[Make, str, str, tuple[str, ...]]] = {
        "right": (usual, "0", "A record as it must be.", ("P-WRT-01",)),
        "none": (lambda _: ([], {}), "0", "No record.", ("P-WRT-01",)),
        "no-list": (lambda w: (usual(w)[0][0], usual(w)[1]), "1420", "The records are no list.", ("P-WRT-01", "P-GEN-08")),
        "map": (lambda w: ({}, usual(w)[1]), "1420", "The records are a map with nothing in it.", ("P-WRT-01", "P-GEN-08")),
        "text": (lambda w: (["record"], usual(w)[1]), "1420", "A record is a text.", ("P-WRT-01", "P-GEN-08")),
        "cut": (lambda w: ([usual(w)[0][0][:-5]], usual(w)[1]), "1420", "A record is cut short.", ("P-WRT-01", "P-GEN-08")),
        "another-card": (lambda w: ([signed(record(w, holder=bytes(32)), *both(w), world=w)], chains(*both(w))), "5020",
                         "A record is for another card.", ("P-WRT-02",)),
        "sam-alone": (lambda w: ([signed(record(w), w.sam, world=w)], chains(*both(w))), "1420", "The SAM alone has signed.",
                      ("P-WRT-01",)),
        "doctor-alone": (lambda w: ([signed(record(w), w.physician, world=w)], chains(*both(w))), "1420",
                         "The physician alone has signed.", ("P-WRT-01",)),
        "other-order": (lambda w: ([signed(record(w), w.sam, w.physician, world=w)], chains(*both(w))), "1420",
                        "SAM and physician, in this order.", ("P-WRT-01",)),
        "three": (lambda w: ([signed(record(w), *both(w), w.sam, world=w)], chains(*both(w))), "1420", "Three have signed.",
                  ("P-WRT-01",)),
        "no-certificates": (lambda w: (usual(w)[0], {}), "1420", "No certificates.", ("P-WRT-01", "P-WRT-03")),
        "certificates-list": (lambda w: (usual(w)[0], [1]), "1420", "The certificates are a list.", ("P-WRT-03", "P-GEN-08")),
        "stranger": (lambda w: (
            [signed(record(w), stranger := w.reader(Role.PHYSICIAN, "stranger", authority=w.stranger), w.sam, world=w)],
            chains(stranger, w.sam)), "1420", "A physician of another root.", ("P-WRT-01",)),
        "signature-bit": (forged, "1420", "The last bit of a signature is turned over.", ("P-WRT-01",)),
    }
    return {name: Each((make, code), says, "", clauses, Nature.VALID if code == "0" else Nature.ATTACK)
            for name, (make, code, says, clauses) in rows.items()}


@case(nature=Nature.ATTACK, zh="手機所示之紀錄：須由該簽者簽章、為此卡所作", each=_records)
def test_records_on_the_card_are_judged(reader: ReaderTester, value: tuple[Callable[[World], tuple[Any, Any]], str]) -> None:
    """Records that a card shows are believed when those who must have signed them, for this card; else nothing is."""
    make, code = value
    reader.give_lists()
    shown, certificates = make(reader.world)
    values = {vhc.RECORDS: {"generation": 0, "prescriptions": shown, "certificates": certificates}}
    told, _ = reader.present(Task.COLLECT, Script(values=values))
    reader.told(told, code)
    if code != "0":
        reader.equal("nothing of the card", told.card_no, "")


# -- the medium

@case("P-GEN-08", "P-NFC-03", nature=Nature.MEDIUM, zh="卡片離開、無回應、受損：各有其代碼", each=lambda: {
    f"{outcome.value.replace('_', '-')}-{where}": Each(
        (outcome, where, code), f"{outcome.value}, at the {where}.",
        nature=Nature.TIMER if outcome is Outcome.TIMED_OUT else Nature.MEDIUM)
    for outcome, code in ((Outcome.GONE, NO_CARD), (Outcome.TIMED_OUT, SILENT), (Outcome.GARBLED, NOT_READ))
    for where in ("engagement", "request")})
def test_failure_of_the_medium_has_its_code(reader: ReaderTester, value: tuple[Outcome, str, str]) -> None:
    """Taken away it is *no card*, silent it is *timed out*, damaged it is *not read*: at the engagement and at the request."""
    outcome, where, code = value
    on_air = reader.channel == "ble"  # a code is engaged by connecting

    def fate(wants: Wants) -> Answer | None:
        nonlocal on_air
        if wants.role == "screen" or not wants.message:
            return None
        if on_air:
            struck = wants.connect is (where == "engagement")
        elif wants.connect:  # engaged already, by a tap
            struck, on_air = False, True
        else:
            ins = Command.parse(wants.message).ins
            struck = ins == (type4.READ_BINARY if where == "engagement" else 0xC3)
        return (outcome, None) if struck else None

    reader.give_lists()
    told, _ = reader.present(Task.REGISTER, Script(fate=fate))
    reader.refused(told, code)
    reader.right()
