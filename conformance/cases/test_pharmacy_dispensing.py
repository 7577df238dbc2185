"""A pharmacy's prescriptions: codes that are judged, dispensing with a line and without one, doubts, recipients, records."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, partial
from itertools import product
from typing import Any

import cbor2

from conformance.case import Each, Nature, case
from conformance.kinds.pharmacy import PharmacyTester
from conformance.vectors import prescriptions
from conformance.vectors.model import Input, Kind, Value, Vector
from conformance.vectors.suite import Suite
from conformance.vectors.world import CARD_NO, World
from virtual_devices import base45
from virtual_devices.clock import NS, from_datetime
from virtual_devices.prescription.acts import ABOUT
from virtual_devices.prescription.document import PrescriptionClass
from virtual_devices.qr.parts import MAX_PARTS, SET_BYTES, Part, read_part, split
from virtual_devices.qr.text import PRESCRIPTION, pack, unpack
from virtual_devices.write_back import Kind as RecordKind
from virtual_devices.write_back import read_record

# -- codes

@cache
def _suite(world: World) -> Suite:
    suite = Suite()
    prescriptions.add(suite, world)
    return suite


_CLAUSES = {
    "part": ("P-QMP-01", "P-QMP-02", "P-QRT-01"), "other-prefix": ("P-QRT-01", "P-QRX-06"), "no-certificates": ("P-QRX-02",
                                                                                                                "P-QRX-06"),
    "certificate-of-another": ("P-QRX-02",), "sixty-one": ("P-QRX-03",), "more-fields": ("P-QRX-04", "P-QRX-03"),
    "days-1000": ("P-QRX-03",), "no-day": ("P-QRX-03",), "one-signature": ("P-QRX-01",), "a-visit": ("P-QRX-01",),
    "no-prescription": ("P-QRX-01",), "by-pharmacist": ("P-QRX-01", "P-QRX-06", "P-PRX-01"), "another-holder": ("P-QRX-05",),
    "other-holder": ("P-QRX-05",), "physician": ("P-QRX-06", "P-PRX-02", "P-PRX-01"), "institution": ("P-QRX-06", "P-PRX-02"),
    "truncated": ("P-QRT-03",), "byte-after": ("P-QRT-03",), "too-long": ("P-QRT-03",), "not-deterministic": ("P-QRX-04",),
    "whole": ("P-QRX-01", "P-QRX-02", "P-QRX-03", "P-PRX-02", "P-QRT-01"),
}
_ATTACKS = ("stranger", "by-pharmacist", "other-", "another", "mixed", "spoilt", "bit")


def _codes() -> Mapping[str, Each]:
    begin = f"{Kind.PRESCRIPTION_CODE.value}/"
    found: dict[str, Vector] = {n.removeprefix(begin): v for n, v in _suite(World(1)).vectors.items() if n.startswith(begin)}
    return {
        name: Each(name, vector.says.en, vector.says.zh,
                   next((c for word, c in _CLAUSES.items() if name.startswith(word)), ("P-QRX-06",)),
                   Nature.VALID if vector.expected.accepted else
                   Nature.ATTACK if any(word in name for word in _ATTACKS) else Nature.INVALID)
        for name, vector in found.items()
    }


@case(nature=Nature.VALID, zh="處方條碼", when='"code" in sources', each=_codes)
def test_code_of_a_prescription_is_judged(pharmacy: PharmacyTester, name: str) -> None:
    """A prescription's code is taken or refused as its vector says."""
    suite = _suite(pharmacy.world)
    vector = suite.vectors[f"{Kind.PRESCRIPTION_CODE.value}/{name}"]
    if Value.REVOKED in vector.values:
        pharmacy.software.revoke([int(vector.values[Value.REVOKED], 16)])
    if Value.AT in vector.values:
        at_ns = from_datetime(datetime.fromisoformat(vector.values[Value.AT].replace("Z", "+00:00")))
        pharmacy.software.later((at_ns - pharmacy.now_ns) / NS)
    which = Input.TEXTS if Input.TEXTS in vector.files else Input.TEXT
    texts = suite.files[vector.files[which]].decode().split("\n")
    device = bytes.fromhex(vector.values[Value.DEVICE])
    found = pharmacy.act("scan", lambda: pharmacy.software.scan(texts, device))
    expected = "0" if vector.expected.accepted else vector.expected.code.number
    pharmacy.equal("code", found.code, expected)
    pharmacy.equal("prescriptions", len(found.states), int(vector.expected.accepted))


@case("P-QMP-02", nature=Nature.INOPPORTUNE, zh="多張條碼：任意順序、重複掃描", when='"code" in sources')
def test_parts_are_scanned_in_any_order_and_repeatedly(pharmacy: PharmacyTester) -> None:
    """Parts of a prescription in another order, some of them twice, become the whole; one missing, and there is none."""
    suite = _suite(pharmacy.world)
    texts = suite.files[suite.vectors["prescription-code/parts"].files[Input.TEXTS]].decode().split("\n")
    device = bytes.fromhex(suite.vectors["prescription-code/parts"].values[Value.DEVICE])
    for order in (texts[::-1], [texts[0], *texts], [*texts[1:], texts[0]]):
        pharmacy.equal("code", pharmacy.act("scan", partial(pharmacy.software.scan, order, device)).code, "0")
    pharmacy.equal("a part alone", pharmacy.act("scan", lambda: pharmacy.software.scan(texts[:1], device)).code, "1520")
    others = [*texts[:1], "VHM1:", *texts[1:]]
    found = pharmacy.act("scan", lambda: pharmacy.software.scan(others, device)).code
    pharmacy.expect("with something between that is none", found in ("0", "1520"), "0 or 1520", found)


@case("P-QRX-05", nature=Nature.ATTACK, zh="條碼被複製：非持卡人不得使用", when='"code" in sources')
def test_code_without_the_holders_card_is_refused(pharmacy: PharmacyTester) -> None:
    """A copied code is of no use with another card."""
    suite = _suite(pharmacy.world)
    text = suite.files[suite.vectors["prescription-code/whole"].files[Input.TEXT]].decode()
    pharmacy.equal("code", pharmacy.act("scan", lambda: pharmacy.software.scan([text], bytes(range(32)))).code, "5020")


@case("P-QRT-03", nature=Nature.LIMIT, zh="條碼文字：長度、壓縮、拼法", when='"code" in sources')
def test_text_of_a_code_is_bounded(pharmacy: PharmacyTester) -> None:
    """A text of more than 12293 characters, one cut short, bytes behind the packed ones, and small letters are no code."""
    suite = _suite(pharmacy.world)
    vector = suite.vectors["prescription-code/whole"]
    text, device = suite.files[vector.files[Input.TEXT]].decode(), bytes.fromhex(vector.values[Value.DEVICE])
    raw = unpack(PRESCRIPTION, text)
    spoilt = {
        "too long": text + "0" * 12_294, "cut short": text[:-3], "small letters": text[:5] + text[5:].lower(),
        "a byte behind": PRESCRIPTION + base45.encode(zlib.compress(raw, 9) + b"\0"), "unpacked too long": pack(PRESCRIPTION,
                                                                                                                bytes(8193)),
        "nothing": PRESCRIPTION,
    }
    for what, one in spoilt.items():
        pharmacy.equal(what, pharmacy.act("scan", partial(pharmacy.software.scan, [one], device)).code, "1520")
    pharmacy.equal("right", pharmacy.act("scan", lambda: pharmacy.software.scan([text], device)).code, "0")


def _padded(raw: bytes, size: int) -> bytes:
    """The same bytes packed into so many: blocks with nothing in them come first."""
    for stored, strategy in product(range(0, len(raw), 7), (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY, zlib.Z_FIXED)):
        packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, strategy)
        rest = packer.compress(raw[stored:]) + packer.flush()
        length = stored.to_bytes(2, "little")
        first = b"\0" + length + bytes(one ^ 0xFF for one in length) + raw[:stored]
        room = size - 2 - len(first) - len(rest) - 4
        if room % 5 == 0:
            return b"\x78\xda" + b"\0\0\0\xff\xff" * (room // 5) + first + rest + zlib.adler32(raw).to_bytes(4, "big")
    raise AssertionError("no length of a first block will do")


@case("P-QRT-03", nature=Nature.LIMIT, zh="條碼文字最長 12293 字元", when='"code" in sources')
def test_longest_text_of_a_code_is_taken(pharmacy: PharmacyTester) -> None:
    """A code whose text has 12293 characters is taken, the same in 12296 is not."""
    suite = _suite(pharmacy.world)
    vector = suite.vectors["prescription-code/whole"]
    text, device = suite.files[vector.files[Input.TEXT]].decode(), bytes.fromhex(vector.values[Value.DEVICE])
    raw = unpack(PRESCRIPTION, text)
    for size, characters, code in ((8194, 12_296, "1520"), (8192, 12_293, "0")):
        made = PRESCRIPTION + base45.encode(_padded(raw, size))
        pharmacy.need(f"{characters} characters", len(made) == characters)
        pharmacy.equal(f"{characters} characters", pharmacy.act(
            "scan", partial(pharmacy.software.scan, [made], device)).code, code)


def _partings() -> Mapping[str, Each]:
    rows: tuple[tuple[str, tuple[int, ...], int, str, str], ...] = (
        ("two", (0, 1), 2, "0", "Two parts, which are the fewest."),
        ("most", tuple(range(MAX_PARTS)), MAX_PARTS, "0", f"{MAX_PARTS} parts, which are the most."),
        ("one", (0,), 1, "1520", "One part of one."),
        ("more", tuple(range(MAX_PARTS + 1)), MAX_PARTS + 1, "1520", f"{MAX_PARTS + 1} parts."),
        ("number-of-the-total", (0, 2), 2, "1520", "Part 2 of 2, where they are counted from 0."),
        ("number-beyond", (0, 3), 2, "1520", "Part 3 of 2."),
        ("nothing-in-one", (0, -1), 2, "1520", "A part with nothing in it."),
    )
    return {name: Each((numbers, total, code), says, f"分張：{name}", nature=Nature.LIMIT)
            for name, numbers, total, code, says in rows}


@case("P-QMP-01", "P-QMP-02", nature=Nature.LIMIT, zh="分張之張數與編號", when='"code" in sources', each=_partings)
def test_numbers_of_parts_are_judged(pharmacy: PharmacyTester, value: tuple[tuple[int, ...], int, str]) -> None:
    """Two to the most parts, counted from 0, each with something in it; other ones are no parts."""
    numbers, total, code = value
    suite = _suite(pharmacy.world)
    vector = suite.vectors["prescription-code/whole"]
    text, device = suite.files[vector.files[Input.TEXT]].decode(), bytes.fromhex(vector.values[Value.DEVICE])
    whole = PRESCRIPTION.encode() + base45.decode(text[len(PRESCRIPTION) :])
    checksum = hashlib.sha256(whole).digest()[: len(read_part(split(text, pharmacy.world.fresh("set"), 400)[0]).checksum)]
    empty = numbers[-1] < 0
    size = len(whole) if empty else -(-len(whole) // len(numbers))
    texts = [
        Part(bytes(SET_BYTES), 1 if number < 0 else number, total, checksum, whole[at * size : (at + 1) * size]).to_text()
        for at, number in enumerate(numbers)
    ]
    pharmacy.equal("code", pharmacy.act("scan", lambda: pharmacy.software.scan(texts, device)).code, code)


@case("P-QRX-01", "P-QRX-04", nature=Nature.INVALID, zh="處方條碼之標頭", when='"code" in sources', each=lambda: {
    name: Each(change, says, f"標頭：{name}") for name, change, says in (
        ("unprotected", lambda item: item.__setitem__(1, {33: b"x"}), "A header that nothing protects."),
        ("signers-header", lambda item: item[3][0].__setitem__(1, {**item[3][0][1], 99: 1}), "A signature with a header more."),
        ("signers-chain", lambda item: item[3][0].__setitem__(1, {33: [b"x", b"y"]}), "A signature with two certificates."),
        ("one-signature-more", lambda item: item[3].append(item[3][1]), "Three signatures."),
    )})
def test_headers_of_a_prescriptions_code_are_judged(pharmacy: PharmacyTester, change: Callable[[Any], object]) -> None:
    """A prescription's code has no header but those of its rule, though no signature is broken by it."""
    suite = _suite(pharmacy.world)
    vector = suite.vectors["prescription-code/whole"]
    text, device = suite.files[vector.files[Input.TEXT]].decode(), bytes.fromhex(vector.values[Value.DEVICE])
    tagged = cbor2.loads(unpack(PRESCRIPTION, text))
    item = list(tagged.value)
    item[3] = [list(signature) for signature in item[3]]
    change(item)
    made = pack(PRESCRIPTION, cbor2.dumps(cbor2.CBORTag(tagged.tag, item), canonical=True))
    pharmacy.equal("code", pharmacy.act("scan", lambda: pharmacy.software.scan([made], device)).code, "1520")


# -- dispensing

@case("P-PRX-02", "P-PRX-03", "P-PRX-04", nature=Nature.VALID, zh="調劑：先查詢，簽署後通報")
def test_prescription_is_asked_for_and_its_dispensing_signed(pharmacy: PharmacyTester) -> None:
    """With a line the data centre is asked first; the dispensing is signed by pharmacist and SAM and told at once."""
    document, raw = pharmacy.prescribed()
    pharmacy.found(document)
    pharmacy.requests()
    done = pharmacy.done("dispense", lambda: pharmacy.software.dispense(document.id))
    record, signed = read_record(done.raw)
    pharmacy.equal("kind", record.kind, RecordKind.DISPENSE)
    keys = [who.key.public_key() for who in (pharmacy.pharmacy.professional, pharmacy.pharmacy.sam)]
    pharmacy.equal("signed by pharmacist and SAM", [signed.verify(n, key) for n, key in enumerate(keys)], [True, True])
    pharmacy.equal("what was told", [r[7]["record"] for r in pharmacy.requests("rx-dispense")], [done.raw])
    pharmacy.expect("asked before", pharmacy.requests()[-1][2] == "rx-dispense" and len(pharmacy.requests("rx-find")) >= 2)
    _, body = pharmacy.centre(pharmacy.clinic, "rx-find", {"id": document.id})
    pharmacy.equal("at the data centre", (body["prescriptions"][0]["dispensed"], body["prescriptions"][0]["records"]),
                   (1, [raw, done.raw]))


@case("P-PRX-03", nature=Nature.INOPPORTUNE, zh="不得調劑者：顯示代碼，不給藥", each=lambda: {
    name: Each(name, clauses=("P-PRX-03", *more)) for name, more in (
        ("dispensed", ()), ("on-hold", ("P-PRX-06",)), ("cancelled", ()), ("amended", ()), ("over", ()), ("not-yet-due", ()))
})
def test_prescription_that_is_not_to_be_dispensed_is_refused(pharmacy: PharmacyTester, how: str) -> None:
    """What was dispensed, is on hold, cancelled, amended, over or not yet due is refused with the table's code."""
    document, raw = pharmacy.prescribed(PrescriptionClass.REFILL if how == "not-yet-due" else PrescriptionClass.ORDINARY)
    pharmacy.found(document)
    clinic, mine, now_ns = pharmacy.pen(pharmacy.clinic), pharmacy.pen(pharmacy.pharmacy), pharmacy.now_ns
    newest = document.id
    match how:
        case "dispensed" | "not-yet-due":
            pharmacy.done("first", lambda: pharmacy.software.dispense(document.id))
        case "on-hold":
            query = mine.sign(mine.doubt(document, raw, now_ns))
            pharmacy.equal("doubt", pharmacy.leave(pharmacy.pharmacy, "rx-query", query, documents=(raw,)), "0")
        case "cancelled":
            pharmacy.equal("cancel", pharmacy.leave(pharmacy.clinic, "rx-store", clinic.sign(
                clinic.cancellation(document, now_ns))), "0")
        case "amended":
            newer = clinic.amendment(document, now_ns)
            newest = newer.id
            pharmacy.equal("amend", pharmacy.leave(pharmacy.clinic, "rx-store", clinic.sign(newer.record())), "0")
        case "over":
            pharmacy.software.later(5 * 86_400)
    done = pharmacy.act("dispense", lambda: pharmacy.software.dispense(document.id))
    expected = {"dispensed": "D019", "on-hold": "RX06", "cancelled": "D023", "amended": "0", "over": "RX08",
                "not-yet-due": "RX09"}
    pharmacy.equal("code", done.code, expected[how])
    if how == "amended":  # what is dispensed is the amendment
        pharmacy.equal("what it is about", read_record(done.raw)[0].fields[ABOUT], newest)


@case("P-PRX-03", "P-PRX-04", nature=Nature.INVALID, zh="資料中心拒絕或所答不成立", each=lambda: {
    f"{fate.replace(' ', '-')}-{number}": Each((number, fate, code), f"Answer {number + 1} is {fate}.",
                                               f"第 {number + 1} 則回覆：{fate}") for number, fate, code in (
        (0, "refuses 9060", "9060"), (0, "refuses RX06", "RX06"), (1, "refuses RX06", "RX06"), (1, "refuses 9060", "9060"),
        (0, "odd prescriptions", "0"))})
def test_refusal_of_the_data_centre_is_shown(pharmacy: PharmacyTester, value: tuple[int, str, str]) -> None:
    """What the data centre refuses is shown with its code, and nothing is given; what is no list of prescriptions is none."""
    number, fate, code = value
    document, _ = pharmacy.prescribed()
    pharmacy.found(document)
    pharmacy.requests()
    pharmacy.software.line_is([""] * number + [fate] * 8)
    done = pharmacy.act("dispense", lambda: pharmacy.software.dispense(document.id))
    pharmacy.equal("code", done.code, code)
    pharmacy.equal("asked to the end", len(pharmacy.requests("rx-dispense")), int(number == 1 or code == "0"))
    if code != "0":
        pharmacy.software.line_is([])
        pharmacy.software.later(61)
        pharmacy.equal("nothing waits", pharmacy.software.shelves().rx_waiting, 0)
        _, body = pharmacy.centre(pharmacy.clinic, "rx-find", {"id": document.id})
        pharmacy.expect("dispensed once at most", body["prescriptions"][0]["dispensed"] <= number, number, body)


@case("P-PRX-04", "P-CSW-08", "P-UPL-08", nature=Nature.MEDIUM, zh="無連線調劑：依設定，事後通報一次", each=lambda: {
    f"{fate.replace(' ', '-')}-{'allowed' if allowed else 'forbidden'}": Each((fate, allowed))
    for fate in ("down", "reply lost") for allowed in (True, False)
})
def test_dispensing_without_an_answer_is_told_later_once(pharmacy: PharmacyTester, value: tuple[str, bool]) -> None:
    """Without an answer the institution's switch decides; what was handed over is told by its record, the rest returned."""
    fate, allowed = value
    document, _ = pharmacy.prescribed()
    pharmacy.found(document)
    pharmacy.software.policy(offline=allowed)
    pharmacy.software.line_is(["reply lost"] * 12 if fate == "reply lost" else [], down=fate == "down")
    done = pharmacy.act("dispense", lambda: pharmacy.software.dispense(document.id))
    pharmacy.equal("code", done.code, "0" if allowed else "4061")
    pharmacy.equal("what waits", pharmacy.software.shelves().rx_waiting, 1)
    pharmacy.software.line_is([])
    pharmacy.software.later(61)
    pharmacy.done("upload", pharmacy.software.upload)
    pharmacy.equal("then", pharmacy.software.shelves().rx_waiting, 0)
    _, body = pharmacy.centre(pharmacy.clinic, "rx-find", {"id": document.id})
    pharmacy.equal("counted", body["prescriptions"][0]["dispensed"], int(allowed))


@case("P-PRX-04", "P-PRX-03", nature=Nature.VALID, zh="退回：該次可再調劑")
def test_what_did_not_leave_is_returned(pharmacy: PharmacyTester) -> None:
    """A dispensing that did not leave is taken back under signature, and the issue is free again."""
    document, _ = pharmacy.prescribed()
    pharmacy.found(document)
    pharmacy.done("dispense", lambda: pharmacy.software.dispense(document.id))
    pharmacy.done("give back", pharmacy.software.give_back)
    _, body = pharmacy.centre(pharmacy.clinic, "rx-find", {"id": document.id})
    pharmacy.equal("counted", body["prescriptions"][0]["dispensed"], 0)
    pharmacy.found(document)
    pharmacy.done("again", lambda: pharmacy.software.dispense(document.id))


@case("P-PRX-06", nature=Nature.VALID, zh="疑義：簽署、暫停、撤回")
def test_doubt_is_signed_and_holds_the_prescription(pharmacy: PharmacyTester) -> None:
    """A doubt is signed and put to the data centre, needs the line, and holds the prescription until it is settled."""
    document, _ = pharmacy.prescribed()
    pharmacy.found(document)
    pharmacy.software.line_is([], down=True)
    pharmacy.equal("without a line", pharmacy.act("doubt", lambda: pharmacy.software.doubt(document.id)).code, "4061")
    pharmacy.software.line_is([])
    pharmacy.software.later(61)
    pharmacy.done("doubt", lambda: pharmacy.software.doubt(document.id))
    record, signed = read_record(pharmacy.requests("rx-query")[-1][7]["record"])
    pharmacy.equal("a query, signed twice", (record.kind, len(signed.signatures)), (RecordKind.QUERY, 2))
    pharmacy.equal("held", pharmacy.act("dispense", lambda: pharmacy.software.dispense(document.id)).code, "RX06")
    pharmacy.done("settled", pharmacy.software.settle)
    pharmacy.done("dispensed", lambda: pharmacy.software.dispense(document.id))


@case("P-PRX-08", "P-PRX-01", nature=Nature.VALID, zh="管制藥品：領受人簽收後給藥", when="controlled")
def test_recipient_of_a_controlled_drug_signs(pharmacy: PharmacyTester) -> None:
    """A controlled drug waits for its recipient's signature, which is told to the data centre; what is none is refused."""
    document, _ = pharmacy.prescribed(PrescriptionClass.CONTROLLED_REFILL)
    pharmacy.found(document)
    done = pharmacy.done("dispense", lambda: pharmacy.software.dispense(document.id))
    pharmacy.equal("it waits for the recipient", done.text, "recipient")
    refused = pharmacy.act("no signature", pharmacy.software.no_paper).code
    pharmacy.expect("what is no signature", refused not in ("0", ""), "a refusal", refused)
    pharmacy.equal("nothing was told of it", list(pharmacy.requests("rx-tell")), [])
    pharmacy.done("signed", pharmacy.software.signed_on_paper)
    record, _ = read_record(pharmacy.requests("rx-tell")[-1][7]["record"])
    pharmacy.equal("what was told", record.kind, RecordKind.RECEIVED)
    pharmacy.software.later(20 * 86_400)


@case("P-PRX-02", nature=Nature.ATTACK, zh="資料中心轉來之處方亦查驗簽章")
def test_prescriptions_of_the_data_centre_are_found_by_holder_and_number(pharmacy: PharmacyTester) -> None:
    """Found by card number, by number and by id; of nobody nothing; without a line it is said."""
    document, _ = pharmacy.prescribed()
    for what in ({"card_no": CARD_NO}, {"number": document.visit}, {"id": document.id}):
        found = pharmacy.act("find", partial(pharmacy.software.find, **what))
        pharmacy.equal("found", [root for root, _ in found.states], [document.id])
    pharmacy.equal("of nobody", pharmacy.act("find", lambda: pharmacy.software.find(card_no="9" * 12)).states, ())
    pharmacy.software.line_is([], down=True)
    pharmacy.equal("without a line", pharmacy.act("find", lambda: pharmacy.software.find(card_no=CARD_NO)).code, "4061")


# -- records

@case("P-UPL-01", "P-UPL-02", "P-UPL-08", nature=Nature.VALID, zh="調劑紀錄之格式與上傳", each=lambda: {
    version: Each(version, f"Format {version}.", f"{version} 格式") for version in ("1.0", "2.0")
})
def test_dispensing_is_recorded_and_uploaded(pharmacy: PharmacyTester, version: str) -> None:
    """The record of a dispensing is of type AF, in its format, and goes at once; it may wait for the prescriber's."""
    pharmacy.software.version(version)
    document, _ = pharmacy.prescribed()
    pharmacy.found(document)
    pharmacy.done("dispense", lambda: pharmacy.software.dispense(document.id))
    pharmacy.act("record", pharmacy.software.record)
    [record] = pharmacy.records()
    pharmacy.equal("format, type", (record.version.value, record.get("visit_type")), (version, "AF"))
    shelves = pharmacy.software.shelves()
    pharmacy.equal("nothing is left unsent", shelves.queue, 0)
    pharmacy.equal("it is kept", shelves.done + shelves.waiting + shelves.refused, 1)


@case("P-UPL-02", "P-UPL-03", "P-CSW-08", nature=Nature.MEDIUM, zh="無連線或回覆遺失：原樣再送", each=lambda: {
    fate.replace(" ", "-"): Each(fate, f"{fate.capitalize()}.", f"線路：{fate}") for fate in ("down", "reply lost", "forged")
})
def test_record_is_sent_again_unchanged_until_it_is_answered(pharmacy: PharmacyTester, fate: str) -> None:
    """A record whose upload is not answered waits and is sent again as it was."""
    pharmacy.software.version("1.0")
    document, _ = pharmacy.prescribed()
    pharmacy.found(document)
    pharmacy.done("dispense", lambda: pharmacy.software.dispense(document.id))
    pharmacy.software.line_is([] if fate == "down" else [fate] * 6, down=fate == "down")
    pharmacy.act("record", pharmacy.software.record)
    pharmacy.equal("it waits", pharmacy.software.shelves().queue, 1)
    pharmacy.software.line_is([])
    pharmacy.software.later(61)
    pharmacy.act("upload", pharmacy.software.upload)
    pharmacy.equal("then", pharmacy.software.shelves().queue, 0)
    pharmacy.equal("one file, however often", len(pharmacy.files()), 1)


@case("P-UPL-04", nature=Nature.INVALID, zh="檢核不符：擱置，更正後再送")
def test_record_that_was_set_aside_is_corrected(pharmacy: PharmacyTester) -> None:
    """A record that a check refused is set aside, and sent again when a person has mended it."""
    pharmacy.software.version("1.0")
    document, _ = pharmacy.prescribed()
    pharmacy.found(document)
    pharmacy.done("dispense", lambda: pharmacy.software.dispense(document.id))
    pharmacy.act("record", pharmacy.software.record)
    before = pharmacy.software.shelves()
    if before.refused:
        pharmacy.act("correct", pharmacy.software.correct)
        pharmacy.equal("sent again", len(pharmacy.requests("upload")) >= 2, True)
    else:
        pharmacy.equal("it counts, or waits for the prescriber's", before.done + before.waiting, 1)
