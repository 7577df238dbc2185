"""What a wallet shows first: its engagement, by code and by tag, and what of it nobody may change on the way."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import cbor2

from conformance.case import Each, Nature, case
from conformance.kinds.wallet import REGISTRATION, WalletTester
from virtual_devices.flow import Exchange, Flow
from virtual_devices.link import Attempt
from virtual_devices.mdoc import engagement, session
from virtual_devices.mdoc.ble_options import BleOptions, MalformedBleOptions, parse
from virtual_devices.mdoc.engagement import BLE
from virtual_devices.mdoc.session import Cipher, SessionStatus, Side, Transcript
from virtual_devices.mdoc.tagged import dumps
from virtual_devices.reader.proximity import SCREEN, ReaderSession
from virtual_devices.wallet.consent import Use

CODE = re.compile(r"mdoc:[A-Za-z0-9_-]+")
_VERSION, _METHODS, _ORIGIN, _CAPABILITIES, _ALL = 0, 2, 5, 6, 3


@case("P-ENG-02", "P-VER-02", nature=Nature.VALID, zh="裝置參與之版本與能力")
def test_engagement_says_what_the_wallet_checks(wallet: WalletTester) -> None:
    """A wallet that checks readerAuthAll says "1.1", 5: [] and 6: {3: true}; one that does not says "1.0" and neither key."""
    shown = wallet.meet(None).engaged.engagement
    body = cbor2.loads(shown.raw)
    said = (body.get(_VERSION), body.get(_ORIGIN), body.get(_CAPABILITIES, {}).get(_ALL))
    wallet.equal("version, origin, readerAuthAll", said, ("1.1", [], True) if shown.reader_auth_all else ("1.0", None, None))


@case("P-ENG-04", nature=Nature.VALID, zh="NFC 之裝置參與不含取資料方式", channels=("nfc",))
def test_engagement_of_a_tag_names_no_method(wallet: WalletTester) -> None:
    """An engagement over NFC has no retrieval methods: the handover names them."""
    body = cbor2.loads(wallet.meet(None).engaged.engagement.raw)
    wallet.expect("no retrieval methods", _METHODS not in body, "none", body.get(_METHODS))


@case("P-ENG-04", nature=Nature.VALID, zh="條碼為 mdoc: 加無填補之 base64url，至少一種取資料方式", channels=("ble",))
def test_code_of_an_engagement_is_as_its_rule(wallet: WalletTester) -> None:
    """The code is ``mdoc:`` and base64url without padding, and names a retrieval method."""
    wallet.reach(None)
    text = wallet.run(_scan()).decode("ascii", "replace")
    wallet.expect("the code's form", CODE.fullmatch(text) is not None, "mdoc: and base64url", text)
    wallet.expect("it names a method", bool(engagement.read_qr(text).methods), "one", "none")


def _scan() -> Flow[bytes]:
    attempt: Attempt = yield Exchange(SCREEN, b"scan", 10.0, "scan QR code")
    return attempt.reply or b""


def _options(wallet: WalletTester) -> BleOptions:
    """What a new engagement says of Bluetooth; that it says it rightly is a check."""
    method = wallet.meet(None).engaged.engagement.method(BLE)
    wallet.need("it is met over Bluetooth", method is not None)
    assert method is not None
    try:
        return parse(method)
    except MalformedBleOptions as e:
        wallet.expect("the method is as its rule", False, "[2, 1, {...}]", e.what)
        raise AssertionError("unreachable") from None


@case("P-BLE-01", nature=Nature.VALID, zh="藍牙取資料方式：提供之模式各有其 UUID", channels=("ble",))
def test_method_of_bluetooth_is_as_its_rule(wallet: WalletTester) -> None:
    """The engagement says of both modes whether they are offered, and a mode that is offered has its UUID."""
    shown = wallet.meet(None).engaged.engagement
    found = [method for method in shown.methods if method[0] == BLE]
    wallet.equal("methods of Bluetooth", len(found), 1)
    wallet.equal("its version", found[0][1], 1)
    options: Any = found[0][2]
    offered = (options.get(0), options.get(1))
    wallet.expect("both modes are told", all(isinstance(one, bool) for one in offered), "true or false", offered)
    uuids = tuple(len(options.get(key, b"")) for key in (10, 11))
    wallet.equal("bytes of their UUIDs", uuids, tuple(16 if one else 0 for one in offered))


@case("P-BLE-02", "P-PRV-04", nature=Nature.ATTACK, zh="服務 UUID 為隨機（第 4 版），每次參與皆新", channels=("ble",))
def test_service_is_of_one_engagement(wallet: WalletTester) -> None:
    """A service's UUID is a random one, of version 4, and of this engagement alone."""
    seen = [uuid for _ in range(2) for one in [_options(wallet)] for uuid in (one.peripheral_server, one.central_client) if uuid]
    wallet.equal("versions of the UUIDs", {uuid.version for uuid in seen}, {4})
    wallet.equal("UUIDs that are there twice", len(seen) - len(set(seen)), 0)


def _without(*keys: int) -> Callable[[dict[Any, Any]], dict[Any, Any]]:
    return lambda body: {key: value for key, value in body.items() if key not in keys}


@case("P-VER-03", nature=Nature.ATTACK, zh="中間人改動裝置參與：以狀態 10 結束會話", each=lambda: {
    "capability": Each(_without(_ORIGIN, _CAPABILITIES), "Its capability is taken out", "拿掉能力"),
    "version": Each(lambda body: {**body, _VERSION: "1.0"}, "It says another version", "改為別的版本"),
    "added": Each(lambda body: {**body, 99: b"more"}, "Something is put in", "加入別的內容"),
})
def test_engagement_changed_on_the_way_is_noticed(
    wallet: WalletTester, change: Callable[[dict[Any, Any]], dict[Any, Any]],
) -> None:
    """A reader that has seen another engagement than the wallet's has another transcript: the session ends with status 10."""
    opened = wallet.meet(Use.REGISTRATION)
    other = dumps(change(cbor2.loads(opened.engaged.engagement.raw)))
    wallet.need("it is another engagement", other != opened.engaged.engagement.raw)
    _seen(opened, other)
    raw = wallet.send(opened, wallet.first(opened, wallet.asked(opened, REGISTRATION)), "a request, after another engagement")
    wallet.ended(raw, SessionStatus.ENCRYPTION_ERROR)


def _seen(opened: ReaderSession, raw: bytes) -> None:
    """The reader goes on as if this had been the engagement."""
    opened.transcript = Transcript(raw, opened.transcript.reader_key_bytes, opened.engaged.handover)
    opened.cipher = Cipher(session.agree(opened.key, opened.engaged.engagement.key), opened.transcript, Side.READER)
