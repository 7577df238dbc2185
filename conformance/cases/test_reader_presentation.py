"""What a reader says and does in a presentation: engagement, session, requests, its own limits, and a medium that fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import cbor2

from conformance.case import Each, Nature, case
from conformance.kinds.reader import ReaderTester, Script, ScriptedCard, Task
from conformance.references.reader import Wants
from conformance.scripted import TAP, Answer, storing
from conformance.vectors import engagements
from conformance.vectors.model import Kind, Vector
from conformance.vectors.suite import Suite, flipped
from conformance.vectors.world import World
from virtual_devices import vhc
from virtual_devices.apdu import Command
from virtual_devices.cose import X5CHAIN, Sign1
from virtual_devices.holder.readers import LONGEST_NS
from virtual_devices.holder.refusals import No
from virtual_devices.link import Outcome
from virtual_devices.mdoc import session
from virtual_devices.mdoc.request import DeviceRequest, signed_by_reader
from virtual_devices.mdoc.response import DeviceResponse
from virtual_devices.mdoc.session import SessionData, SessionStatus
from virtual_devices.pki import PROFESSIONALS, Refused, Role, Verified

NOT_READ, NOT_A_CARD = "4043", "4033"


def _vectors(kind: Kind) -> Mapping[str, Vector]:
    suite = Suite()
    engagements.add(suite, World(1))
    begin = f"{kind.value}/"
    return {name.removeprefix(begin): v for name, v in suite.vectors.items() if name.startswith(begin)}


# -- engagement

_TEXTS = {
    "version-1-0": ("P-VER-02", "P-ENG-03", "P-REQ-03"), "version-1-9": ("P-ENG-03", "P-VER-01"), "version-2": ("P-ENG-03",
                                                                                                                "P-VER-01"),
    "too-long": ("P-ENG-05",), "no-scheme": ("P-ENG-04", "P-ENG-07"), "padded": ("P-ENG-04", "P-ENG-07"),
    "byte-after": ("P-CBR-01",),
    "qr": ("P-ENG-01", "P-ENG-04"),
}


def _engagements() -> Mapping[str, Each]:
    return {
        name: Each(name, vector.says.en, vector.says.zh, _TEXTS.get(name, ("P-ENG-07",)),
                   Nature.VALID if vector.expected.accepted else Nature.INVALID)
        for name, vector in _vectors(Kind.ENGAGEMENT).items()
    }


@case(nature=Nature.VALID, zh="裝置參與之條碼", channels=("ble",), when='"ble" in media', each=_engagements)
def test_code_of_an_engagement_is_judged(reader: ReaderTester, name: str) -> None:
    """A code on the phone's screen begins a session, or is no card to the desk."""
    suite = Suite()
    engagements.add(suite, reader.world)
    vector = suite.vectors[f"engagement/{name}"]
    text = suite.files[next(iter(vector.files.values()))]
    reader.give_lists()
    if vector.expected.accepted:  # the card behind it has another key: what follows cannot be opened, and no code is wrong
        told, card = reader.present(Task.REGISTER, Script(text=text))
        reader.expect("a session is begun", len(card.heard) >= 1, "a message", len(card.heard))
    else:
        told, card = reader.present(Task.REGISTER, Script(text=text))
        reader.refused(told, NOT_A_CARD)
        reader.equal("messages to it", len(card.heard), 0)
    reader.right()


@case("P-ENG-07", "P-HND-01", nature=Nature.MEDIUM, zh="螢幕上無條碼", channels=("ble",))
def test_screen_without_a_code_is_told(reader: ReaderTester) -> None:
    """No code on the screen, and a text that is none, end the presentation."""
    for text in (b"https://example.org", b"mdoc:", b"mdoc:\xff\xfe"):
        told, _ = reader.present(Task.REGISTER, Script(text=text))
        reader.refused(told, NOT_A_CARD)


@case("P-ENG-04", nature=Nature.INVALID, zh="條碼未列出任何取得方式", channels=("ble",))
def test_engagement_without_a_way_to_the_phone_ends_it(reader: ReaderTester) -> None:
    """An engagement whose methods nobody knows ends the presentation before a word is said."""
    told, card = reader.present(Task.REGISTER, Script(methods=[[99, 1, {}]]))
    reader.expect("it is refused", told.code != "0", "a refusal", told.code)
    reader.equal("messages to it", len(card.heard), 0)


_HANDOVERS = {
    "no-engagement": ("P-HND-05", "P-HND-01"), "engagement-twice": ("P-HND-05", "P-HND-01"), "carrier-nowhere": ("P-HND-05",
                                                                                                                 "P-HND-02"),
    "truncated": ("P-HND-05",), "version-2": ("P-HND-01", "P-VER-01"),
}


def _handovers() -> Mapping[str, Each]:
    return {name: Each(name, vector.says.en, vector.says.zh, _HANDOVERS.get(name, ("P-HND-05", "P-ENG-07")), Nature.INVALID)
            for name, vector in _vectors(Kind.HANDOVER).items() if not vector.expected.accepted}


@case(nature=Nature.INVALID, zh="NFC 交遞不合格式", channels=("nfc", TAP, "contact"), each=_handovers)
def test_handover_that_is_none_ends_it(reader: ReaderTester, name: str) -> None:
    """A handover that is not as its rule has it ends the presentation as a fault in reading."""
    suite = Suite()
    engagements.add(suite, reader.world)
    hs = next(raw for path, raw in suite.files.items() if path == suite.vectors[f"handover/{name}"].files[next(
        iter(suite.vectors[f"handover/{name}"].files))])
    told, card = reader.present(Task.REGISTER, Script(hs=hs))
    reader.refused(told, NOT_READ)
    reader.equal("messages to it", len(card.heard), 0)
    reader.right()


@case("P-HND-02", "P-HND-03", "P-TAG-01", "P-NFC-01", "P-NFC-02", nature=Nature.VALID, zh="NFC：標籤、交遞、ENVELOPE",
      channels=("nfc",))
def test_reader_reads_the_tag_and_sends_envelopes(reader: ReaderTester) -> None:
    """The reader selects the tag, its CC and NDEF files, then retrieval, and carries session messages in ENVELOPE."""
    told, card = reader.present()
    reader.done(told)
    commands = [Command.parse(raw) for raw in card.commands]
    selected = [c.data.hex().upper() for c in commands if c.ins == 0xA4]
    reader.equal("what it selects", selected, ["D2760000850101", "E103", "E104", "A0000002480400"])
    files = [(c.p1, c.p2) for c in commands if c.ins == 0xA4 and len(c.data) == 2]
    reader.equal("P1 P2 of SELECT FILE", files, [(0, 0x0C)] * 2)
    envelopes = [c for c in commands if c.ins == 0xC3]
    reader.expect("messages in ENVELOPE", bool(envelopes) and all((c.p1, c.p2) == (0, 0) for c in envelopes))
    reader.expect("each is a data object 53", envelopes[0].data[:1] == b"\x53", "53", envelopes[0].data[:1])
    reader.expect("links of a chain are marked, the last is not", envelopes[-1].cla == 0 and
                  {c.cla for c in envelopes} <= {0, 0x10})
    reader.expect("Le in the last one alone", all((c.le is None) == bool(c.cla & 0x10) for c in envelopes))
    others = {c.ins for c in commands} - {0xA4, 0xB0, 0xC3, 0xC0, 0x20}
    reader.equal("no other commands", others, set())


# -- what it asks for

def _elements(asked: DeviceRequest) -> Mapping[str, set[str]]:
    return {space: set(names) for space, names in asked.documents[0].items.wanted.items()}


def _signers(reader: ReaderTester, card: ScriptedCard, asked: DeviceRequest, number: int) -> list[Verified]:
    """Who signed a request: the SAM each document request, everybody the whole. That each signature holds is a check."""
    root, now_ns, at = reader.world.root, reader.reader.now_ns(), card.transcript
    found = []
    auth = asked.documents[0].auth
    reader.expect(f"request {number} is signed by the SAM", auth is not None)
    signatures: list[tuple[Sign1 | None, bytes]] = [(auth, signed_by_reader(asked.documents[0].items, at))]
    signatures += [(one, asked.signed_by_all(at)) for one in asked.auth_all]
    for one, message in signatures:
        assert one is not None
        who = root.check(one.chain, PROFESSIONALS | {Role.SAM}, now_ns)
        reader.expect("a chain of a reader's", isinstance(who, Verified), "a reader", who)
        assert not isinstance(who, Refused)
        reader.expect("certificates in the unprotected header 33", X5CHAIN in one.unprotected)
        reader.expect("detached", one.payload is None)
        reader.expect("the signature holds in this session", one.verify(who.key, detached=message))
        life_ns = who.not_after_ns - who.not_before_ns
        reader.expect("shown to wallets for 72 hours", life_ns <= LONGEST_NS, LONGEST_NS, life_ns)
        found.append(who)
    return found


@case("P-RDR-01", "P-RDR-03", "P-ELE-09", "P-REQ-01", "P-REQ-03", "P-CRT-08", "P-GEN-05", nature=Nature.VALID,
      zh="掛號：由安全模組要求")
def test_registration_asks_what_it_may(reader: ReaderTester) -> None:
    """At registration: all of basic but `former`, the generation and the delegation, by the SAM, and no medical element."""
    told, card = reader.present()
    reader.done(told)
    reader.equal("requests", len(card.requests), 1)
    asked = card.requests[0]
    reader.equal("version", asked.version, "1.1")
    reader.equal("documents", [d.items.doctype for d in asked.documents], ["tw.nhi.bench.vhc.1"])
    wanted = {space: set(names) for space, names in vhc.REGISTRATION.items()}
    reader.equal("elements", {s: sorted(n) for s, n in _elements(asked).items()}, {s: sorted(n) for s, n in wanted.items()})
    kept = {name for names in asked.documents[0].items.wanted.values() for name, keep in names.items() if keep}
    reader.expect("nothing but the authorization is kept", kept <= {"authorization", "proof"}, "authorization, proof", kept)
    [who] = _signers(reader, card, asked, 1)
    reader.equal("by", who.role, Role.SAM)


@case("P-RDR-02", "P-RDR-03", "P-ELE-09", "P-REQ-03", "P-CRT-08", nature=Nature.VALID, zh="看診：安全模組與醫師卡依序簽章")
def test_consultation_is_asked_by_sam_and_professional(reader: ReaderTester) -> None:
    """A physician's request is signed by the SAM alone, and over all of it by [SAM, HPC], in this order."""
    told, card = reader.present(Task.CONSULT)
    reader.done(told)
    asked = card.requests[0]
    wanted = {space: sorted(names) for space, names in vhc.CONSULTATION.items()}
    reader.equal("elements", {s: sorted(n) for s, n in _elements(asked).items()}, wanted)
    roles = [who.role for who in _signers(reader, card, asked, 1)]
    reader.equal("signers", roles, [Role.SAM, Role.SAM, Role.PHYSICIAN])


@case("P-RDR-02", "P-ELE-09", nature=Nature.VALID, zh="領藥：只要求調劑所需")
def test_dispensing_asks_what_it_may(reader: ReaderTester) -> None:
    """A pharmacy asks for prescriptions and allergies, and for nothing else that a physician reads."""
    told, card = reader.present(Task.COLLECT)
    reader.done(told)
    wanted = {space: sorted(names) for space, names in vhc.DISPENSING.items()}
    reader.equal("elements", {s: sorted(n) for s, n in _elements(card.requests[0]).items()}, wanted)


@case("P-VER-04", "P-VER-02", "P-REQ-03", nature=Nature.ATTACK, zh="僅懂 1.0 版之卡片：不要求醫療資料")
def test_card_of_version_1_0_is_not_asked_for_medical_data(reader: ReaderTester) -> None:
    """A card that says it knows "1.0" only is asked with the SAM alone, and what needs a professional is not shown."""
    told, card = reader.present(Task.REGISTER, Script(version_1_0=True))
    reader.done(told)
    reader.equal("version", card.requests[0].version, "1.0")
    reader.equal("signatures over all", len(card.requests[0].auth_all), 0)

    def refuse(it: ScriptedCard, asked: DeviceRequest, _: int) -> bytes:
        return DeviceResponse(errors={vhc.DOCTYPE: -21}).to_bytes()

    told, card = reader.present(Task.CONSULT, Script(version_1_0=True, say=refuse))
    reader.expect("it is refused", told.code != "0", "a refusal", told.code)
    reader.equal("signatures over all", [len(a.auth_all) for a in card.requests], [0] * len(card.requests))


@case("P-SES-02", "P-SES-01", "P-SES-03", "P-SES-04", "P-ENG-01", nature=Nature.VALID, zh="每次會話用新金鑰；首則為建立訊息")
def test_session_has_a_fresh_key_and_begins_with_establishment(reader: ReaderTester) -> None:
    """Each session has a fresh key of the reader's; its first message is SessionEstablishment, every other one SessionData."""
    keys = []
    for _ in range(2):
        told, card = reader.present(Task.WRITE, storing())
        reader.done(told)
        first = session.read_establishment(card.heard[0])
        keys.append(first.reader_key_bytes)
        for message in card.heard[1:]:
            reader.expect("no key in a later message", "eReaderKey" not in cbor2.loads(message), "SessionData", message)
        reader.expect("more than one request", len(card.requests) >= 2, "2", len(card.requests))
    reader.expect("another key each time", keys[0] != keys[1])


@case("P-SES-07", nature=Nature.VALID, zh="出示結束：以狀態 20 結束會話")
def test_reader_ends_the_session(reader: ReaderTester) -> None:
    """At the end, and when it refuses, the reader says that the session is over (20), with nothing else."""
    told, card = reader.present()
    reader.done(told)
    reader.equal("its last message", card.heard[-1], session.TERMINATION)
    forged = Script(say=lambda c, a, _: c.right(a).replace(b"\xe7\x8e\x8b", b"\xe7\x8e\x8c"))
    told, card = reader.present(Task.REGISTER, forged)
    reader.refused(told, NOT_A_CARD)
    reader.equal("its last message when it refuses", card.heard[-1], session.TERMINATION)


# -- what a card may say instead of an answer

def _sayings() -> Mapping[str, Each]:
    Say = Callable[[ScriptedCard, int, bytes], bytes]

    def data(raw: bytes) -> bytes:
        return session.read_data(raw).data or b""

    def status(number: SessionStatus) -> Say:
        return lambda _card, _number, _right: SessionData(status=number).to_bytes()

    def reflected(card: ScriptedCard, _: int, __: bytes) -> bytes:
        return SessionData(data(card.heard[-1]) if b"eReaderKey" not in card.heard[-1]
                           else session.read_establishment(card.heard[-1]).data).to_bytes()

    def skipped(card: ScriptedCard, _: int, __: bytes) -> bytes:
        return card.seal(card.right(card.requests[-1]))

    ses, end = ("P-SES-06", "P-BEL-08"), ("P-SES-07", "P-BEL-08")
    attack = Nature.ATTACK
    return {
        "bit": Each(lambda _c, _n, right: SessionData(flipped(data(right))).to_bytes(),
                    "The last bit of the ciphertext is turned.",
                    "密文一位元翻轉", ses, attack),
        "tag-cut": Each(lambda _c, _n, right: SessionData(data(right)[:-1]).to_bytes(), "The tag is a byte short.",
                        "驗證碼少一位元組",
                        ses, attack),
        "reflected": Each(reflected, "The reader's own message comes back.", "反射", ses, attack),
        "counter": Each(skipped, "The message after the one that belongs here.", "計數器跳號", ses, attack),
        "plain": Each(lambda c, _n, _r: SessionData(c.right(c.requests[-1])).to_bytes(), "The answer without encryption.",
                      "未加密",
                      ses, attack),
        "nothing": Each(lambda _c, _n, _r: b"", "An empty message.", "空訊息", ("P-SES-06", "P-GEN-08")),
        "noise": Each(lambda _c, _n, _r: b"\xff" * 40, "Bytes that are no CBOR.", "非 CBOR", ("P-SES-06", "P-GEN-08")),
        "neither": Each(lambda _c, _n, _r: b"\xa0", "Neither data nor status.", "無資料亦無狀態", ("P-SES-06", "P-GEN-08")),
        "byte-after": Each(lambda _c, _n, right: right + b"\0", "A byte behind the message.", "訊息後多一位元組", ("P-CBR-01",)),
        "unknown-status": Each(lambda _c, _n, _r: cbor2.dumps({"status": 12}), "A status that nobody knows.", "未知狀態",
                               ("P-SES-07", "P-GEN-08")),
        "too-long": Each(lambda c, _n, _r: c.seal(bytes(65_600)), "A message of more than 65536 bytes.", "訊息過長",
                         ("P-SES-08",),
                         Nature.LIMIT),
        "ended-10": Each(status(SessionStatus.ENCRYPTION_ERROR), "Status 10.", "狀態 10", end),
        "ended-11": Each(status(SessionStatus.DECODING_ERROR), "Status 11.", "狀態 11", end),
        "ended-20": Each(status(SessionStatus.TERMINATION), "Status 20.", "狀態 20", end),
    }


@case(nature=Nature.INVALID, zh="卡片之異常回覆", each=_sayings)
def test_message_that_is_no_answer_ends_it(reader: ReaderTester, say: Callable[[ScriptedCard, int, bytes], bytes]) -> None:
    """What does not belong to this place of this session ends the presentation as a fault in reading; the next one is right."""
    reader.give_lists()
    told, _ = reader.present(Task.REGISTER, Script(message=say))
    reader.refused(told, NOT_READ)
    reader.right()


@case("P-SES-07", nature=Nature.INOPPORTUNE, zh="資料與狀態並存：先處理資料")
def test_data_with_a_status_are_taken(reader: ReaderTester) -> None:
    """Data and status 20 in one message: the data are taken, and the session is over after it."""
    def say(_: ScriptedCard, __: int, right: bytes) -> bytes:
        return SessionData(session.read_data(right).data, SessionStatus.TERMINATION).to_bytes()

    told, _ = reader.present(Task.REGISTER, Script(message=say))
    reader.done(told)


def _structures() -> Mapping[str, Each]:
    """A response, spoilt in one place."""
    def change(do: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
        def made(raw: bytes) -> bytes:
            body = cbor2.loads(raw)
            do(body)
            return cbor2.dumps(body)
        return made

    def first(body: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = body["documents"][0]
        return found

    def others(body: dict[str, Any]) -> dict[str, Any]:
        issued = {"issuerAuth": first(body)["issuerSigned"]["issuerAuth"]}
        return {**first(body), "docType": "org.example.another.1", "issuerSigned": issued}

    rows: Mapping[str, tuple[Callable[[dict[str, Any]], object], str, tuple[str, ...]]] = {
        "no-version": (lambda b: b.pop("version"), NOT_READ, ("P-RSP-01",)),
        "version-number": (lambda b: b.update(version=1), NOT_READ, ("P-RSP-01", "P-GEN-08")),
        "status-text": (lambda b: b.update(status="0"), NOT_READ, ("P-RSP-01", "P-GEN-08")),
        "status-99": (lambda b: b.update(status=99), NOT_READ, ("P-RSP-01", "P-GEN-08")),
        "documents-map": (lambda b: b.update(documents={}), NOT_READ, ("P-GEN-08",)),
        "document-number": (lambda b: b.update(documents=[7]), NOT_READ, ("P-GEN-08",)),
        "eight-documents": (lambda b: b["documents"].extend([others(b)] * 7), "0", ("P-RSP-01", "P-CBR-03")),
        "nine-documents": (lambda b: b["documents"].extend([others(b)] * 8), NOT_READ, ("P-RSP-01",)),
        "auth-of-neither-kind": (lambda b: first(b)["deviceSigned"].update(deviceAuth={"deviceSeal": b""}), NOT_READ,
                                 ("P-GEN-08",)),
        "auth-number": (lambda b: first(b)["deviceSigned"].update(deviceAuth={"deviceSignature": 7}), NOT_READ, ("P-GEN-08",)),
        "errors-list": (lambda b: first(b).update(errors=[1]), NOT_READ, ("P-GEN-08",)),
        "error-text": (lambda b: first(b).update(errors={vhc.BASIC: {"name": "no"}}), NOT_READ, ("P-ERR-01", "P-GEN-08")),
        "document-error-text": (lambda b: b.update(documentErrors=[{vhc.DOCTYPE: "no"}]), NOT_READ, ("P-ERR-01", "P-GEN-08")),
        "no-device": (lambda b: first(b).pop("deviceSigned"), NOT_READ, ("P-GEN-08",)),
        "no-issuer": (lambda b: first(b).pop("issuerSigned"), NOT_READ, ("P-GEN-08",)),
        "type-number": (lambda b: first(b).update(docType=7), NOT_READ, ("P-GEN-08",)),
        "unknown-keys": (lambda b: (b.update(more=1), first(b).update(more=1)), "0", ("P-CBR-03",)),
    }
    return {name: Each((change(do), code), f"A response with {name.replace('-', ' ')}.", "", clauses,
                       Nature.VALID if code == "0" else Nature.INVALID)
            for name, (do, code, clauses) in rows.items()}


@case(nature=Nature.INVALID, zh="回覆之結構", each=_structures)
def test_structure_of_a_response_is_judged(reader: ReaderTester, value: tuple[Callable[[bytes], bytes], str]) -> None:
    """A response that is not as its rule has it is a fault in reading; keys that nobody knows are overlooked."""
    change, code = value
    reader.give_lists()
    told, _ = reader.present(Task.REGISTER, Script(say=lambda c, a, _: change(c.right(a))))
    reader.told(told, code)
    reader.right()


@case("P-ELE-05", "P-BEL-04", nature=Nature.ATTACK, zh="未出示 held_under：結束")
def test_card_that_does_not_say_whose_it_is_is_refused(reader: ReaderTester) -> None:
    """A card that leaves out under which authorization it is held is not served; nor one without a card number."""
    for name in (vhc.HELD_UNDER, "card_no", "name"):
        def say(card: ScriptedCard, asked: DeviceRequest, _: int, left: str = name) -> bytes:
            items = asked.documents[0].items
            wanted = {s: {n: k for n, k in names.items() if n != left} for s, names in items.wanted.items()}
            return card.right(replace(asked, documents=(replace(asked.documents[0], items=replace(items, wanted=wanted)),)))

        told, _ = reader.present(Task.REGISTER, Script(say=say))
        reader.refused(told, NOT_READ)


@case("P-BEL-04", "P-AUT-10", nature=Nature.ATTACK, zh="受代理卡片而無授權、無證明或另一授權")
def test_wards_card_without_its_authorization_is_refused(reader: ReaderTester) -> None:
    """A ward's card without an authorization is *missing*, with that of another *beyond the right*."""
    world = reader.world
    carried = world.credential(device=world.guardian, held_under=b"0123456789abcdef")
    told, _ = reader.present(Task.REGISTER, Script(carries=carried, device=world.guardian))
    reader.refused(told, "3237")


@case("P-BEL-05", nature=Nature.ATTACK, zh="後續接觸為他人之卡")
def test_another_persons_card_at_a_later_contact_is_refused(reader: ReaderTester) -> None:
    """At a later contact of the visit the card number must be the registered one."""
    other = replace(reader.world.holder, card_no="000087654321")
    world = reader.world
    changed = replace(world)
    changed.__dict__["holder"] = other
    told, _ = reader.present(Task.CONSULT, Script(carries=changed.credential()))
    reader.refused(told, "5020")
    told, _ = reader.present(Task.WRITE, storing(carries=changed.credential()))
    reader.refused(told, "5020")


@case("P-ERR-01", nature=Nature.INOPPORTUNE, zh="持卡人尚未被詢問（-2）：請其同意後再要求一次")
def test_holder_who_has_not_been_asked_is_asked_and_the_request_comes_again(reader: ReaderTester) -> None:
    """-2 for the document, and for elements: the request comes once more in the same session, and no more than once."""
    def once(card: ScriptedCard, asked: DeviceRequest, number: int) -> bytes:
        return DeviceResponse(errors={vhc.DOCTYPE: int(No.CONSENT_NEEDED)}).to_bytes() if number == 1 else card.right(asked)

    told, card = reader.present(Task.REGISTER, Script(say=once))
    reader.done(told)
    reader.equal("requests", len(card.requests), 2)
    reader.equal("and the same elements", _elements(card.requests[1]), _elements(card.requests[0]))
    never = Script(say=lambda _c, _a, _n: DeviceResponse(errors={vhc.DOCTYPE: int(No.CONSENT_NEEDED)}).to_bytes())
    told, card = reader.present(Task.REGISTER, never)
    reader.refused(told, "5109")
    reader.expect("it does not ask for ever", len(card.requests) <= 4, "4 at most", len(card.requests))


# -- the medium

def _fates() -> Mapping[str, Each]:
    def at(number: int, outcome: Outcome, reply: bytes | None = None) -> Callable[[], Callable[[Wants], Answer | None]]:
        def make() -> Callable[[Wants], Answer | None]:
            count = 0

            def fate(wants: Wants) -> Answer | None:
                nonlocal count
                if wants.role == "screen":
                    return None
                count += 1
                return (outcome, reply) if count == number else None
            return fate
        return make

    cases: dict[str, Each] = {}
    for number, where in ((1, "at once"), (2, "in the middle"), (3, "later")):
        for outcome in (Outcome.GONE, Outcome.TIMED_OUT, Outcome.GARBLED):
            cases[f"{outcome.value.replace('_', '-')}-{number}"] = Each(
                at(number, outcome), f"The card is {outcome.value.replace('_', ' ')} {where}.",
                nature=Nature.TIMER if outcome is Outcome.TIMED_OUT else Nature.MEDIUM)
    return cases


@case("P-GEN-08", "P-BEL-08", nature=Nature.MEDIUM, zh="媒介中斷", each=_fates)
def test_medium_that_fails_ends_it_and_the_next_is_right(
    reader: ReaderTester, make: Callable[[], Callable[[Wants], Answer | None]],
) -> None:
    """A card taken away, silent or garbled ends the presentation with a code; nothing of it is left for the next."""
    reader.give_lists()
    told, card = reader.present(Task.REGISTER, Script(fate=make()))
    if card.cut and "end session" not in card.cut:
        reader.expect("it is told", told.code != "0", "a refusal", told.code)
        reader.equal("nothing of the card", told.card_no, "")
    else:
        reader.done(told)
    reader.right()


@case("P-NFC-03", "P-NFC-06", "P-GEN-08", nature=Nature.INVALID, zh="NFC：異常之回應", channels=("nfc", "contact"), each=lambda: {
    name: Each((reply, code)) for name, reply, code in (
        ("one-byte", b"\x90", NOT_READ), ("no-file", b"\x6a\x82", NOT_A_CARD), ("security", b"\x69\x82", "4029"),
        ("nothing", b"", NOT_READ), ("more-than-asked", bytes(600) + b"\x90\x00", NOT_READ), ("for-ever", b"\x61\x00", NOT_READ))
})
def test_odd_response_over_nfc_ends_it(reader: ReaderTester, value: tuple[bytes, str]) -> None:
    """A status word that refuses, a response that is none, and an answer announced for ever end the presentation."""
    reply, code = value

    def fate(wants: Wants) -> Answer | None:
        odd = wants.message and Command.parse(wants.message).ins in (0xC3, 0xC0, 0xB0)
        return (Outcome.REPLIED, reply) if odd else None

    reader.give_lists()
    told, _ = reader.present(Task.REGISTER, Script(fate=fate))
    reader.refused(told, code)
    reader.right()
