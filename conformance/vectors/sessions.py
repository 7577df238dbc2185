"""Session messages: what a holder's device opens, and with which status it ends a session that somebody meddled with."""

from __future__ import annotations

from conformance.vectors.engagements import Opened
from conformance.vectors.holder import Holder
from conformance.vectors.model import Input, Kind, Reason, Space, Value
from conformance.vectors.suite import Suite, flipped, number
from conformance.vectors.world import NOW_NS, World, signed
from virtual_devices import vhc
from virtual_devices.holder.application import Application
from virtual_devices.holder.session import HolderSession
from virtual_devices.mdoc.request import items_request
from virtual_devices.mdoc.session import MAX_MESSAGE_BYTES, TERMINATION, Cipher, SessionData, Side, establishment
from virtual_devices.mdoc.tagged import dumps

ENCRYPTION, DECODING = number(Space.SESSION, 10), number(Space.SESSION, 11)


def add(suite: Suite, world: World, sessions: dict[str, Opened]) -> None:
    """A whole session over each engagement; then each way to spoil the one by QR code."""
    for name in ("qr", "nfc", "nfc-negotiated"):
        _whole(suite, world, sessions[name])
    opened, other = sessions["qr"], sessions["other"]
    first = suite.files[suite.vectors["session/qr"].files[Input.MESSAGE]]
    _spoilt(suite, opened, other, first)


def _request(world: World, opened: Opened) -> bytes:
    return signed(items_request(vhc.DOCTYPE, vhc.REGISTRATION), opened.transcript, world.sam).to_bytes()


def _whole(suite: Suite, world: World, opened: Opened) -> None:
    """Establishment with a registration request, a second request, and the answers as the reference device gives them."""
    reader = Cipher(opened.shared, opened.transcript, Side.READER)
    asked = _request(world, opened)
    messages = [establishment(opened.transcript.reader_key_bytes, reader.seal(asked)), SessionData(reader.seal(asked)).to_bytes()]
    holder = Holder(world.root, world.issued, world.device)
    answers = HolderSession(opened.engagement, opened.device, Application(holder).answer, opened.transcript.handover)
    inputs: dict[Input | Value, bytes | str] = {
        Input.MESSAGE: messages[0], Input.NEXT_MESSAGE: messages[1], Value.SESSION: opened.name,
    }
    suite.good(
        Kind.SESSION, opened.name, inputs, f"會話（{opened.name}）：建立並要求掛號資料，再要求一次",
        f"a session ({opened.name}): established with a request for registration, then asked once more",
    )
    for number_, message in enumerate(messages, 1):
        suite.file(
            f"session/{opened.name}.answer-{number_}.cbor", answers.handle(message, NOW_NS), "參考裝置的回覆（決定性簽章）",
            "the reference device's answer (deterministic signatures)",
        )


def _spoilt(suite: Suite, opened: Opened, other: Opened, first: bytes) -> None:
    reader = Cipher(opened.shared, opened.transcript, Side.READER)
    device = Cipher(opened.shared, opened.transcript, Side.DEVICE)
    plain = b"\xa0"
    key = opened.transcript.reader_key_bytes
    for name, message, reason, code, zh, en in (
        ("bit", flipped(first), Reason.CANNOT_DECRYPT, ENCRYPTION, "密文最後一位元翻轉",
         "the last bit of the ciphertext is turned over"),
        ("truncated", first[:-1], Reason.MALFORMED, DECODING, "少了最後一個位元組", "the last byte is missing"),
        ("no-key", SessionData(reader.seal(plain)).to_bytes(), Reason.MALFORMED, DECODING,
         "第一則訊息沒有讀取者金鑰", "a first message without the reader's key"),
        ("other-session", establishment(key, Cipher(other.shared, other.transcript, Side.READER).seal(plain)),
         Reason.CANNOT_DECRYPT, ENCRYPTION, "以另一會話的金鑰加密", "encrypted under another session's keys"),
        ("wrong-direction", establishment(key, device.seal(plain)), Reason.CANNOT_DECRYPT, ENCRYPTION,
         "以裝置方向的金鑰加密（反射）", "encrypted under the device's own key (reflected)"),
        ("second-first", establishment(key, _second(opened)), Reason.CANNOT_DECRYPT, ENCRYPTION,
         "計數器從 2 開始（順序調換）", "the counter begins with 2 (messages in another order)"),
        ("long-key", first.replace(key, b"\xd8\x18\x59\x00" + key[3:]), Reason.MALFORMED, DECODING,
         "讀取者金鑰的長度不是最短編碼", "the reader key's length is not in the shortest form"),
    ):
        suite.bad("session/qr", name, {Input.MESSAGE: message}, reason, code, zh, en)
    off_curve = bytearray(first)
    off_curve[first.index(key) + len(key) - 1] ^= 1
    for name, message, zh, en in (
        ("off-curve", bytes(off_curve), "讀取者金鑰不在曲線上", "the reader's key is no point of the curve"),
        ("byte-after", first + b"\0", "後面多一個位元組", "a byte follows"),
        ("too-long", establishment(key, bytes(MAX_MESSAGE_BYTES)), "訊息超過 65536 位元組", "a message of more than 65536 bytes"),
    ):
        suite.bad("session/qr", name, {Input.MESSAGE: message}, Reason.MALFORMED, DECODING, zh, en)
    more = b"\xa2" + suite.files[suite.vectors["session/qr"].files[Input.NEXT_MESSAGE]][1:] + dumps("more") + dumps(1)
    suite.good(
        Kind.SESSION, "unknown-key", {**suite.vectors["session/qr"].files, Input.NEXT_MESSAGE: more, Value.SESSION: opened.name},
        "第二則訊息另有未知的鍵：不予理會", "the second message has a key that nobody knows: it is overlooked",
    )
    suite.bad("session/qr", "replayed", {Input.NEXT_MESSAGE: first}, Reason.CANNOT_DECRYPT, ENCRYPTION,
              "同一則訊息再送一次", "the same message once more")
    suite.bad("session/qr", "nothing", {Input.NEXT_MESSAGE: b"\xa0"}, Reason.MALFORMED, DECODING,
              "既無資料也無狀態", "neither data nor status")
    suite.file("session/termination.cbor", TERMINATION, "結束會話（狀態 20）", "the end of a session (status 20)")


def _second(opened: Opened) -> bytes:
    """The second message of the reader, without the first."""
    cipher = Cipher(opened.shared, opened.transcript, Side.READER)
    cipher.seal(b"")
    return cipher.seal(b"\xa0")
