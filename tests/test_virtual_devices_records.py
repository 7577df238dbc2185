"""The card's records and buffers: every table row adds up, and every one packs and unpacks, both ways."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtual_devices.errors import PeerError, UsageError
from virtual_devices.records import (
    BIG5,
    BUFFERS,
    CAPACITY,
    CODE_LISTS,
    RECORDS,
    RULES,
    BufferLayout,
    Certainty,
    Encoding,
    Field,
    PackError,
    RecordLayout,
    UnpackError,
    is_blank,
)
from virtual_devices.tables import read_table

RARE_IN_BIG5 = "堃喆峯珉煊綉瑠"
PERSON = {
    "card_no": "000012345678",
    "name": "陳小明",
    "id_no": "A123456789",
    "birth_date": "0651231",
    "sex": "M",
    "issue_date": "1130229",
}


def encodable(character: str) -> bool:
    try:
        character.encode(BIG5)
    except UnicodeEncodeError:
        return False
    return True


BIG5_CHARACTERS = "".join(filter(encodable, map(chr, range(0x3000, 0xA000)))) + RARE_IN_BIG5
ASCII_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
moments = st.datetimes(dt.datetime(1912, 1, 1), dt.datetime(2910, 12, 31))  # noqa: DTZ001 - the card knows no zone


def roc(moment: dt.datetime, characters: int) -> str:
    return f"{moment.year - 1911:03d}{moment:%m%d%H%M%S}"[:characters]


def text_values(field: Field) -> st.SearchStrategy[str | bytes]:
    """Values that a field can hold, blank ones too; no trailing space, which is padding."""
    match field.encoding:
        case Encoding.BYTES:
            return st.binary(min_size=field.length, max_size=field.length)
        case Encoding.DIGITS:
            return st.text("0123456789", max_size=field.length)
        case Encoding.ROC_DATE7:
            return st.one_of(st.just(""), moments.map(lambda moment: roc(moment, 7)))
        case Encoding.ROC_DATETIME13:
            return st.one_of(st.just(""), moments.map(lambda moment: roc(moment, 13)))
        case Encoding.ASCII:
            return st.text(ASCII_PRINTABLE, max_size=field.length).map(str.rstrip)
        case Encoding.BIG5:
            # An ideographic space (U+3000) is a character, not padding: strip plain spaces only.
            return st.text(BIG5_CHARACTERS, max_size=field.length // 2).map(lambda text: text.rstrip(" "))


def record_values(record: RecordLayout) -> st.SearchStrategy[dict[str, str | bytes]]:
    return st.fixed_dictionaries({field.name: text_values(field) for field in record.fields})


# ---------------------------------------------------------------- the tables


def test_tables_have_as_many_rows_as_they_say() -> None:
    meta = read_table("card_layout")["meta"]
    assert (len(RECORDS), len(BUFFERS)) == (meta["records"], meta["buffers"]) == (36, 40)
    assert len(read_table("card_layout")["record"]) == 36
    assert len(read_table("card_layout")["buffer"]) == 40


@pytest.mark.parametrize("record", RECORDS.values(), ids=lambda record: record.id)
def test_record_is_tiled_by_its_fields(record: RecordLayout) -> None:
    end = 0
    for field in record.fields:
        assert field.offset == end, field.name
        assert field.length > 0
        end += field.length
    assert end == record.length
    assert len({field.name for field in record.fields}) == len(record.fields)


@pytest.mark.parametrize("buffer", BUFFERS.values(), ids=lambda buffer: buffer.id)
def test_buffer_is_tiled_by_its_parts(buffer: BufferLayout) -> None:
    end = 0
    for part in buffer.parts:
        assert part.offset == end
        end += part.record.length * part.count
    assert end == buffer.total
    assert buffer.direction in ("read", "write")
    assert buffer.api and buffer.source and buffer.check
    assert len({part.record.id for part in buffer.parts}) == len(buffer.parts)


def test_buffer_rows_agree_with_the_length_of_their_records() -> None:
    for row in read_table("card_layout")["buffer"]:
        for part in row["parts"]:
            assert part["record_length"] == RECORDS[part["record"]].length, row["id"]


def test_every_record_is_part_of_a_buffer() -> None:
    assert {part.record.id for buffer in BUFFERS.values() for part in buffer.parts} == set(RECORDS)


def test_roc_dates_have_the_width_of_their_encoding() -> None:
    fields = [field for record in RECORDS.values() for field in record.fields]
    for encoding, length in ((Encoding.ROC_DATE7, 7), (Encoding.ROC_DATETIME13, 13)):
        assert {field.length for field in fields if field.encoding is encoding} == {length}


@pytest.mark.parametrize(
    ("capacity", "buffer", "record"),
    [
        ("visits", "treatment_no_hpc_498", "visit_register"),
        ("critical_illness", "critical_illness_114", "critical_illness"),
        ("cumulative_years", "cumulative_134", "cumulative_year"),
        ("preventive", "preventive_126", "preventive"),
        ("prenatal", "prenatal_209", "prenatal"),
        ("outpatient_prescriptions", "outpatient_rx_3660", "outpatient_rx"),
        ("long_term_prescriptions", "long_term_rx_1320", "long_term_rx"),
        ("key_orders", "key_order_360", "key_order"),
        ("allergies", "allergy_120", "allergy_drug"),
        ("inoculations", "inoculation_1400", "inoculation"),
    ],
)
def test_capacity_is_what_the_buffer_has_room_for(capacity: str, buffer: str, record: str) -> None:
    counts = {part.record.id: part.count for part in BUFFERS[buffer].parts}
    assert counts[record] == CAPACITY[capacity]


def test_capacity_is_complete() -> None:
    assert sum(CAPACITY.values()) == 6 + 6 + 2 + 6 + 11 + 60 + 30 + 10 + 3 + 40
    assert len(CAPACITY) == 10


def test_public_read_is_the_57_byte_buffer() -> None:
    pcsc = read_table("card_layout")["pcsc"]
    assert BUFFERS[pcsc["buffer"]].total == 57
    aid = bytes.fromhex(pcsc["aid_hex"])
    assert bytes.fromhex(pcsc["select_apdu_hex"]) == bytes((0x00, 0xA4, 0x04, 0x00, len(aid))) + aid


def test_certainty_marks_what_no_manual_says() -> None:
    assert RECORDS["pcsc_basic"].certainty is Certainty.PUBLIC
    assert RECORDS["basic"].certainty is Certainty.OFFICIAL
    assert RECORDS["seq_256n1"].certainty is Certainty.PUBLIC
    assert BUFFERS["write_code_icd10_55"].certainty is Certainty.INFERRED
    fillers = [field for record in RECORDS.values() for field in record.fields if field.filler]
    assert fillers and all(field.certainty is Certainty.INFERRED for field in fillers)


def test_rules_and_code_lists_are_readable() -> None:
    assert RULES["newborn_days"] == 60
    assert RULES["hpc_lock_after_wrong_tries"] == 3
    assert CODE_LISTS["recard_mark"] == {"1": "正常", "2": "補卡"}
    assert set(CODE_LISTS["insured_identity_mark"]) == {"1", "2", "3", "4", "8"}


def test_disagreements_name_things_that_exist() -> None:
    for row in read_table("card_layout")["disagreement"]:
        assert row["says"]
        assert set(row["about"]) <= set(RECORDS) | set(BUFFERS), row["id"]


# ---------------------------------------------------------------- both directions


@pytest.mark.parametrize("record", RECORDS.values(), ids=lambda record: record.id)
@given(data=st.data())
@settings(max_examples=15)
def test_record_values_survive_packing(record: RecordLayout, data: st.DataObject) -> None:
    values = data.draw(record_values(record))
    raw = record.pack(values)
    assert len(raw) == record.length
    assert record.unpack(raw) == values


@pytest.mark.parametrize("record", RECORDS.values(), ids=lambda record: record.id)
@given(data=st.data())
@settings(max_examples=15)
def test_record_of_any_bytes_unpacks_and_packs_again(record: RecordLayout, data: st.DataObject) -> None:
    values = record.unpack(data.draw(st.binary(min_size=record.length, max_size=record.length)))
    assert record.unpack(record.pack(values)) == values


@pytest.mark.parametrize("buffer", BUFFERS.values(), ids=lambda buffer: buffer.id)
@given(data=st.data())
@settings(max_examples=4)
def test_buffer_entries_survive_packing(buffer: BufferLayout, data: st.DataObject) -> None:
    entries: dict[str, list[dict[str, str | bytes]]] = {}
    for part in buffer.parts:
        one = data.draw(record_values(part.record))
        entries[part.record.id] = [one] * data.draw(st.integers(0, part.count))
    raw = buffer.pack(entries)
    assert len(raw) == buffer.total
    found = buffer.unpack(raw)
    for part in buffer.parts:
        slots = found[part.record.id]
        given_ones = entries[part.record.id]
        assert len(slots) == part.count
        assert slots[: len(given_ones)] == given_ones
        assert all(map(is_blank, slots[len(given_ones) :]))


def test_pcsc_basic_packs_to_the_bytes_that_readers_slice() -> None:
    raw = RECORDS["pcsc_basic"].pack(PERSON)
    assert raw == b"000012345678" + b"\xb3\xaf\xa4p\xa9\xfa".ljust(20) + b"A123456789" + b"0651231" + b"M" + b"1130229"


@pytest.mark.parametrize("padding", [b" ", b"\0"])
def test_unpack_takes_either_padding(padding: bytes) -> None:
    record = RECORDS["pcsc_basic"]
    raw = b"000012345678" + b"\xb3\xaf\xa4p\xa9\xfa".ljust(20, padding) + b"A123456789" + b"0651231" + b"M" + padding * 7
    assert record.unpack(raw) == {**PERSON, "issue_date": ""}
    assert record.violations(raw) == ()


def test_unpack_keeps_an_ideographic_space() -> None:
    record = RECORDS["pcsc_basic"]
    assert record.unpack(record.pack({"name": "陳　"}))["name"] == "陳　"


@pytest.mark.parametrize("character", RARE_IN_BIG5)
def test_big5_has_the_characters_of_names_that_plain_big5_lacks(character: str) -> None:
    record = RECORDS["pcsc_basic"]
    assert record.texts(record.pack({"name": "林" + character}))["name"] == "林" + character
    for lacking in ("big5", "cp950"):
        with pytest.raises(UnicodeEncodeError):
            character.encode(lacking)


@pytest.mark.parametrize("codec", ["big5", "cp950"])
def test_big5_gives_every_han_character_the_bytes_of_the_other_codecs(codec: str) -> None:
    checked = 0
    for character in map(chr, range(0x4E00, 0xA000)):
        try:
            expected = character.encode(codec)
        except UnicodeEncodeError:
            continue
        assert character.encode(BIG5) == expected
        checked += 1
    assert checked > 13_000


def test_big5_returns_every_character_that_it_encodes() -> None:
    assert all(character.encode(BIG5).decode(BIG5) == character for character in BIG5_CHARACTERS)
    assert len(BIG5_CHARACTERS) > 15_000


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("record", "values", "field", "says"),
    [
        ("pcsc_basic", {"name": "陳😀"}, "name", "'😀' (U+1F600) is not in Big5 (codec big5hkscs)"),
        ("pcsc_basic", {"name": "一二三四五六七八九十百"}, "name", "22 bytes, the field has 20"),
        ("pcsc_basic", {"name": "陳\n"}, "name", "control characters"),
        ("pcsc_basic", {"nmae": "x"}, "nmae", "no such field; there are card_no, name"),
        ("pcsc_basic", {"card_no": "0" * 13}, "card_no", "13 bytes, the field has 12"),
        ("pcsc_basic", {"card_no": "陳"}, "card_no", "other than printable ASCII"),
        ("pcsc_basic", {"birth_date": "0651332"}, "birth_date", "no date of the ROC calendar"),
        ("pcsc_basic", {"birth_date": "651231"}, "birth_date", "6 characters"),
        ("pcsc_basic", {"birth_date": "1120229"}, "birth_date", "no date of the ROC calendar"),
        ("pcsc_basic", {"birth_date": "٠651231"}, "birth_date", "no date of the ROC calendar"),
        ("visit_register", {"visit_datetime": "1130101"}, "visit_datetime", "7 characters"),
        ("visit_register", {"visit_datetime": "1130101240000"}, "visit_datetime", "no date of the ROC calendar"),
        ("visit_register", {"outpatient_fee": "12.5"}, "outpatient_fee", "other than decimal digits"),
        ("visit_register", {"outpatient_fee": "١٢"}, "outpatient_fee", "other than decimal digits"),
        ("seq_128", {"security_signature": "text"}, "security_signature", "takes bytes"),
        ("seq_128", {"security_signature": b"\0" * 127}, "security_signature", "127 bytes, the field has exactly 128"),
        ("seq_128", {"security_signature": b"\0" * 129}, "security_signature", "129 bytes, the field has 128"),
    ],
)
def test_pack_refuses_and_names_record_and_field(record: str, values: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(PackError) as caught:
        RECORDS[record].pack(values)
    assert (caught.value.record, caught.value.field) == (record, field)
    assert f"{record}.{field}: " in str(caught.value)
    assert says in str(caught.value)
    assert isinstance(caught.value, UsageError)


@pytest.mark.parametrize("record", RECORDS.values(), ids=lambda record: record.id)
@pytest.mark.parametrize("change", [-1, 1])
def test_unpack_refuses_a_wrong_length(record: RecordLayout, change: int) -> None:
    with pytest.raises(UnpackError, match=f"the record has {record.length}") as caught:
        record.unpack(bytes(record.length + change))
    assert caught.value.record == record.id
    assert isinstance(caught.value, PeerError)
    assert isinstance(caught.value, ValueError)


def test_unpack_returns_foreign_bytes_and_names_them() -> None:
    record = RECORDS["pcsc_basic"]
    raw = record.pack({**PERSON, "name": b"\xff\xff", "birth_date": b"0651332", "sex": "X"})
    values = record.unpack(raw)
    assert values["name"] == b"\xff\xff".ljust(20)
    assert values["birth_date"] == b"0651332"
    assert [sentence.split(":")[0] for sentence in record.violations(raw)] == [
        "pcsc_basic.name", "pcsc_basic.birth_date", "pcsc_basic.sex",
    ]
    with pytest.raises(UnpackError, match=r"pcsc_basic\.name: ffff"):
        record.texts(raw)


def test_texts_leaves_raw_fields_out() -> None:
    record = RECORDS["seq_128"]
    assert set(record.texts(record.pack({}))) == {"visit_datetime", "visit_seq_no", "hospital_id", "sam_id"}


def test_hpc_id_ends_in_nul_by_itself() -> None:
    assert RECORDS["hpc_id"].pack({"professional_id": "A123456789"}) == b"A123456789\0"


def test_blank_record_is_spaces() -> None:
    assert RECORDS["allergy_drug"].pack({}) == b" " * 40
    assert is_blank(RECORDS["allergy_drug"].unpack(bytes(40)))
    assert not is_blank({"a": "", "b": b" x "})


def test_buffer_refuses_too_many_unknown_and_wrong_length() -> None:
    buffer = BUFFERS["allergy_120"]
    with pytest.raises(PackError, match="4 entries, there is room for 3"):
        buffer.pack({"allergy_drug": [{}] * 4})
    with pytest.raises(PackError, match=r"allergy_120\.basic: no such record"):
        buffer.pack({"basic": [{}]})
    with pytest.raises(UnpackError, match="119 bytes, the buffer has 120"):
        buffer.unpack(bytes(119))


def test_unknown_record_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        RECORDS["no such record"]
