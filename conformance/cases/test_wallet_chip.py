"""The second-generation card (第二代實體健保卡): the virtual card on a chip, by contact and in a field, unlike a phone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import cbor2

from conformance.case import Nature, case
from conformance.chips import PIN_STATE
from conformance.commands import Commands, envelope
from conformance.kinds.wallet import WalletTester
from conformance.references.second import LAST_SEEN_NS, OTHER
from conformance.vectors.world import INSTITUTION, NOW_NS, SAM_ID, UNTIL_NS, Reader, World, signed
from conformance.vectors.writing import Writer
from virtual_devices import vhc
from virtual_devices.apdu import Command
from virtual_devices.card.ic_card import AID as OLD
from virtual_devices.mdoc import nfc_retrieval, type4
from virtual_devices.mdoc.nfc_retrieval import wrap
from virtual_devices.mdoc.request import items_request
from virtual_devices.pin import pin_block
from virtual_devices.pki import DAY_NS, Role
from virtual_devices.reader.proximity import ReaderSession
from virtual_devices.write_back import Kind, WriteOutcome

CONTACT, T0, FIELD = ("contact", "contact-t0"), ("contact-t0",), ("chip",)
EVERYWHERE = (*CONTACT, *FIELD)
PIN = "135790"
PUBLIC, PUBLIC_BYTES = "00CA110002000000", 57
CARD_APPLICATION = type4.select(nfc_retrieval.AID)
BASIC = items_request(vhc.DOCTYPE, {vhc.BASIC: {"name": False}})
DECLINED, NEEDED, NOT_IN_FORCE, NOT_FOR_THEM = -1, -2, -4, -13


def _met(wallet: WalletTester) -> Commands:
    wallet.reach(None)
    return Commands(wallet)


def _session(wallet: WalletTester) -> ReaderSession:
    """A session with the card that was put in, or is in the field."""
    commands = _met(wallet)
    return commands.in_field() if wallet.wallet.medium.value == "nfc" else commands.by_contact()[1]


def _verify(pin: str) -> Command:
    return Command(0, 0x20, 0, 0x81, pin_block(pin))


def _select(name: bytes) -> Command:
    return Command(0, 0xA4, 4, 0, name)


# -- what it is

@case("P-CHP-01", "P-CHP-05", nature=Nature.VALID, zh="同一文件、會話與回寫，綁定晶片金鑰", channels=EVERYWHERE, destructive=True)
def test_card_is_the_virtual_card_on_a_chip(wallet: WalletTester) -> None:
    """Document, session and write-back are those of a phone; what it shows is believed, and what was written is read again."""
    opened = _session(wallet)
    answer = wallet.consultation(opened)
    wallet.equal("document types", [document.doctype for document in answer.documents], [vhc.DOCTYPE])
    shown = wallet.shown(opened, answer)
    wallet.expect("basic and medical data", {vhc.BASIC, vhc.MEDICAL} <= set(shown), "both", set(shown))
    writer = Writer(wallet.holding(answer.documents[0].issued))
    batch = writer.visit()
    wallet.settled(opened, batch.to_bytes(), WriteOutcome.STORED)
    again = wallet.recorded(_session(wallet), "visits", "prescriptions", "generation")
    wallet.equal("generation", again.get("generation"), 1)
    wallet.equal("prescriptions", list(again.get("prescriptions", ())), list(batch.records[1:3]))


# -- selection

@case("P-CHP-02", "P-CHP-03", nature=Nature.INOPPORTUNE, zh="接觸介面之選擇：舊應用為預設", channels=CONTACT)
def test_contact_selects_old_and_new(wallet: WalletTester) -> None:
    """By contact the old application is selected by default and again after a name that there is not; the tag's name is none."""
    commands = _met(wallet)
    commands.power_on()
    _public(commands)
    commands.says(_select(type4.AID), 0x6A82, "the tag's name")
    _public(commands)
    commands.says(_select(nfc_retrieval.AID), 0x9000, "the card application")
    wallet.expect("no public data of the card application", commands.send(PUBLIC, "public data").sw != 0x9000, "refused", "9000")
    commands.says(_select(b"\xd1\x58\x00\x00\x99"), 0x6A82, "an unknown name")
    _public(commands)
    commands.says(_select(nfc_retrieval.AID), 0x9000, "the card application again")
    commands.says(_select(OLD), 0x9000, "the old application")
    _public(commands)


def _public(commands: Commands) -> None:
    """The legacy public read, as readers in the field send it."""
    answer = commands.send("00CA1100020000", "public data")
    if answer.sw >> 8 == 0x61:
        answer = commands.send(Command(0, 0xC0, 0, 0, le=answer.sw & 0xFF), "fetched")
    commands.wallet.equal("public data", (answer.sw, len(answer.data)), (0x9000, PUBLIC_BYTES))


@case("P-CHP-02", "P-CHP-03", nature=Nature.ATTACK, zh="感應介面不給舊公開讀取", channels=FIELD)
def test_field_gives_no_public_read(wallet: WalletTester) -> None:
    """In the field the old application is not there, and the public read is answered by nothing, whatever is selected."""
    commands = _met(wallet)
    commands.power_on()
    commands.says("00CA1100020000", 0x6985, "public data, nothing selected")
    commands.says(_select(OLD), 0x6A82, "the old application")
    commands.says("00CA1100020000", 0x6985, "public data after it")
    for name, step in ((type4.AID, "the tag"), (nfc_retrieval.AID, "the card application")):
        commands.says(_select(name), 0x9000, step)
        answer = commands.send("00CA1100020000", f"public data of {step}")
        wallet.expect("it is refused, without data", answer.sw != 0x9000 and not answer.data, "refused", answer)
    commands.says(_select(b"\xd1\x58\x00\x00\x99"), 0x6A82, "an unknown name")
    commands.says(envelope(wrap(b"noise")), 0x6985, "ENVELOPE, nothing selected")


# -- by contact

@case("P-CHP-05", nature=Nature.INOPPORTUNE, zh="再次選擇即結束參與", channels=CONTACT)
def test_another_select_ends_the_engagement(wallet: WalletTester) -> None:
    """After another SELECT a message of the session before is not answered with data."""
    commands = _met(wallet)
    _, opened = commands.by_contact()
    wallet.equal("documents", len(wallet.request(opened, wallet.asked(opened, BASIC), "a request").documents), 1)
    commands.says(_select(nfc_retrieval.AID), 0x9000, "another SELECT")
    said = wallet.data(wallet.send(opened, wallet.later(opened, wallet.asked(opened, BASIC)), "in the former session"))
    wallet.expect("no data for the session before", said.data is None, "a status alone", "data")


@case("P-CHP-06", nature=Nature.VALID, zh="T=0：末段 ENVELOPE 不帶 Le，回覆以 61XX 告知", channels=T0)
def test_t0_announces_the_answer(wallet: WalletTester) -> None:
    """Over T=0 a last ENVELOPE has no Le, and its answer is announced; extended length is refused; 255 bytes go at once."""
    commands = _met(wallet)
    handle, opened = commands.by_contact()
    wallet.need("the card speaks T=0", handle.t0)
    raw = wrap(wallet.first(opened, wallet.asked(opened, BASIC)))
    commands.says(Command(0, 0xC3, 0, 0, raw[:255], None, True), 0x6700, "extended length")
    links = [raw[at : at + 255] for at in range(0, len(raw), 255)]
    for link in links[:-1]:
        commands.says(envelope(link, more=True), 0x9000, "a link")
    answer = commands.send(envelope(links[-1], le=None), "the last link")
    wallet.equal("announced, without data", (answer.sw >> 8, answer.data), (0x61, b""))
    whole = b""
    while answer.sw >> 8 == 0x61:
        answer = commands.send(Command(0, 0xC0, 0, 0, le=(answer.sw & 0xFF) or 256), "a piece")
        wallet.expect("a piece has 256 bytes at most", 0 < len(answer.data) <= 256, "1 to 256", len(answer.data))
        whole += answer.data
    wallet.equal("the last status word", f"{answer.sw:04X}", "9000")
    opened.established = True
    wallet.equal("documents", len(wallet.answer(opened, nfc_retrieval.unwrap(whole)).documents), 1)


@case("P-CHP-06", "P-NFC-05", nature=Nature.INVALID, zh="T=0：取回覆之指令不合規則；長度不符告以 6CXX", channels=T0)
def test_t0_refuses_odd_fetching(wallet: WalletTester) -> None:
    """Over T=0 a GET RESPONSE that breaks a rule is refused; where Le is not what there is, 6CXX says how much; then it comes."""
    commands = _met(wallet)
    handle, _ = commands.by_contact()
    wallet.need("the card speaks T=0", handle.t0)
    commands.says(Command(0, 0xA4, 4, 0, nfc_retrieval.AID, None, True), 0x6700, "SELECT of extended length")
    commands.says(type4.select_file(type4.CC_FILE), 0x9000, "the container")
    commands.says(type4.read_binary(0, 255), 0x6C0F, "more than there is")
    wallet.equal("the container", len(commands.says(type4.read_binary(0, 15), 0x9000, "what there is")), 15)
    noise = envelope(wrap(b"noise"), le=None)
    waits = commands.send(noise, "a message").sw
    wallet.equal("announced", waits >> 8, 0x61)
    fetch = Command(0, 0xC0, 0, 0, le=waits & 0xFF)
    commands.says(replace(fetch, p1=1), 0x6A86, "another P1")
    commands.says(replace(fetch, p2=1), 0x6A86, "another P2")
    commands.says(replace(fetch, data=b"x"), 0x6700, "with data")
    commands.says(replace(fetch, le=(waits & 0xFF) + 1), 0x6C00 | waits & 0xFF, "more than waits")
    wallet.equal("bytes fetched", len(commands.says(fetch, 0x9000, "what waits")), waits & 0xFF)
    commands.says(fetch, 0x6985, "once more")


@case("P-CHP-04", "P-CHP-06", "P-NFC-04", nature=Nature.LIMIT, zh="晶片之界限：指令欄位 2048、訊息 32768 位元組",
      channels=("contact", "chip"))
def test_chip_has_limits(wallet: WalletTester) -> None:
    """A command's data have 2048 bytes at most, a message 32768; a link of a chain is not VERIFY's."""
    commands = _met(wallet)
    commands.power_on()
    commands.says(_select(nfc_retrieval.AID), 0x9000, "the card application")
    commands.says(envelope(b"\x53\x82\x0f\xff" + bytes(2045), more=True), 0x6700, "2049 bytes of data")
    commands.says(envelope(b"\x53\x82\x0f\xff" + bytes(2044), more=True), 0x9000, "2048 bytes of data")
    commands.says(replace(_verify(PIN), cla=0x10), 0x6883, "VERIFY inside the chain")
    commands.says(replace(_verify(PIN), cla=0x10), 0x6884, "a link of VERIFY")
    commands.says(envelope(b"\x53\x82\x80\x01" + bytes(9), more=True), 0x6700, "a message of 32769 bytes")
    commands.says(envelope(b"\x53\x82\x80\x00" + bytes(9), more=True), 0x9000, "a message of 32768 bytes")


# -- engagements

@case("P-CHP-07", nature=Nature.VALID, zh="每次選擇即新參與", channels=EVERYWHERE)
def test_each_selection_is_a_new_engagement(wallet: WalletTester) -> None:
    """Each selection shows another key."""
    keys = [_session(wallet).engaged.engagement.key_bytes for _ in range(2)]
    wallet.expect("another key", keys[0] != keys[1], "two keys", "one")


@case("P-CHP-07", "P-CHP-09", nature=Nature.INOPPORTUNE, zh="再次選擇即忘記密碼", channels=CONTACT, destructive=True)
def test_selection_forgets_the_pin(wallet: WalletTester) -> None:
    """A PIN that was given is good for the engagement in which it was given, and no other."""
    wallet.personalise(pin=PIN)
    commands = _met(wallet)
    commands.by_contact()
    commands.says(_verify(PIN), 0x9000, "VERIFY")
    commands.says(PIN_STATE, 0x9000, "how the PIN stands")
    commands.says(_select(nfc_retrieval.AID), 0x9000, "another SELECT")
    wallet.equal("how the PIN stands", commands.send(PIN_STATE, "how the PIN stands").sw >> 4, 0x63C)


@case("P-CHP-07", nature=Nature.INOPPORTUNE, zh="插在卡槽時，感應介面不回覆", channels=("contact",))
def test_nothing_answers_in_the_field_while_in_a_slot(wallet: WalletTester) -> None:
    """While the card is in a slot nothing answers in the field, and the session by contact goes on."""
    commands = _met(wallet)
    _, opened = commands.by_contact()
    wallet.equal("documents", len(wallet.request(opened, wallet.asked(opened, BASIC), "a request").documents), 1)
    field = Commands(wallet, OTHER)
    answer = field.send(CARD_APPLICATION, "the card application, in the field")
    wallet.expect("nothing is selected in the field", answer.sw != 0x9000, "no 9000", f"{answer.sw:04X}")
    wallet.equal("documents by contact", len(wallet.request(opened, wallet.asked(opened, BASIC), "again").documents), 1)


# -- time

def _sam(world: World, from_ns: int, hours: float = 72) -> Reader:
    return world.reader(Role.SAM, SAM_ID, organisation=INSTITUTION, from_ns=from_ns, hours=hours)


@case("P-CHP-08", "P-CHP-04", nature=Nature.TIMER, zh="沒有時鐘：以見過最晚生效之憑證為準", channels=EVERYWHERE)
def test_time_is_the_latest_certificate(wallet: WalletTester) -> None:
    """A certificate that ended is taken until the card has met a newer one; one that begins later is taken, and moves time on."""
    world = wallet.world
    old, new = _sam(world, LAST_SEEN_NS), _sam(world, NOW_NS - 3600 * 10**9)
    for reader, taken in ((old, True), (new, True), (old, False)):
        opened = _session(wallet)
        answer = wallet.request(opened, signed(BASIC, opened.transcript, reader).to_bytes(), "a request")
        if taken:
            wallet.equal("documents", len(answer.documents), 1)
        else:
            wallet.nothing(answer, NOT_FOR_THEM)


@case("P-CHP-08", nature=Nature.ATTACK, zh="別人的憑證不得推進時間", channels=EVERYWHERE)
def test_strangers_certificate_moves_no_time(wallet: WalletTester) -> None:
    """A certificate of another root, however late it begins, does not move the card's time on."""
    world = wallet.world
    late = world.reader(Role.SAM, SAM_ID, organisation=INSTITUTION, from_ns=NOW_NS + 900 * DAY_NS, authority=world.stranger)
    opened = _session(wallet)
    answer = wallet.request(opened, signed(BASIC, opened.transcript, late).to_bytes(), "a stranger's request")
    wallet.equal("documents for a stranger", len(answer.documents), 0)
    opened = _session(wallet)
    answer = wallet.request(opened, signed(BASIC, opened.transcript, _sam(world, LAST_SEEN_NS)).to_bytes(), "a request of then")
    wallet.equal("documents", len(answer.documents), 1)


@case("P-CHP-04", nature=Nature.VALID, zh="回條之時間為見過最晚者", channels=EVERYWHERE, destructive=True)
def test_receipt_has_the_latest_date_seen(wallet: WalletTester) -> None:
    """The date in a receipt is the latest that the card has seen, at most 72 hours old at an honest reader."""
    opened = _session(wallet)
    answer = wallet.consultation(opened)
    raw = Writer(wallet.holding(answer.documents[0].issued)).visit().to_bytes()
    receipt = wallet.settled(opened, raw, WriteOutcome.STORED)
    wallet.expect("no later than now, within 72 h", 0 <= NOW_NS - receipt.at_ns <= 3 * DAY_NS, "0 to 72 h", receipt.at_ns)


@case("P-CHP-04", "P-CHP-08", nature=Nature.INOPPORTUNE, zh="註銷或逾期之卡：不在效力內", channels=EVERYWHERE)
def test_card_that_is_not_in_force_shows_nothing(wallet: WalletTester) -> None:
    """A card that was cancelled, has no credential, or one that has ended by the latest date seen, shows nothing (-4)."""
    for personal in ({"cancelled": True}, {"issued": False}):
        wallet.personalise(**personal)
        opened = _session(wallet)
        wallet.nothing(wallet.request(opened, wallet.asked(opened, BASIC), f"of a card with {personal}"), NOT_IN_FORCE)
    wallet.personalise()
    late = _sam(wallet.world, UNTIL_NS + DAY_NS)
    for number in range(2):
        opened = _session(wallet)
        answer = wallet.request(opened, signed(BASIC, opened.transcript, late).to_bytes(), "by a SAM of a later day")
        if number:  # by then the card has seen that day
            wallet.nothing(answer, NOT_IN_FORCE)


# -- the PIN

@case("P-CHP-09", "P-CHP-04",
      nature=Nature.INOPPORTUNE, zh="密碼開啟：醫療資料待驗證（-2），基本資料照給", channels=EVERYWHERE, destructive=True)
def test_medical_data_wait_for_the_pin(wallet: WalletTester) -> None:
    """With the PIN on, basic data are shown to the SAM, medical data wait (-2) for VERIFY at the reader, in the same session."""
    wallet.personalise(pin=PIN)
    opened = _session(wallet)
    answer = wallet.consultation(opened)
    wallet.expect("basic data", bool(wallet.shown(opened, answer).get(vhc.BASIC)), "shown", answer.errors)
    told = {code for code in answer.documents[0].errors.get(vhc.MEDICAL, {}).values() if code}
    wallet.equal("codes of the medical data", told, {NEEDED})
    commands = Commands(wallet)
    commands.says(_verify(PIN), 0x9000, "VERIFY")
    shown = wallet.shown(opened, wallet.consultation(opened))
    wallet.expect("medical data after it", bool(shown.get(vhc.MEDICAL)), "shown", set(shown))


@case("P-CHP-09", nature=Nature.VALID, zh="密碼關閉：交付卡片即同意", channels=EVERYWHERE)
def test_without_a_pin_handing_over_is_consent(wallet: WalletTester) -> None:
    """With the PIN off, SAM and professional are shown medical data at once."""
    shown = _consulted(wallet)
    wallet.expect("medical data", bool(shown.get(vhc.MEDICAL)), "shown", set(shown))


def _consulted(wallet: WalletTester) -> Mapping[str, Mapping[str, object]]:
    opened = _session(wallet)
    return wallet.shown(opened, wallet.consultation(opened))


@case("P-CHP-04", "P-CHP-09", nature=Nature.ATTACK, zh="非醫療用途：接觸給基本資料，感應不給", channels=EVERYWHERE)
def test_reader_outside_care_is_given_by_contact_alone(wallet: WalletTester) -> None:
    """With the PIN off a reader outside medical care gets basic data by contact, and nothing in the field."""
    opened = _session(wallet)
    raw = signed(BASIC, opened.transcript, wallet.world.other_use).to_bytes()
    answer = wallet.request(opened, raw, "outside medical care")
    if wallet.wallet.medium.value == "nfc":
        wallet.nothing(answer, DECLINED)
    else:
        wallet.equal("documents", len(answer.documents), 1)


@case("P-CHP-09", "P-CHP-04", nature=Nature.LIMIT, zh="感應時最後一次密碼不可試", channels=FIELD, destructive=True)
def test_last_try_is_not_to_be_had_in_the_field(wallet: WalletTester) -> None:
    """Two wrong PINs in the field close VERIFY there (6983), for the right one too; by contact it is there, and opens both."""
    wallet.personalise(pin=PIN)
    commands = _met(wallet)
    commands.in_field()
    for left in (2, 1):
        commands.says(_verify("999999"), 0x63C0 | left, "a wrong PIN")
    for pin in ("999999", PIN):
        commands.says(_verify(pin), 0x6983, "in the field")
    wallet.part()
    slot = Commands(wallet, OTHER)
    wallet.reach(None)
    slot.power_on()
    slot.says(_select(nfc_retrieval.AID), 0x9000, "by contact")
    slot.says(_verify(PIN), 0x9000, "the right one by contact")


# -- what it keeps

@case("P-CHP-04",
      nature=Nature.LIMIT, zh="保存六次就醫：最舊者讓位；單筆逾 1024 位元組則滿", channels=("contact",), destructive=True)
def test_oldest_visits_give_place(wallet: WalletTester) -> None:
    """Six visits are kept, and the oldest gives place to a seventh; a record above 1024 bytes finds no room."""
    opened = _session(wallet)
    writer = Writer(wallet.holding(wallet.consultation(opened).documents[0].issued))
    visits = [writer.sign(writer.record(Kind.VISIT, n)) for n in range(1, 8)]
    for n, raw in enumerate(visits):
        wallet.settled(opened, writer.batch(raw, number_=n + 1, generation=n).to_bytes(), WriteOutcome.STORED)
    wallet.equal("visits", list(wallet.recorded(opened, "visits").get("visits", ())), visits[1:])
    large = writer.sign(replace(writer.record(Kind.PRESCRIPTION, 20), fields={1: bytes(1024)}))
    wallet.settled(opened, writer.batch(large, number_=20, generation=7).to_bytes(), WriteOutcome.FULL)


@case("P-CHP-04", "P-CHP-05", nature=Nature.LIMIT, zh="交遞載明 2048 位元組之欄位，僅靜態", channels=("contact", "chip"))
def test_handover_is_static_and_names_the_chips_fields(wallet: WalletTester) -> None:
    """Its handover is static and names data fields that a chip has; no code and no Bluetooth stand in it."""
    engaged = _session(wallet).engaged
    assert engaged.handover is not None
    wallet.equal("the reader's request", engaged.handover[1], None)
    wallet.equal("longest data fields", engaged.nfc_limits(), (2048, 2048))
    wallet.equal("ways", len(engaged.carriers), 1)
    wallet.expect("no other method", 2 not in cbor2.loads(engaged.engagement.raw), "none", "some")


