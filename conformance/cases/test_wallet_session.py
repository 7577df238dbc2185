"""Session messages to a wallet: which it opens, and by which status it ends what somebody meddled with."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.case import Each, Nature, case
from conformance.kinds.wallet import REGISTRATION, WalletTester
from conformance.vectors.suite import flipped
from virtual_devices.holder.session import MAX_REQUESTS
from virtual_devices.mdoc import session
from virtual_devices.mdoc.session import MAX_MESSAGE_BYTES, SessionData, SessionStatus
from virtual_devices.mdoc.tagged import dumps
from virtual_devices.wallet.consent import Use


@case("P-SES-01", "P-SES-03", "P-SES-04", "P-RSP-01", nature=Nature.VALID, zh="建立會話並出示：回覆可解密且可信")
def test_first_message_opens_the_session(wallet: WalletTester) -> None:
    """SessionEstablishment with a request is answered with a response that can be opened and believed."""
    opened = wallet.meet()
    answer = wallet.consultation(opened)
    wallet.equal("documents in the response", len(answer.documents), 1)
    wallet.believed(opened, answer.documents[0])


@case("P-SES-03", "P-SES-04", nature=Nature.VALID, zh="同一會話的第二個要求亦獲回覆")
def test_second_request_is_answered_in_the_same_session(wallet: WalletTester) -> None:
    """A second request in the session, as SessionData, is answered too."""
    opened = wallet.meet()
    wallet.consultation(opened)
    answer = wallet.consultation(opened)
    wallet.equal("documents in the second response", len(answer.documents), 1)


@case("P-SES-06", nature=Nature.INVALID, zh="會話訊息有一位元被改：以狀態 10 結束，其後一律回覆狀態 20",
      each=lambda: {f"bit-{bit}-of-byte-{at}": Each((at, bit)) for at, bit in ((0, 0), (1, 7), (-17, 3), (-16, 0), (-1, 7))})
def test_altered_message_ends_the_session(wallet: WalletTester, where: tuple[int, int]) -> None:
    """A message of which one bit of the sealed data was changed ends the session with status 10; status 20 afterwards."""
    opened = wallet.meet()
    wallet.consultation(opened)
    sealed = opened.cipher.seal(wallet.asked(opened, hpc=wallet.world.physician))
    spoilt = SessionData(flipped(sealed, *where)).to_bytes()
    wallet.ended(wallet.send(opened, spoilt, "altered message"), SessionStatus.ENCRYPTION_ERROR)
    wallet.nothing_after(opened)


@case("P-SES-06", nature=Nature.INVALID, zh="第一則訊息有一位元被改：以狀態 10 結束")
def test_altered_first_message_ends_the_session(wallet: WalletTester) -> None:
    """A first message with its last bit changed ends the session with status 10."""
    opened = wallet.meet()
    first = wallet.first(opened, wallet.asked(opened, hpc=wallet.world.physician))
    wallet.ended(wallet.send(opened, flipped(first), "altered first message"), SessionStatus.ENCRYPTION_ERROR)


@case("P-SES-06", nature=Nature.ATTACK, zh="重送同一則訊息：以狀態 10 結束")
def test_replayed_message_ends_the_session(wallet: WalletTester) -> None:
    """A message sent a second time ends the session with status 10."""
    opened = wallet.meet()
    wallet.consultation(opened)
    message = wallet.later(opened, wallet.asked(opened, hpc=wallet.world.physician))
    wallet.answer(opened, wallet.send(opened, message, "message"))
    wallet.ended(wallet.send(opened, message, "the same once more"), SessionStatus.ENCRYPTION_ERROR)


@case("P-SES-03", nature=Nature.ATTACK, zh="跳過一則訊息：以狀態 10 結束")
def test_skipped_message_ends_the_session(wallet: WalletTester) -> None:
    """A message whose forerunner never came ends the session with status 10."""
    opened = wallet.meet()
    wallet.consultation(opened)
    wallet.later(opened, b"\xa0")  # sealed, and lost
    message = wallet.later(opened, wallet.asked(opened, hpc=wallet.world.physician))
    wallet.ended(wallet.send(opened, message, "the one after a lost one"), SessionStatus.ENCRYPTION_ERROR)


@case("P-SES-01", "P-SES-06", nature=Nature.ATTACK, zh="轉送到別的會話的訊息：以狀態 10 結束")
def test_message_of_another_session_ends_this_one(wallet: WalletTester) -> None:
    """The first message for an earlier engagement, sent into a new one, ends it with status 10."""
    before = wallet.meet()
    forwarded = wallet.first(before, wallet.asked(before, hpc=wallet.world.physician))
    opened = wallet.meet()
    wallet.ended(wallet.send(opened, forwarded, "forwarded message"), SessionStatus.ENCRYPTION_ERROR)


def _no_messages() -> Mapping[str, Each]:
    return {
        "empty-map": Each(b"\xa0", "A map without data and status", "既無資料也無狀態的映射"),
        "no-cbor": Each(b"\xff", "A byte that is no CBOR", "不是 CBOR 的位元組"),
        "array": Each(b"\x80", "An array", "陣列"),
        "data-is-text": Each(dumps({"data": "text"}), "Data that are a text", "資料是文字"),
        "status-unknown": Each(dumps({"status": 99}), "A status that there is not", "沒有的狀態"),
        "status-is-true": Each(dumps({"status": True}), "A status that is no number", "狀態不是數字"),
        "other-key": Each(dumps({"date": bytes(40)}), "A map with another key", "別的鍵"),
        "cut-after-key": Each(b"\xa1\x64data", "A map that ends after its key", "鍵後即止"),
        "cut-in-length": Each(b"\xa1\x64data\x59\x01", "A map that ends within a length", "長度未完"),
        "cut-in-data": Each(dumps({"data": bytes(40)})[:-1], "Data of which a byte is missing", "資料少一位元組"),
        "byte-too-many": Each(dumps({"data": bytes(40)}) + b"\0", "A byte after the message", "訊息後多一位元組"),
    }


@case("P-SES-06", "P-GEN-08", nature=Nature.INVALID, zh="不是會話訊息：以狀態 11 結束", each=_no_messages)
def test_what_is_no_message_ends_the_session(wallet: WalletTester, raw: bytes) -> None:
    """What is no session message ends the session with status 11."""
    opened = wallet.meet()
    wallet.consultation(opened)
    wallet.ended(wallet.send(opened, raw, "no session message"), SessionStatus.DECODING_ERROR)


@case("P-SES-09", "P-SES-06", nature=Nature.INOPPORTUNE, zh="會話尚未建立即送 SessionData：以狀態 11 結束")
def test_session_data_before_the_session_ends_it(wallet: WalletTester) -> None:
    """SessionData before any SessionEstablishment ends the session with status 11."""
    opened = wallet.meet()
    wallet.ended(wallet.send(opened, wallet.later(opened, b"\xa0"), "SessionData first"), SessionStatus.DECODING_ERROR)


@case("P-SES-09", "P-SES-06", nature=Nature.INOPPORTUNE, zh="會話已建立又送 SessionEstablishment：以狀態 10 結束")
def test_second_establishment_ends_the_session(wallet: WalletTester) -> None:
    """A SessionEstablishment in an open session ends it: its data do not belong to this place."""
    opened = wallet.meet()
    first = wallet.first(opened, wallet.asked(opened, hpc=wallet.world.physician))
    wallet.answer(opened, wallet.send(opened, first, "first message"))
    wallet.ended(wallet.send(opened, first, "it once more"), SessionStatus.ENCRYPTION_ERROR)


@case("P-SES-05", nature=Nature.INVALID, zh="讀取者金鑰的長度不是最短編碼：以狀態 11 結束")
def test_reader_key_not_in_the_shortest_form_ends_the_session(wallet: WalletTester) -> None:
    """An embedded reader key whose length is not in its shortest form ends the session with status 11."""
    opened = wallet.meet()
    first = wallet.first(opened, wallet.asked(opened))
    longer = first.replace(b"\xd8\x18\x58\x4b", b"\xd8\x18\x59\x00\x4b", 1)
    wallet.need("the key's length could be written longer", longer != first)
    wallet.ended(wallet.send(opened, longer, "a longer length"), SessionStatus.DECODING_ERROR)


@case("P-SES-06", nature=Nature.INVALID, zh="讀取者金鑰不在曲線上：以狀態 11 結束")
def test_reader_key_off_the_curve_ends_the_session(wallet: WalletTester) -> None:
    """A reader key that is no point of P-256 ends the session with status 11."""
    opened = wallet.meet()
    first = bytearray(wallet.first(opened, wallet.asked(opened)))
    key = opened.transcript.reader_key_bytes
    first[first.index(key) + len(key) - 1] ^= 1
    wallet.ended(wallet.send(opened, bytes(first), "a key off the curve"), SessionStatus.DECODING_ERROR)


@case("P-SES-07", nature=Nature.VALID, zh="單獨的狀態：結束會話，不予回覆",
      each=lambda: {status.name.lower().replace("_", "-"): Each(status) for status in SessionStatus})
def test_status_alone_ends_the_session_without_an_answer(wallet: WalletTester, status: SessionStatus) -> None:
    """A status alone ends the session, and nothing is answered; status 20 to whatever follows."""
    opened = wallet.meet()
    wallet.consultation(opened)
    answer = wallet.send(opened, SessionData(status=status).to_bytes(), "a status alone")
    wallet.equal("answer to a status alone", answer, b"")
    wallet.nothing_after(opened)


@case("P-SES-07", nature=Nature.VALID, zh="資料與狀態同在一則：先回覆資料，再結束會話")
def test_data_with_a_status_are_answered_and_end_the_session(wallet: WalletTester) -> None:
    """Data and a status in one message: the data are answered, and the session is over after it."""
    opened = wallet.meet()
    wallet.consultation(opened)
    sealed = opened.cipher.seal(wallet.asked(opened, hpc=wallet.world.physician))
    last = SessionData(sealed, SessionStatus.TERMINATION).to_bytes()
    wallet.equal("documents in the last response", len(wallet.answer(opened, wallet.send(opened, last, "last")).documents), 1)
    wallet.nothing_after(opened)


@case("P-SES-08", nature=Nature.LIMIT, zh="訊息最長 65536 位元組：再長即以狀態 11 結束", channels=("ble",))
def test_message_above_the_limit_ends_the_session(wallet: WalletTester) -> None:
    """A message of 65537 bytes ends the session with status 11."""
    opened = wallet.meet()
    key = opened.transcript.reader_key_bytes
    frame = len(session.establishment(key, bytes(60_000))) - 60_000
    raw = session.establishment(key, bytes(MAX_MESSAGE_BYTES + 1 - frame))
    wallet.need("the message is one byte too long", len(raw) == MAX_MESSAGE_BYTES + 1, len(raw))
    wallet.ended(wallet.send(opened, raw, "too long"), SessionStatus.DECODING_ERROR)


@case("P-SES-08", nature=Nature.LIMIT, zh="訊息恰為 65536 位元組：仍是會話訊息（此處無法解密，狀態 10）")
def test_message_at_the_limit_is_a_message(wallet: WalletTester) -> None:
    """A message of exactly 65536 bytes is one: this one does not decrypt, and ends the session with status 10."""
    opened = wallet.meet()
    key = opened.transcript.reader_key_bytes
    frame = len(session.establishment(key, bytes(60_000))) - 60_000
    raw = session.establishment(key, bytes(MAX_MESSAGE_BYTES - frame))
    wallet.need("the message is as long as can be", len(raw) == MAX_MESSAGE_BYTES, len(raw))
    wallet.ended(wallet.send(opened, raw, "as long as can be"), SessionStatus.ENCRYPTION_ERROR)


@case("P-SES-08", nature=Nature.LIMIT, zh="鍵的順序不同而恰為 65536 位元組：仍是會話訊息")
def test_message_at_the_limit_in_another_order_is_a_message(wallet: WalletTester) -> None:
    """A message of exactly 65536 bytes whose keys stand in the other order is one: status 10, as it does not decrypt."""
    opened = wallet.meet()
    body = session.establishment(opened.transcript.reader_key_bytes, b"")
    key = body[1 : body.index(b"\x64data")]
    length = MAX_MESSAGE_BYTES - 1 - len(key) - len(b"\x64data\x59\x00\x00")
    raw = b"\xa2\x64data\x59" + length.to_bytes(2, "big") + bytes(length) + key
    wallet.need("the message is as long as can be", len(raw) == MAX_MESSAGE_BYTES, len(raw))
    wallet.ended(wallet.send(opened, raw, "as long as can be"), SessionStatus.ENCRYPTION_ERROR)


@case("P-SES-08", nature=Nature.LIMIT, zh="一次會話 16 個要求：第 17 個以狀態 20 結束")
def test_request_after_the_sixteenth_ends_the_session(wallet: WalletTester) -> None:
    """Sixteen requests are answered; the next is answered with status 20."""
    opened = wallet.meet(Use.REGISTRATION)
    for number in range(1, MAX_REQUESTS + 1):
        answer = wallet.request(opened, wallet.asked(opened, REGISTRATION), f"request {number}")
        wallet.equal(f"documents in response {number}", len(answer.documents), 1)
    raw = wallet.send(opened, wallet.later(opened, wallet.asked(opened, REGISTRATION)), "one too many")
    wallet.ended(raw, SessionStatus.TERMINATION)


@case("P-ENG-06", nature=Nature.ATTACK, zh="新的裝置參與會結束先前的會話")
def test_new_engagement_ends_the_session_before(wallet: WalletTester) -> None:
    """After a new engagement a message of the session before is not answered with data."""
    before = wallet.meet()
    wallet.consultation(before)
    late = wallet.later(before, wallet.asked(before, hpc=wallet.world.physician))
    opened = wallet.meet()
    said = wallet.data(wallet.send(opened, late, "a message of the session before"))
    wallet.expect("no data for the session before", said.data is None, "a status alone", "data")


@case("P-SES-02", "P-ENG-01", "P-PRV-04", nature=Nature.VALID, zh="每次出示的臨時金鑰都是新的")
def test_ephemeral_key_is_fresh(wallet: WalletTester) -> None:
    """Two engagements show two device keys."""
    first, second = (wallet.meet(None).engaged.engagement.key.public_numbers() for _ in range(2))
    wallet.expect("the second key is another one", first != second, "two keys", "the same key twice")
