"""A wallet that is tapped and met over Bluetooth after it: what its tag names, and the session that follows."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import cbor2

from conformance.case import Each, Nature, case
from conformance.cases.test_wallet_nfc import UNKNOWN, negotiating
from conformance.commands import Commands
from conformance.kinds.wallet import REGISTRATION, WalletTester
from virtual_devices.mdoc import engagement, ndef
from virtual_devices.mdoc.carriers import BleCarrier, Carrier, LeRole
from virtual_devices.mdoc.handover import Handover, make_request
from virtual_devices.mdoc.session import SessionStatus
from virtual_devices.reader.proximity import Engaged, MessageChannel, ReaderSession, open_session
from virtual_devices.wallet.consent import Use

TAP = ("nfc-ble",)
_METHODS = 2


def _named(wallet: WalletTester, found: Handover) -> BleCarrier:
    """The one way over Bluetooth that the tag names; that it does is a check."""
    ways = [one for one in found.carriers if isinstance(one, BleCarrier)]
    wallet.equal("ways over Bluetooth", len(ways), 1)
    return ways[0]


def _opened(wallet: WalletTester, found: Handover) -> ReaderSession:
    """The session after this handover, over Bluetooth."""
    engaged = Engaged(engagement.read(found.device_engagement), (found.hs, found.hr), found.carriers)
    opened: ReaderSession = wallet.run(open_session(wallet.desk, engaged, MessageChannel()))
    return opened


def _registers(wallet: WalletTester, opened: ReaderSession) -> None:
    answer = wallet.request(opened, wallet.asked(opened, REGISTRATION), "registration")
    wallet.equal("documents in the answer", len(answer.documents), 1)
    wallet.believed(opened, answer.documents[0])


@case("P-HND-10", "P-HND-01", "P-HND-02", "P-HND-03", "P-ENG-04",
      nature=Nature.VALID, zh="靜態交遞指名藍牙：角色、服務與參與紀錄", channels=TAP)
def test_static_handover_names_bluetooth(wallet: WalletTester) -> None:
    """The tag's Hs names Bluetooth with a role and a service, refers to the engagement, and that names no method."""
    field = Commands.met(wallet, Use.REGISTRATION)
    field.open_static()
    hs = field.message()
    found = field.select_of(hs)
    rows = [row for row in ndef.decode(ndef.decode(hs)[0].payload[1:]) if row.type == b"ac"]
    referring = [row for row in rows if row.payload.endswith(b"\x01\x04mdoc")]
    wallet.equal("carriers that refer to the engagement", len(referring), len(rows))
    service = _named(wallet, found).service
    wallet.expect("it names a service", service is not None, "a UUID", "none")
    wallet.equal("version of the service's UUID", None if service is None else service.version, 4)
    wallet.expect("no retrieval methods", _METHODS not in cbor2.loads(found.device_engagement), "none", "some")
    _registers(wallet, _opened(wallet, found))


@case("P-HND-10", "P-BLE-02", nature=Nature.ATTACK, zh="每次感應皆為新參與、新服務", channels=TAP)
def test_each_tap_is_a_new_engagement(wallet: WalletTester) -> None:
    """A tap has an engagement and a service of its own, whether anybody came by the one before or not."""
    seen = [wallet.meet(None).engaged for _ in range(3)]
    wallet.equal("keys of the engagements", len({one.engagement.key_bytes for one in seen}), 3)
    services = {one.service for each in seen for one in each.carriers if isinstance(one, BleCarrier)}
    wallet.equal("services", len(services), 3)


def _offers(service: UUID) -> dict[str, tuple[LeRole, UUID | None]]:
    return {
        "client": (LeRole.CENTRAL, None), "either": (LeRole.CENTRAL_PREFERRED, service), "server": (LeRole.PERIPHERAL, service),
    }


@case("P-HND-10", "P-HND-02", "P-HND-01", "P-HND-03", "P-TAG-02",
      nature=Nature.VALID, zh="協商交遞至藍牙：依讀取者之角色擇一", channels=TAP, each=lambda: {
    "client": Each("client", "The reader can be the client alone", "讀取者僅能為用戶端"),
    "server": Each("server", "The reader can be the server alone", "讀取者僅能為伺服器"),
    "either": Each("either", "The reader can be either", "讀取者兩者皆可"),
})
def test_negotiated_handover_leads_over_bluetooth(wallet: WalletTester, kind: str) -> None:
    """The wallet takes the reader's way under its id, in a role that goes with the reader's; the service is the wallet's, or the
    reader's where the wallet names none. The session goes on over it, with both messages in its transcript."""
    if not wallet.counter.serves and kind != "client":
        wallet.not_applicable("the Bluetooth service of this computer makes no GATT server of the bench")
    field = negotiating(wallet, Use.REGISTRATION)
    role, service = _offers(UUID(bytes=wallet.world.fresh("service", wallet.name)(16), version=4))[kind]
    hr = field.request(UNKNOWN, BleCarrier(role, service, id=b"b"))
    field.write(hr)
    found = field.select_of(field.message(), hr)
    wallet.equal("ways chosen", len(found.carriers), 1)
    chosen = _named(wallet, found)
    wallet.equal("id of the way chosen", chosen.id, b"b")
    goes = (chosen.role.peripheral and role.central) or (chosen.role.central and role.peripheral)
    wallet.expect("the wallet's role goes with the reader's", goes, "the other one", chosen.role.name)
    wallet.expect("there is a service", found.ble_service is not None, "a UUID", "none")
    if not chosen.role.central:
        wallet.expect("a wallet that is the server names its service", chosen.service not in (None, service), "its own", chosen)
    _registers(wallet, _opened(wallet, found))


_NO_WAY: dict[str, tuple[tuple[Carrier, ...], str, str]] = {
    "unknown": ((UNKNOWN,), "A way that there is not", "沒有的途徑"),
    "no-service": ((BleCarrier(LeRole.PERIPHERAL, id=b"b"),), "A server without a service", "伺服器未指名服務"),
}


@case("P-HND-10", "P-HND-07", nature=Nature.INVALID, zh="途徑皆不合：Hs 不含途徑", channels=TAP, each=lambda: {
    name: Each(ways, says, zh) for name, (ways, says, zh) in _NO_WAY.items()
})
def test_way_that_leads_nowhere_is_not_taken(wallet: WalletTester, ways: tuple[Carrier, ...]) -> None:
    """When nobody can be met by what the reader offers, Hs has the engagement and no way; another request is answered then."""
    field = negotiating(wallet)
    field.write(field.request(*ways))
    wallet.equal("ways in Hs", field.select_of(field.message()).carriers, ())
    field.write(field.request(BleCarrier(LeRole.CENTRAL)))
    wallet.equal("ways in the next Hs", len(field.select_of(field.message()).carriers), 1)


@case("P-HND-10", "P-HND-07", nature=Nature.INOPPORTUNE, zh="一次參與一次交遞：第二個 Hr 拒絕", channels=TAP)
def test_handover_to_bluetooth_is_made_once(wallet: WalletTester) -> None:
    """After Hs with a way a second request is answered with TNEP status 1, and the way that was named stays good."""
    field = negotiating(wallet, Use.REGISTRATION)
    hr = field.request(BleCarrier(LeRole.CENTRAL))
    field.write(hr)
    found = field.select_of(field.message(), hr)
    field.write(field.request(BleCarrier(LeRole.CENTRAL)))
    wallet.equal("TNEP status", field.status(), 1)
    _registers(wallet, _opened(wallet, found))


def _elsewhere(found: Handover) -> Handover:
    """As somebody between the two would have the reader see it: another record beside those that are there."""
    hs = ndef.encode([*ndef.decode(found.hs), ndef.Record(ndef.Tnf.WELL_KNOWN, b"T", b"\x02enx")])
    return Handover(hs, found.hr, found.device_engagement, found.carriers)


def _asked(found: Handover) -> Handover:
    hr = make_request((BleCarrier(LeRole.CENTRAL),), bytes)
    return Handover(found.hs, hr, found.device_engagement, found.carriers)


@case("P-SES-01", "P-HND-10", nature=Nature.ATTACK, zh="交遞訊息被改動：會話建立不成", channels=TAP, each=lambda: {
    "hs": Each(_elsewhere, "Something is put into Hs", "Hs 加入別的內容"),
    "hr": Each(_asked, "A request that there was not", "未曾有之 Hr"),
})
def test_handover_changed_on_the_way_is_noticed(wallet: WalletTester, change: Callable[[Handover], Handover]) -> None:
    """A reader that has seen another handover than the wallet's has another transcript: its first message opens nothing."""
    field = Commands.met(wallet, Use.REGISTRATION)
    field.open_static()
    opened = _opened(wallet, change(field.select_of(field.message())))
    raw = wallet.send(opened, wallet.first(opened, wallet.asked(opened, REGISTRATION)), "a request, after another handover")
    wallet.ended(raw, SessionStatus.ENCRYPTION_ERROR)
