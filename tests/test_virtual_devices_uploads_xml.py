"""Upload files as bytes: both directions, what is refused and how; nothing hostile gets an exception or a long computation."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.parsers import expat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtual_devices.records import BIG5
from virtual_devices.uploads.codes import CHECK_CODES, Effect
from virtual_devices.uploads.document import Encoding, Record
from virtual_devices.uploads.fields import FORMATS, Block, Version
from virtual_devices.uploads.making import make
from virtual_devices.uploads.xml_reader import Limits, read
from virtual_devices.uploads.xml_writer import Unwritable, write

from .upload_visits import DISPENSED, REFILL_RELEASED, VACCINATED, VISIT, changed, changed_order

GOLDEN = Path(__file__).parent / "golden" / "uploads"
HEAD = b'<?xml version="1.0" encoding="Big5"?>'
GOOD = {version: write([make(VISIT, version), make(REFILL_RELEASED, version)]) for version in Version}
BIG5_GAPS = "㐀𠮷☃😀"


def codes(raw: bytes, limits: Limits = Limits()) -> set[str]:
    return {one.code for one in read(raw, limits).findings}


# -- both directions

def in_big5(character: str) -> bool:
    try:
        return character.encode(BIG5).decode(BIG5) == character
    except UnicodeError:
        return False


BIG5_TEXT = "".join(filter(in_big5, map(chr, range(0x4E00, 0x9FA6)))) + "。，、「」（）"
ascii_text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=300)
big5_text = st.text(st.sampled_from(BIG5_TEXT), min_size=1, max_size=300)
any_text = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), min_size=1, max_size=300)


def segments(version: Version, block: Block, texts: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, str]]:
    ids = [field.id for field in FORMATS[version].blocks[block]]
    return st.dictionaries(st.sampled_from(ids), texts, min_size=1, max_size=len(ids))


def records(version: Version, texts: st.SearchStrategy[str]) -> st.SearchStrategy[Record]:
    return st.builds(
        Record, st.just(version), segments(version, Block.HEADER, texts), segments(version, Block.VISIT, texts),
        st.lists(segments(version, Block.ORDER, texts), max_size=4).map(tuple),
    )


def files(texts: st.SearchStrategy[str]) -> st.SearchStrategy[list[Record]]:
    return st.sampled_from(Version).flatmap(lambda version: st.lists(records(version, texts), min_size=1, max_size=3))


@given(files(st.one_of(ascii_text, big5_text)))
@settings(max_examples=15, deadline=None)
def test_written_records_are_read_back_from_big5(made: list[Record]) -> None:
    reading = read(write(made))
    assert reading.findings == ()
    assert list(reading.records) == made
    assert reading.version is made[0].version
    assert [one.number for one in reading.records] == list(range(1, len(made) + 1))


@given(files(any_text))
@settings(max_examples=15, deadline=None)
def test_written_records_are_read_back_from_utf8(made: list[Record]) -> None:
    reading = read(write(made, Encoding.UTF8))
    assert reading.findings == ()
    assert list(reading.records) == made


def by_expat(raw: bytes, encoding: Encoding) -> list[tuple[str, str]]:
    """Every field with its value as another parser reads it."""
    text = raw.decode(BIG5 if encoding is Encoding.BIG5 else "utf-8")
    parser = expat.ParserCreate("utf-8")
    found: list[tuple[str, str]] = []
    value: list[str] = []

    def end(name: str) -> None:
        if re.fullmatch("[A-Z][0-9]{2}", name) and "".join(value):
            found.append((name, "".join(value)))
        value.clear()

    parser.StartElementHandler = lambda *_: value.clear()
    parser.CharacterDataHandler = value.append
    parser.EndElementHandler = end
    parser.Parse(text.encode("utf-8"), True)
    return found


def values(record: Record) -> list[tuple[str, str]]:
    parts: list[Mapping[str, str]] = [record.header, record.visit, *record.orders]
    return [pair for part in parts for pair in part.items()]


PIECES = [b"", b"<", b">", b"&amp;", b"&", b"&#65;", b"&#0;", b"]]>", b" ", b"/", b"\x00", b"x"]


@given(st.sampled_from(list(GOOD.values())), st.data())
@settings(max_examples=100, deadline=None)
def test_what_is_read_without_fault_is_xml_to_another_parser(good: bytes, data: st.DataObject) -> None:
    spoilt = bytearray(good)
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(len(HEAD), len(spoilt) - 1))
        piece = data.draw(st.sampled_from(PIECES))
        spoilt[at:at + data.draw(st.integers(0, 2))] = piece
    reading = read(bytes(spoilt))
    if not reading.findings:
        assert [pair for record in reading.records for pair in values(record)] == by_expat(bytes(spoilt), reading.encoding)


@pytest.mark.parametrize("name", ["visit", "refill", "dispensing", "vaccination"])
@pytest.mark.parametrize("version", Version, ids=lambda one: one.value)
def test_file_is_the_golden_one(name: str, version: Version) -> None:
    facts = {"visit": VISIT, "refill": REFILL_RELEASED, "dispensing": DISPENSED, "vaccination": VACCINATED}[name]
    golden = (GOLDEN / f"{name}-{version.value}.xml").read_bytes()
    assert write([make(facts, version)]) == golden
    assert read(golden).records == (make(facts, version),)


def test_empty_elements_say_nothing() -> None:
    raw = GOOD[Version.V20].replace(b"<M50>", b"").replace(b"<M51>", b"<M50/><M36 /><M37></M37><M51>")
    assert read(raw).findings == ()
    assert read(raw).records == read(GOOD[Version.V20]).records


# -- what Big5 has not

@pytest.mark.parametrize("character", BIG5_GAPS)
def test_character_outside_big5_is_refused_by_name(character: str) -> None:
    record = changed_order(make(VISIT, Version.V20), 2, allergy_drugs=f"藥{character}")
    with pytest.raises(Unwritable) as refused:
        write([make(VISIT, Version.V20), record])
    why = refused.value
    assert (why.record, why.order, why.field, why.character) == (2, 3, "E04", character)
    assert f"U+{ord(character):04X}" in str(why)
    assert "UTF-8" in str(why)
    assert read(write([record], Encoding.UTF8)).records == (record,)


def test_character_that_xml_has_not_is_refused_by_name() -> None:
    with pytest.raises(Unwritable, match=r"record 1, M35: U\+0007"):
        write([changed(make(VISIT, Version.V20), diagnosis_1="J\x07")])


def test_field_of_another_format_is_refused_by_name() -> None:
    record = make(VISIT, Version.V20)
    with pytest.raises(Unwritable, match=r"no such field in MB1 of format 2\.0"):
        write([Record(Version.V20, record.header, {"A11": "x"})])


@given(st.text(min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_any_text_is_written_whole_or_refused(text: str) -> None:
    record = changed_order(make(VISIT, Version.V20), 2, allergy_drugs=text)
    try:
        raw = write([record])
    except Unwritable as why:
        assert why.field == "E04"
        assert why.character in text
    else:
        assert read(raw).records == (record,)


# -- faults of form

@pytest.mark.parametrize(("code", "effect", "spoil"), [
    ("Y002", Effect.FILE, lambda raw: re.sub(rb"<MSH>.*?</MSH>", b"", raw, count=1, flags=re.DOTALL)),
    ("Y005", Effect.FILE, lambda raw: re.sub(rb"<MB1>.*?</MB1>", b"", raw, count=1, flags=re.DOTALL)),
    ("Y007", Effect.FILE, lambda raw: raw.replace(b"</RECS>", b"")),
    ("Y015", Effect.FILE, lambda raw: raw + b"<RECS></RECS>"),
    ("Y001", Effect.FILE, lambda raw: raw.replace(b"RECS>", b"ROWS>")),
    ("Y001", Effect.FILE, lambda raw: raw[len(HEAD):]),
    ("Y001", Effect.FILE, lambda raw: raw + b"more"),
    ("Y006", Effect.RECORD, lambda raw: raw.replace(b"</REC>", b"", 1)),
    ("Y003", Effect.RECORD, lambda raw: raw.replace(b"</A11>", b"</A12>", 1)),
    ("Y003", Effect.RECORD, lambda raw: raw.replace(b"<A11>", b"<A11>&lol;", 1)),
    ("Y003", Effect.RECORD, lambda raw: raw.replace(b"<A11>", b"<A11><![CDATA[x]]>", 1)),
    ("Y003", Effect.RECORD, lambda raw: raw.replace(b"<A11>", b"<A11><!-- x -->", 1)),
    ("Y003", Effect.RECORD, lambda raw: raw.replace(b"<A11>", b'<A11 x="1">', 1)),
    ("Y003", Effect.RECORD, lambda raw: raw.replace(b"<A11>", b"<A11>\x01", 1)),
    ("Y003", Effect.RECORD, lambda raw: raw.replace(b"<A11>", b"<A11>1</A11><A11>", 1)),
    ("Y005", Effect.RECORD, lambda raw: raw.replace(b"<A11>", b"<A00>1</A00><A11>", 1)),
    ("AE", Effect.RECORD, lambda raw: raw.replace(b"<A11>", b"<A99>1</A99><A11>", 1)),
    ("Y004", Effect.RECORD, lambda raw: raw.replace(b"<A11>", b"<card>1</card><A11>", 1)),
    ("Y001", Effect.FILE, lambda raw: raw.replace(b"<A11>", b"<M02>1</M02><A11>", 1)),
])
def test_fault_of_form_costs_what_it_should(code: str, effect: Effect, spoil: Any) -> None:
    spoilt = spoil(GOOD[Version.V10])
    assert spoilt != GOOD[Version.V10]
    reading = read(spoilt)
    assert [(one.code, one.effect) for one in reading.findings] == [(code, effect)]
    assert reading.returned is (effect is Effect.FILE)
    if effect is Effect.RECORD:  # the other record stays
        assert reading.findings[0].record == 1
        assert read(GOOD[Version.V10]).records[1] == reading.records[1]


def test_finding_names_its_place() -> None:
    raw = GOOD[Version.V20].replace(b"<D06>00109C", b"<D06>&x;")
    (finding,) = read(raw).findings
    assert finding.place == "D06[2]"
    assert finding.line == raw[: raw.index(b"&x;")].count(b"\n") + 1
    assert str(finding).startswith(f"record 1, line {finding.line}, D06[2]: Y003 內容格式錯誤 (content malformed)")


def test_wrong_bytes_are_named() -> None:
    (finding,) = read(GOOD[Version.V20].replace("盤".encode(BIG5), b"\xff\xff")).findings
    assert (finding.code, finding.effect) == ("Y014", Effect.FILE)
    assert "Big5" in finding.detail


# -- hostile input

BOMB = HEAD + b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 9)) + b"<RECS></RECS>"
HOSTILE = {
    "nothing": b"",
    "entities that multiply": b'<!DOCTYPE x [<!ENTITY a "b">]>'.join((HEAD, BOMB[len(HEAD):])),
    "a foreign entity": HEAD + b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><RECS>&x;</RECS>',
    "depth": HEAD + b"<RECS><REC><MSH>" + b"<H00>" * 50_000,
    "open records": HEAD + b"<RECS>" + b"<REC>" * 20_500,
    "open tags": HEAD + b"<" * 500_000,
    "one long tag": HEAD + b"<RECS><REC><" + b"a" * 2_000_000,
    "a long comment": HEAD + b"<RECS><!--" + b"-" * 2_000_000,
    "ampersands": HEAD + b"<RECS><REC><MSH><H00>" + b"&" * 500_000 + b"</H00>",
    "long numeric entities": HEAD + b"<RECS><REC><MSH><H00>&#" + b"9" * 500_000 + b";</H00>",
    "blanks": HEAD + b" " * 2_000_000 + b"x",
    "blanks before tags": HEAD + b"<RECS><REC><MSH>" + b" \n" * 500_000 + b"<H00",
    "a value that does not end": HEAD + b"<RECS><REC><MSH><H00>" + b"1" * 2_000_000,
    "half values": HEAD + b"<RECS><REC><MSH>" + b"<H00>1</H0" * 20_000,
    "another encoding": b'<?xml version="1.0" encoding="UTF-16"?><RECS></RECS>',
    "UTF-7": b'<?xml version="1.0" encoding="utf-7"?>+ADw-RECS+AD4-',
    "a byte order mark of UTF-16": b"\xff\xfe<\x00R\x00",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_is_returned_in_no_time(name: str) -> None:
    begun = time.process_time()
    reading = read(HOSTILE[name])
    assert time.process_time() - begun < 5
    assert reading.returned
    assert all(one.code in CHECK_CODES for one in reading.findings)


def test_limits_return_the_file() -> None:
    good = GOOD[Version.V20]
    assert "Y001" in codes(good, Limits(file_bytes=100))
    assert "Y001" in codes(good, Limits(records=1))
    assert "Y001" in codes(good, Limits(orders=1))
    assert codes(good, Limits(records=2, orders=3, file_bytes=len(good))) == set()


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read(raw: bytes) -> None:
    for whole in (raw, HEAD + raw, HEAD + b"<RECS><REC><MSH><H00>" + raw):
        assert read(whole).findings
