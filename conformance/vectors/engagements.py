"""What a holder's device shows first: QR texts, handovers over NFC, and the sessions that follow from them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec

from conformance.vectors.model import Input, Kind, Reason, Session, Space
from conformance.vectors.suite import Suite, both, flipped, number
from conformance.vectors.world import World
from virtual_devices.mdoc import engagement, handover, ndef, session
from virtual_devices.mdoc.ble_gatt import ident
from virtual_devices.mdoc.ble_options import BleOptions
from virtual_devices.mdoc.carriers import NfcCarrier
from virtual_devices.mdoc.cose_key import to_cose
from virtual_devices.mdoc.engagement import Engagement
from virtual_devices.mdoc.session import Transcript
from virtual_devices.mdoc.tagged import dumps, embed

NO_CODE_QR, NO_HANDOVER = number(Space.CSHIS, "4033"), number(Space.CSHIS, "4043")
CARRIER = NfcCarrier(65535, 65536)


class InSession(Protocol):
    """A session as requests need it: what they are signed for, and its name."""

    @property
    def name(self) -> str: ...

    @property
    def transcript(self) -> Transcript: ...


@dataclass(frozen=True)
class Opened:
    """A session of the suite. ``name``: as vectors name it."""

    name: str
    engagement: Engagement
    device: ec.EllipticCurvePrivateKey
    reader: ec.EllipticCurvePrivateKey
    transcript: Transcript

    @property
    def shared(self) -> bytes:
        return session.agree(self.reader, self.device.public_key())


def add(suite: Suite, world: World) -> dict[str, Opened]:
    """Engagements and handovers, good and bad; the sessions by name."""
    sessions = {each.name: each for each in (_by_qr(suite, world), _static(suite, world), _negotiated(suite, world))}
    other = _keys(world, "other")
    raw = engagement.make(other[0].public_key(), [_ble(world, "other")])
    sessions["other"] = _opened(suite, world, "other", raw, other, None, "另一次出示：用來證明不能轉送到別的會話",
        "another presentation: nothing may be forwarded into it")
    return sessions


def _keys(world: World, name: str) -> tuple[ec.EllipticCurvePrivateKey, ec.EllipticCurvePrivateKey]:
    return world.private("session", name, "device"), world.private("session", name, "reader")


def _ble(world: World, name: str) -> list[Any]:
    fresh = world.fresh("ble", name)
    return BleOptions(UUID(bytes=fresh(16), version=4), UUID(bytes=fresh(16), version=4)).method()


def _by_qr(suite: Suite, world: World) -> Opened:
    keys = _keys(world, "qr")
    shown = engagement.make(keys[0].public_key(), [_ble(world, "qr")])
    model = suite.good(
        Kind.ENGAGEMENT, "qr", {Input.TEXT: shown.qr_text().encode()}, "裝置參與（QR），以 BLE 傳輸，宣告可驗多方讀取者簽章",
        "device engagement in a QR code, retrieval over BLE, with the capability for several readers' signatures",
    )
    suite.picture("engagement/qr.png", shown.qr_text(), "同上的圖片", "the same as a picture")
    legacy = engagement.make(keys[0].public_key(), [_ble(world, "qr")], reader_auth_all=False)
    suite.good(Kind.ENGAGEMENT, "version-1-0", {Input.TEXT: legacy.qr_text().encode()}, "只懂 1.0 版的裝置參與",
        "an engagement of a device that knows version 1.0 only")
    body = {**cbor2.loads(shown.raw), 0: "1.9", 99: "more"}
    newer = ("mdoc:" + base64.urlsafe_b64encode(dumps(body)).rstrip(b"=").decode()).encode()
    suite.good(Kind.ENGAGEMENT, "version-1-9", {Input.TEXT: newer}, "次版本較新，另有未知的鍵：照讀",
        "a newer minor version, with a key that nobody knows: it is read")
    _bad_texts(suite, model, keys[0].public_key(), shown)
    return _opened(suite, world, "qr", shown, keys, None, "以 QR 參與，handover 為 null",
        "engagement by QR code: the handover is null")


def _bad_texts(suite: Suite, model: str, key: ec.EllipticCurvePublicKey, shown: Engagement) -> None:
    def text(body: dict[int, Any]) -> bytes:
        return ("mdoc:" + base64.urlsafe_b64encode(dumps(body)).rstrip(b"=").decode()).encode()

    cose_key = to_cose(key)
    off_curve = {**cose_key, -3: flipped(cose_key[-3])}
    good = shown.qr_text()
    for name, spoilt, zh, en in (
        ("no-scheme", good.removeprefix("mdoc:").encode(), "沒有 mdoc: 開頭", "without mdoc: in front"),
        ("padded", (good + "=").encode(), "base64url 帶有補字元", "base64url with padding"),
        ("version-2", text({0: "2.0", 1: [1, embed(dumps(cose_key))]}), "版本 2.0", "version 2.0"),
        ("cipher-suite", text({0: "1.0", 1: [2, embed(dumps(cose_key))]}), "加密套件 2", "cipher suite 2"),
        ("off-curve", text({0: "1.0", 1: [1, embed(dumps(off_curve))]}), "金鑰不在曲線上", "a key that is no point of the curve"),
        ("no-security", text({0: "1.0"}), "沒有 Security 欄位", "without the key"),
        ("key-not-embedded", text({0: "1.0", 1: [1, cose_key]}), "金鑰不是 #6.24 包裝", "the key is not embedded (#6.24)"),
        ("byte-after", ("mdoc:" + base64.urlsafe_b64encode(shown.raw + b"\0").rstrip(b"=").decode()).encode(), "後面多一個位元組",
         "a byte follows"),
        ("too-long", text({**cbor2.loads(shown.raw), 99: bytes(engagement.MAX_BYTES)}), "超過 4096 位元組",
         "more than 4096 bytes"),
    ):
        suite.bad(model, name, {Input.TEXT: spoilt}, Reason.MALFORMED, NO_CODE_QR, zh, en)


def _static(suite: Suite, world: World) -> Opened:
    keys = _keys(world, "nfc")
    shown = engagement.make(keys[0].public_key())
    hs = handover.make_select(shown.raw, [CARRIER])
    model = suite.good(
        Kind.HANDOVER, "static", {Input.HANDOVER_SELECT: hs}, "NFC 靜態交遞：參與資料與 NFC 傳輸",
            "static handover: the engagement, and retrieval over NFC",
    )
    no_engagement = hs.replace(b"18013:deviceengagement", b"18013:somethingdiffers")
    for name, spoilt, zh, en in (
        ("no-engagement", no_engagement, "沒有參與資料的記錄", "no record with an engagement"),
        ("truncated", hs[:-1], "少了最後一個位元組", "the last byte is missing"),
        ("byte-after", hs + b"\0", "後面多一個位元組", "a byte follows"),
        ("engagement-twice", _twice(hs), "兩筆參與資料的記錄", "two records with an engagement"),
        ("carrier-nowhere", hs.replace(b"\x03nfc", b"\x03nfd", 1), "傳輸方式所指的記錄不存在",
         "a carrier that refers to no record"),
        ("no-begin", bytes([hs[0] & 0x7F]) + hs[1:], "第一筆記錄沒有 MB 旗標", "the first record has no MB"),
        ("version-2", hs.replace(b"Hs\x15", b"Hs\x25", 1), "Connection Handover 2.5 版", "Connection Handover 2.5"),
    ):
        suite.bad(model, name, {Input.HANDOVER_SELECT: spoilt}, Reason.MALFORMED, NO_HANDOVER, zh, en)
    return _opened(suite, world, "nfc", shown, keys, (hs, None), "NFC 靜態交遞：handover 為 [Hs, null]",
        "static handover over NFC: [Hs, null]")


def _twice(hs: bytes) -> bytes:
    """The last record once more, which is the last then."""
    records = ndef.decode(hs)
    engaged = next(r for r in records if r.type.endswith(b"deviceengagement"))
    return ndef.encode([*records, engaged])


def _negotiated(suite: Suite, world: World) -> Opened:
    keys = _keys(world, "nfc-negotiated")
    shown = engagement.make(keys[0].public_key())
    hr = handover.make_request([CARRIER], world.fresh("handover"))
    hs = handover.make_select(shown.raw, [CARRIER])
    suite.good(
        Kind.HANDOVER, "negotiated", {Input.HANDOVER_SELECT: hs, Input.HANDOVER_REQUEST: hr},
        "NFC 協商交遞：讀取者先送 Hr", "negotiated handover: the reader sends Hr first",
    )
    return _opened(suite, world, "nfc-negotiated", shown, keys, (hs, hr), "NFC 協商交遞：[Hs, Hr]",
        "negotiated handover over NFC: [Hs, Hr]")


def _opened(
    suite: Suite, world: World, name: str, shown: Engagement, keys: tuple[ec.EllipticCurvePrivateKey, ec.EllipticCurvePrivateKey],
    over: tuple[bytes, bytes | None] | None, zh: str, en: str,
) -> Opened:
    """The session with all that follows from it, put into the suite."""
    device, reader = keys
    transcript = Transcript(shown.raw, session.key_bytes(reader.public_key()), over)
    opened = Opened(name, shown, device, reader, transcript)
    long_term = session.agree(reader, world.device.public_key())
    hs, hr = over or (None, None)
    suite.sessions[name] = Session(
        name=name, says=both(zh, en),
        engagement=suite.file(f"sessions/{name}/engagement.cbor", shown.raw, "DeviceEngagement", "DeviceEngagement"),
        handover_select=None if hs is None else suite.file(f"sessions/{name}/hs.ndef", hs, "Handover Select", "Handover Select"),
        handover_request=None if hr is None else suite.file(f"sessions/{name}/hr.ndef", hr, "Handover Request",
            "Handover Request"),
        transcript=suite.file(f"sessions/{name}/transcript.cbor", transcript.encoded, "SessionTranscript", "SessionTranscript"),
        device_key=suite.key(f"session-{name}-device", device, "裝置的一次性金鑰", "the device's ephemeral key"),
        reader_key=suite.key(f"session-{name}-reader", reader, "讀取者的一次性金鑰", "the reader's ephemeral key"),
        shared_secret=opened.shared.hex(), salt=transcript.hash.hex(),
        sk_reader=transcript.key(opened.shared, "SKReader").hex(), sk_device=transcript.key(opened.shared, "SKDevice").hex(),
        e_mac_key=transcript.key(long_term, "EMacKey").hex(), ble_ident=ident(shown.key_bytes).hex(),
    )
    return opened

