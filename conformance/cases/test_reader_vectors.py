"""What a reader believes: the vectors of responses, credentials, lists, authorizations and codes, in its own session."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache, lru_cache

import cbor2

from conformance.case import Each, Nature, case
from conformance.kinds.reader import ReaderTester, Script, ScriptedCard, Task, Told, other_session
from conformance.scripted import Answer
from conformance.vectors import authorizations, codes, credentials, engagements, lists, responses
from conformance.vectors.model import Input, Kind, Reason, Value, Vector
from conformance.vectors.suite import Suite
from conformance.vectors.world import STATUS_URI, World
from virtual_devices import vhc
from virtual_devices.authorization import Scope
from virtual_devices.clock import from_datetime
from virtual_devices.link import Outcome
from virtual_devices.mdoc.mso import StatusReference
from virtual_devices.mdoc.request import DeviceRequest
from virtual_devices.mdoc.tagged import dumps, read_map

_ATTACKS = ("other-session", "copied", "forwarded", "stranger", "replay", "by-sam", "used-before", "prolonged", "another-",
            "given-everything")


@lru_cache(maxsize=4)
def _suite(world: World) -> Suite:
    """Every vector that a reader judges; those that are of no session are tried as they stand. On a real device each case has a
    world of its own."""
    suite = Suite()
    opened = engagements.add(suite, world)
    lists.add(suite, world)
    credentials.add(suite, world)
    responses.add(suite, world, opened["qr"], opened["other"])
    authorizations.add(suite, world, opened["qr"], opened["other"])
    codes.add(suite, world)
    return suite


@cache
def _models(kind: Kind) -> Mapping[str, Vector]:
    """The vectors of a kind, by what follows the kind in their names."""
    suite = _suite(World(1))
    begin = f"{kind.value}/"
    return {name.removeprefix(begin): vector for name, vector in suite.vectors.items() if name.startswith(begin)}


def _each(kind: Kind, clauses: Mapping[str, tuple[str, ...]], usual: tuple[str, ...], without: frozenset[str] = frozenset()) -> (
    Mapping[str, Each]
):
    return {
        name: Each(
            name, vector.says.en, vector.says.zh,
            next((found for begin, found in clauses.items() if name.startswith(begin)), usual),
            Nature.VALID if vector.expected.accepted else
            Nature.ATTACK if any(word in name for word in _ATTACKS) else
            Nature.LIMIT if Value.AT in vector.differs_in else Nature.INVALID,
        )
        for name, vector in _models(kind).items() if name not in without
    }


def _set_up(reader: ReaderTester, vector: Vector) -> None:
    """The moment and the lists of a vector."""
    at = vector.values.get(Value.AT)
    reader.give_lists()
    if at is not None:
        reader.at(from_datetime(datetime.fromisoformat(at.replace("Z", "+00:00"))))


def _judged(reader: ReaderTester, vector: Vector, told: Told) -> None:
    reader.told(told, "0" if vector.expected.accepted else vector.expected.code.number)


_BY_LIST = frozenset({"revoked", "suspended", "status-reserved", "withdrawn"})
"""What a status list alone says."""


# -- responses

_RESPONSES = {
    "signature-bit": ("P-BEL-02",), "mac": ("P-RSP-06", "P-BEL-02"), "other-session": ("P-BEL-02", "P-SES-01"),
    "copied": ("P-BEL-02",), "not-authorised": ("P-MSO-05", "P-BEL-02"), "issuer": ("P-BEL-07", "P-CRT-02"),
    "revoked": ("P-BEL-03",), "suspended": ("P-BEL-03",), "status-reserved": ("P-BEL-03", "P-STA-08"),
    "status-unknown": ("P-BEL-03", "P-STA-06"), "element-twice": ("P-MSO-08", "P-BEL-01"),
    "other-document": ("P-DOC-01", "P-DOC-03", "P-BEL-08"), "mso-of": ("P-BEL-01", "P-DOC-01"), "expired": ("P-BEL-01",
                                                                                                            "P-GEN-10"),
    "declined": ("P-ERR-01", "P-BEL-08"), "not-asked": ("P-ERR-01",), "may-never": ("P-ERR-01",), "not-in-force": ("P-ERR-01",),
    "authorization-ended": ("P-ERR-01",), "sam-refused": ("P-ERR-01", "P-BEL-06"), "hpc-refused": ("P-ERR-01", "P-BEL-06"),
    "unknown-error": ("P-ERR-03", "P-BEL-08"), "nothing": ("P-BEL-08",), "status-11": ("P-RSP-01", "P-BEL-08"),
    "version-2": ("P-VER-01",), "truncated": ("P-CBR-01", "P-GEN-08"), "byte-after": ("P-CBR-01", "P-GEN-08"),
    "not-embedded": ("P-CBR-01",), "signature": ("P-BEL-02", "P-RSP-01"),
}


@case(nature=Nature.VALID, zh="卡片之回覆", each=lambda: _each(
    Kind.RESPONSE, _RESPONSES, ("P-BEL-02",), frozenset({"receipt", "receipt-by-mac"})))
def test_response_is_judged(reader: ReaderTester, name: str) -> None:
    """An answer in the session is believed or refused as its vector says."""
    vector = _models(Kind.RESPONSE)[name]
    _set_up(reader, vector)

    def say(card: ScriptedCard, _: DeviceRequest, __: int) -> bytes:
        suite = Suite()
        responses.add(suite, card.world, card.opened, other_session(card.world))  # type: ignore[arg-type]
        return suite.files[suite.vectors[f"response/{name}"].files[Input.RESPONSE]]

    if name in _BY_LIST:
        reader.need_lists()
    told, _ = reader.present(Task.REGISTER, Script(say=say))
    _judged(reader, vector, told)
    if vector.expected.accepted:
        reader.marked(told, name == "status-unknown")


# -- credentials

_CREDENTIALS = {
    "signer": ("P-CRT-07",), "signed-before": ("P-BEL-01",), "chain": ("P-CRT-07",), "one-certificate": ("P-CRT-07",),
    "five": ("P-CRT-07", "P-CRT-01"), "byte-after-certificate": ("P-CRT-01", "P-CRT-07"), "no-certificate": ("P-CRT-07",
                                                                                                             "P-MSO-02"),
    "stranger": ("P-CRT-02", "P-MSO-02"), "signed-by-sam": ("P-CRT-04", "P-CRT-05"), "sha-1": ("P-GEN-05", "P-MSO-03"),
    "sha-512": ("P-GEN-05", "P-MSO-03"), "unknown-keys": ("P-CBR-03",), "other-encoding": ("P-CBR-02",),
    "mso-version": ("P-VER-01",), "expired": ("P-GEN-10", "P-BEL-01"), "too-early": ("P-GEN-07", "P-BEL-01"),
    "no-end": ("P-BEL-01", "P-CBR-05"), "critical": ("P-CBR-04",), "other-algorithm": ("P-CBR-04", "P-GEN-05"),
    "big-number": ("P-CBR-01",), "no-day": ("P-CBR-01",), "not-embedded": ("P-CBR-01",), "element-twice": ("P-MSO-08",),
    "truncated": ("P-CBR-01",), "byte-after": ("P-CBR-01",), "device-key": ("P-MSO-05",), "no-digest": ("P-MSO-03",),
    "name-altered": ("P-MSO-03",), "signature-bit": ("P-MSO-01", "P-BEL-07"), "no-payload": ("P-MSO-01",),
}


@case(nature=Nature.VALID, zh="卡片之憑證", each=lambda: _each(
    Kind.CREDENTIAL, _CREDENTIALS, ("P-BEL-01", "P-MSO-01"), frozenset({"selected", "truncated", "byte-after"})))
def test_credential_is_judged(reader: ReaderTester, name: str) -> None:
    """An issuer's word is believed or refused as its vector says."""
    vector = _models(Kind.CREDENTIAL)[name]
    _set_up(reader, vector)
    suite = _suite(reader.world)  # not while the reader waits

    def say(card: ScriptedCard, asked: DeviceRequest, _: int) -> bytes:
        raw = suite.files[suite.vectors[f"credential/{name}"].files[Input.CREDENTIAL]]
        whole = read_map(card.right(asked), "the response")
        empty = dumps({**whole["documents"][0], "issuerSigned": {}})
        at = empty.index(b"\x6cissuerSigned\xa0")
        document = empty[:at] + b"\x6cissuerSigned" + raw + empty[at + 14 :]
        return b"\xa3\x66status\x00\x67version\x631.0\x69documents\x81" + document

    told, _ = reader.present(Task.REGISTER, Script(say=say))
    _judged(reader, vector, told)


# -- status lists

_LISTS = {
    "eight-bits": ("P-STA-02",), "four-bits": ("P-STA-02", "P-STA-08"), "three-bits": ("P-STA-02", "P-STA-01"),
    "reserved": ("P-STA-08",), "outside": ("P-STA-06",), "expired": ("P-STA-06", "P-GEN-10"), "ended": ("P-STA-07", "P-STA-03"),
    "from-": ("P-STA-06", "P-STA-07"), "stranger": ("P-STA-03", "P-STA-07"), "signed-by-sam": ("P-STA-03", "P-STA-07"),
    "signature-bit": ("P-STA-03", "P-STA-07"), "no-end": ("P-STA-03", "P-STA-07"), "too-long": ("P-STA-06",),
    "other-encoding": ("P-CBR-02", "P-STA-01"),
}
_SERVED = {Reason.REVOKED: "5002", Reason.SUSPENDED: "5002"}


@case(nature=Nature.VALID, zh="狀態清單", each=lambda: _each(Kind.STATUS_LIST, _LISTS, ("P-STA-01", "P-STA-07", "P-STA-05")))
def test_status_list_is_judged(reader: ReaderTester, name: str) -> None:
    """A list is taken or not, and a card looked up in it is refused, served, or served and marked."""
    vector = _models(Kind.STATUS_LIST)[name]
    suite = _suite(reader.world)
    raw = suite.files[vector.files[Input.STATUS_LIST]]
    reader.give_lists(raw)
    if name == "from-in-31-s":
        reader.to_the_second()
    at = vector.values.get(Value.AT)
    if at is not None:  # taken in time, and looked at then
        reader.present(Task.REGISTER, Script(fate=_nobody))
        reader.at(from_datetime(datetime.fromisoformat(at.replace("Z", "+00:00"))))
    place = StatusReference(STATUS_URI, int(vector.values[Value.INDEX]))
    told, _ = reader.present(Task.REGISTER, Script(carries=reader.world.credential(place=place)))
    reader.told(told, _SERVED.get(vector.expected.reason, "0"))
    if told.code == "0":
        reader.marked(told, not vector.expected.accepted)


def _nobody(_: object) -> Answer:
    return Outcome.GONE, None


# -- guardians

_AUTHORIZATIONS = {
    "proof": ("P-AUT-07", "P-AUT-10"), "no-proof": ("P-AUT-07", "P-BEL-04"), "another-ward": ("P-AUT-08",),
    "another-guardian": ("P-AUT-08",), "expired": ("P-AUT-11", "P-GEN-10"), "too-early": ("P-AUT-11",), "begins": ("P-AUT-11",
                                                                                                                   "P-GEN-07"),
    "withdrawn": ("P-AUT-11",), "status-unknown": ("P-AUT-11",), "carer": ("P-AUT-03",), "family": ("P-AUT-03",),
    "non-medical": ("P-AUT-04",), "unknown-": ("P-AUT-05",), "scope-twice": ("P-AUT-05",), "no-scope": ("P-AUT-05",),
    "long-name": ("P-AUT-06",), "messenger": ("P-AUT-12",), "parent": ("P-AUT-12", "P-AUT-10", "P-ELE-05"),
}


@case(nature=Nature.VALID, zh="代理人之授權", each=lambda: _each(
    Kind.AUTHORIZATION, _AUTHORIZATIONS, ("P-AUT-01", "P-AUT-10"), frozenset({"another-ward", "messenger-visits"})))
def test_authorization_is_judged(reader: ReaderTester, name: str) -> None:
    """A guardian who shows a ward's card is served or refused as the vector of the authorization says."""
    vector = _models(Kind.AUTHORIZATION)[name]
    _set_up(reader, vector)
    if name in _BY_LIST:
        reader.need_lists()
    scope = vector.values[Value.SCOPE]
    task = {"basic": Task.REGISTER, "collect": Task.COLLECT, "medical": Task.CONSULT}[scope]
    world = reader.world
    carried = world.credential(device=world.guardian, held_under=authorizations.parents(world).cti)

    def say(card: ScriptedCard, asked: DeviceRequest, _: int) -> bytes:
        suite = Suite()
        authorizations.add(suite, card.world, card.opened, other_session(card.world))  # type: ignore[arg-type]
        files = suite.vectors[f"authorization/{name}"].files
        proof = suite.files[files[Input.PROOF]]
        shown: dict[str, object] = {"authorization": suite.files[files[Input.AUTHORIZATION]]}
        if proof != b"\xf6":
            shown["proof"] = cbor2.loads(proof)
        card.script.values = {vhc.RECORDS: {"generation": 0}, vhc.DELEGATION: shown}
        return card.right(asked)

    told, _ = reader.present(task, Script(say=say, carries=carried, device=world.guardian))
    _judged(reader, vector, told)
    if vector.expected.accepted and task is not Task.CONSULT:
        reader.expect("the visit is by the guardian for the ward", "000087654321" in told.for_whom, "by ... for ...",
                      told.for_whom)


# -- codes

_CODES = {
    "bound": ("P-QCH-01", "P-QRC-09", "P-QRC-04"), "not-bound": ("P-QRC-09",), "another-": ("P-QRC-09", "P-QCH-01"),
    "used-before": ("P-QRC-08", "P-QRC-06"), "last-second": ("P-QRC-07", "P-GEN-10"), "phone-30": ("P-QRC-07", "P-GEN-07"),
    "late": ("P-QRC-07", "P-GEN-10"), "early": ("P-QRC-07",), "lives": ("P-QRC-04",), "ward": ("P-QRC-12",),
    "status-unknown": ("P-QRC-09",), "stranger": ("P-QRC-01",), "card-signature": ("P-QRC-01",), "card-prolonged": ("P-QRC-02",),
    "copied": ("P-QRC-04",), "other-prefix": ("P-QRT-01", "P-VER-01"), "not-packed": ("P-QRT-02",), "lower-case": ("P-QRT-02",
                                                                                                                   "P-QRT-03"),
    "byte-after": ("P-QRT-03",), "too-long": ("P-QRT-03",), "truncated": ("P-QRT-03",), "tag-61": ("P-QRC-05", "P-CBR-04"),
    "not-deterministic": ("P-QRC-05", "P-CBR-02"), "unprotected": ("P-QRC-05",), "more-headers": ("P-QRC-05", "P-CBR-03"),
    "more-data": ("P-CBR-03",), "unknown-claims": ("P-CBR-03",), "nonce-alone": ("P-QRC-04",), "no-day": ("P-QRC-02",),
    "other-issuer": ("P-QRC-02",),
}


@case(nature=Nature.VALID, zh="卡片條碼", channels=("ble",), when='"qr" in media', each=lambda: _each(
    Kind.CARD_CODE, _CODES, ("P-QRC-06",)))
def test_code_is_judged(reader: ReaderTester, name: str) -> None:
    """A card's code is believed or refused as its vector says."""
    vector = _models(Kind.CARD_CODE)[name]
    if name in _BY_LIST:
        reader.need_lists()
    if name.startswith("signer"):  # the issuers' certificates come with its set-up, before one of them ends
        reader.give_lists()
        reader.scan("")
    _set_up(reader, vector)
    suite = _suite(reader.world)
    wanted = vector.values.get(Value.SCOPE, "basic")
    scope = frozenset({Scope[word.upper()] for word in wanted.split(",")})
    if Input.CHALLENGE in vector.files:
        shown = reader.reader.show_challenge()
        reader.need("the reader asks as the vector has it", shown.encode() == suite.files[vector.files[Input.CHALLENGE]])
    if Input.BEFORE in vector.files:
        before = suite.files[vector.files[Input.BEFORE]].decode()
        reader.equal("the first time", reader.scan(before, scope).code, "0")
    told = reader.scan(suite.files[vector.files[Input.TEXT]].decode(), scope)
    _judged(reader, vector, told)
    if not vector.expected.accepted:
        reader.equal("what it tells of a code not believed", (told.card_no, told.for_whom, told.marked), ("", "", False))
    if vector.expected.accepted:
        if Value.AT not in vector.values:
            reader.marked(told, name == "status-unknown")
        reader.expect("by whom for whom", bool(told.for_whom) == name.startswith("ward"), "as the code says", told.for_whom)

