"""Prescriptions in codes, as a pharmacy takes or refuses them: whole, in parts, altered, copied."""

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
from conformance.vectors.world import NOW_NS, World
from virtual_devices import base45
from virtual_devices.clock import NS, from_datetime, to_datetime
from virtual_devices.qr.parts import MAX_PARTS, SET_BYTES, Part, read_part, split
from virtual_devices.qr.prescription import SigningParty, sign, to_text
from virtual_devices.qr.text import PRESCRIPTION, pack, unpack


@cache
def _suite(world: World) -> Suite:
    suite = Suite()
    prescriptions.add(suite, world)
    return suite


def _vectors(pharmacy: PharmacyTester) -> Suite:
    """Those of the world's parties; they are of one moment."""
    if pharmacy.world.now_ns != NOW_NS:
        pharmacy.not_applicable(f"its codes are of {to_datetime(NOW_NS):%Y-%m-%d}, and the software goes by the machine's clock")
    return _suite(pharmacy.world)


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
    suite = _vectors(pharmacy)
    vector = suite.vectors[f"{Kind.PRESCRIPTION_CODE.value}/{name}"]
    if Value.REVOKED in vector.values:
        pharmacy.revoke([int(vector.values[Value.REVOKED], 16)])
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
    suite = _vectors(pharmacy)
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
    suite = _vectors(pharmacy)
    text = suite.files[suite.vectors["prescription-code/whole"].files[Input.TEXT]].decode()
    pharmacy.equal("code", pharmacy.act("scan", lambda: pharmacy.software.scan([text], bytes(range(32)))).code, "5020")


@case("P-QRT-03", nature=Nature.LIMIT, zh="條碼文字：長度、壓縮、拼法", when='"code" in sources')
def test_text_of_a_code_is_bounded(pharmacy: PharmacyTester) -> None:
    """A text of more than 12293 characters, one cut short, bytes behind the packed ones, and small letters are no code."""
    suite = _vectors(pharmacy)
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
    suite = _vectors(pharmacy)
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
        ("number-above-the-total-among-others", (0, 2, 1), 2, "1520", "Parts 0, 2 and 1 of 2, which together are the whole."),
        ("nothing-in-one", (0, -1), 2, "1520", "A part with nothing in it."),
    )
    return {name: Each((numbers, total, code), says, nature=Nature.LIMIT)
            for name, numbers, total, code, says in rows}


@case("P-QMP-01", "P-QMP-02", nature=Nature.LIMIT, zh="分張之張數與編號", when='"code" in sources', each=_partings)
def test_numbers_of_parts_are_judged(pharmacy: PharmacyTester, value: tuple[tuple[int, ...], int, str]) -> None:
    """Two to the most parts, counted from 0, each with something in it; other ones are no parts."""
    numbers, total, code = value
    suite = _vectors(pharmacy)
    vector = suite.vectors["prescription-code/whole"]
    text, device = suite.files[vector.files[Input.TEXT]].decode(), bytes.fromhex(vector.values[Value.DEVICE])
    whole = PRESCRIPTION.encode() + base45.decode(text[len(PRESCRIPTION) :])
    checksum = hashlib.sha256(whole).digest()[: len(read_part(split(text, pharmacy.world.fresh("set"), 400)[0]).checksum)]
    empty = numbers[-1] < 0
    size = len(whole) if empty else -(-len(whole) // len(numbers))
    place = {number: at for at, number in enumerate(sorted(abs(number) for number in numbers))}
    pieces = {number: whole[at * size : (at + 1) * size] for number, at in place.items()}
    texts = [Part(bytes(SET_BYTES), abs(number), total, checksum, pieces[abs(number)]).to_text() for number in numbers]
    pharmacy.equal("code", pharmacy.act("scan", lambda: pharmacy.software.scan(texts, device)).code, code)


@case("P-QRX-01", "P-QRX-04", nature=Nature.INVALID, zh="處方條碼之標頭", when='"code" in sources', each=lambda: {
    name: Each((change, code), says) for name, change, code, says in (
        ("unprotected", lambda item: item.__setitem__(1, {33: b"x"}), "1520", "A header that nothing protects."),
        ("unprotected-of-no-meaning", lambda item: item.__setitem__(1, {99: 1}), "1520", "A header of no meaning."),
        ("protected", lambda item: item.__setitem__(0, cbor2.dumps({99: 1})), "1520", "A header that is protected."),
        ("signers-header", lambda item: item[3][0].__setitem__(1, {**item[3][0][1], 99: 1}), "1520",
         "A signature with a header more."),
        ("signers-chain", lambda item: item[3][0].__setitem__(1, {33: [b"x", b"y"]}), "1520",
         "A signature with two certificates."),
        ("one-signature-more", lambda item: item[3].append(item[3][1]), "1520", "Three signatures."),
        ("no-certificate-of-the-institution", lambda item: item[3][1].__setitem__(1, {}), "1423",
         "The institution's certificate is neither in the code nor here."),
    )})
def test_headers_of_a_prescriptions_code_are_judged(
    pharmacy: PharmacyTester, value: tuple[Callable[[Any], object], str],
) -> None:
    """A prescription's code has the headers of its rule, no more and no less, though no signature is broken by it."""
    change, code = value
    suite = _vectors(pharmacy)
    vector = suite.vectors["prescription-code/whole"]
    text, device = suite.files[vector.files[Input.TEXT]].decode(), bytes.fromhex(vector.values[Value.DEVICE])
    tagged = cbor2.loads(unpack(PRESCRIPTION, text))
    item = list(tagged.value)
    item[3] = [list(signature) for signature in item[3]]
    change(item)
    made = pack(PRESCRIPTION, cbor2.dumps(cbor2.CBORTag(tagged.tag, item), canonical=True))
    pharmacy.equal("code", pharmacy.act("scan", lambda: pharmacy.software.scan([made], device)).code, code)


@case("P-QRX-04", nature=Nature.INVALID, zh="處方條碼：編碼非唯一", when='"code" in sources')
def test_code_that_is_encoded_otherwise_is_none(pharmacy: PharmacyTester) -> None:
    """The same record in other bytes, which no signature protects, is no prescription's code."""
    suite = _vectors(pharmacy)
    vector = suite.vectors["prescription-code/whole"]
    text, device = suite.files[vector.files[Input.TEXT]].decode(), bytes.fromhex(vector.values[Value.DEVICE])
    raw = unpack(PRESCRIPTION, text)
    head = raw.index(b"\x84")
    tag, rest = raw[:head], raw[head + 1 :]
    for what, other in (("a longer tag", b"\xd9\x00\x62\x84" + rest), ("a longer array", tag + b"\x98\x04" + rest)):
        made = pack(PRESCRIPTION, other)
        pharmacy.equal(what, pharmacy.act("scan", partial(pharmacy.software.scan, [made], device)).code, "1520")


@case("P-QRX-01", "P-QRX-06", nature=Nature.INVALID, zh="處方條碼：更正不得單獨成碼", when='"code" in sources')
def test_code_of_an_amendment_is_none(pharmacy: PharmacyTester) -> None:
    """An amendment, though signed as it should be, is no prescription's code: what it amends is not known from it."""
    world, pen = pharmacy.world, pharmacy.pen(pharmacy.clinic)
    first = pen.prescription(pharmacy.now_ns)
    parties = [SigningParty(who.chain[0], partial(world.es256, who.key))
               for who in (pharmacy.clinic.professional, pharmacy.clinic.sam)]
    for document, code in ((first, "0"), (pen.amendment(first, pharmacy.now_ns), "1520")):
        text = to_text(sign(document, *parties))
        found = pharmacy.act("scan", partial(pharmacy.software.scan, [text], document.device))
        pharmacy.equal("code", found.code, code)
