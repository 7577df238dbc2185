"""A wallet over Bluetooth, value by value: both modes, chunks, the end of a session, and a peer that breaks a rule."""

from __future__ import annotations

from conformance.air import Peer, expect_full_chunks, expect_right_beginning
from conformance.breaches import Breach, each_breach, each_mode, each_mtu, lacking
from conformance.case import Each, Nature, case
from conformance.kinds.wallet import REGISTRATION, WalletTester
from virtual_devices.mdoc import session
from virtual_devices.mdoc.ble_chunks import MAX_MESSAGE_BYTES
from virtual_devices.mdoc.ble_gatt import STATE_END, STATE_START, GattRole, Mode, Name, Side
from virtual_devices.mdoc.ble_options import parse
from virtual_devices.mdoc.engagement import BLE
from virtual_devices.mdoc.session import SessionData, SessionStatus
from virtual_devices.reader.proximity import Engaged, ReaderSession

AIR = ("ble",)
SERVER, CLIENT = Mode.PERIPHERAL_SERVER, Mode.CENTRAL_CLIENT
"""The modes in which a wallet is the one and the other."""


def _registers(wallet: WalletTester, peer: Peer, engaged: Engaged, size: int = 0) -> ReaderSession:
    """A registration over that connection; that it is answered is a check."""
    opened = wallet.over(peer, engaged, size=size)
    answer = wallet.request(opened, wallet.asked(opened, REGISTRATION), "registration")
    wallet.equal("documents in the answer", len(answer.documents), 1)
    return opened


@case("P-BLE-02", "P-BLE-04", "P-BLE-06", nature=Nature.VALID, zh="兩種模式：廣播或搜尋、特徵、訂閱、State 01", channels=AIR,
      each=each_mode)
def test_connection_is_made_ready(wallet: WalletTester, mode: Mode) -> None:
    """In either mode the wallet does what its role does, with the engagement's service and the characteristics of the rule."""
    peer, engaged = wallet.radio(mode)
    peer.begin()
    method = engaged.engagement.method(BLE)
    service = parse(method).service(mode)
    assert service is not None
    expect_right_beginning(peer, service)
    _registers(wallet, peer, engaged)


@case("P-BLE-05", nature=Nature.ATTACK, zh="Ident 不符即別的讀取者：斷線，不透露", channels=AIR, each=lambda: {
    "another": Each(bytes(16), "Another value", "別的值"), "short": Each(bytes(15), "A byte less", "少一位元組"),
    "empty": Each(b"", "No bytes", "空的"),
})
def test_another_ident_is_another_reader(wallet: WalletTester, ident: bytes) -> None:
    """A reader whose Ident is not the engagement's is left, and told nothing."""
    peer, _ = wallet.radio(CLIENT)
    peer.ident = ident
    peer.begin()
    peer.refused(told=False)
    wallet.equal("what the wallet wrote", peer.values, [])


@case("P-BLE-04", "P-BLE-10", nature=Nature.INVALID, zh="讀取者缺特徵或屬性：斷線", channels=AIR, each=lambda: {
    name: Each(found) for name, found in lacking(CLIENT).items()
})
def test_reader_without_a_characteristic_is_left(wallet: WalletTester, found: object) -> None:
    """A reader that lacks a characteristic, or one of its properties, is left, and told nothing."""
    peer, _ = wallet.radio(CLIENT)
    peer.found = found  # type: ignore[assignment]
    peer.begin()
    peer.refused(told=False)
    wallet.equal("what the wallet wrote", peer.values, [])


@case("P-BLE-07", nature=Nature.LIMIT, zh="片段長度：min(512, MTU - 3)", channels=AIR, each=each_mtu)
def test_chunks_are_full(wallet: WalletTester, tried: tuple[Mode, int]) -> None:
    """The wallet's chunks are as long as the link allows, 01 before each but the last, 00 before that."""
    mode, mtu = tried
    peer, engaged = wallet.radio(mode, mtu=mtu)
    peer.begin()
    _registers(wallet, peer, engaged)
    expect_full_chunks(peer)


@case("P-BLE-08", nature=Nature.VALID, zh="未滿之片段：照收", channels=AIR, each=each_mode)
def test_chunks_that_are_not_full_are_taken(wallet: WalletTester, mode: Mode) -> None:
    """A message in chunks of fifty bytes is answered."""
    peer, engaged = wallet.radio(mode)
    peer.begin()
    _registers(wallet, peer, engaged, 50)


@case("P-BLE-10", nature=Nature.LIMIT, zh="訊息 65536 位元組可收", channels=AIR, each=each_mode)
def test_longest_message_comes_to_the_session(wallet: WalletTester, mode: Mode) -> None:
    """A message of 65536 bytes is answered by the session, with a status as it is noise."""
    peer, engaged = wallet.radio(mode)
    peer.begin()
    wallet.ended(wallet.send(wallet.over(peer, engaged), b"\xff" * MAX_MESSAGE_BYTES, "noise"), SessionStatus.DECODING_ERROR)


@case("P-BLE-09", nature=Nature.VALID, zh="會話以 State 02 或狀態 20 結束，用戶端斷線", channels=AIR, each=lambda: {
    f"{name}-{how}": Each((mode, how)) for name, mode in (("peripheral", SERVER), ("central", CLIENT))
    for how in ("state", "status")
})
def test_session_ends_as_the_reader_says(wallet: WalletTester, tried: tuple[Mode, str]) -> None:
    """After State 02, and after status 20 in a message, nothing more is said; a wallet that is the client disconnects."""
    mode, how = tried
    peer, engaged = wallet.radio(mode)
    peer.begin()
    _registers(wallet, peer, engaged)
    had = len(peer.values)
    if how == "state":
        peer.value(Name.STATE, STATE_END)
    else:
        peer.say(SessionData(status=SessionStatus.TERMINATION).to_bytes(), quiet=True)
    peer.hush()
    wallet.equal("values after the end", peer.values[had:], [])
    if peer.role is GattRole.CLIENT:
        wallet.expect("the client disconnects", peer.left, "disconnected", "connected")


@case("P-BLE-09", "P-SES-06", nature=Nature.VALID, zh="錢包結束會話：狀態之後即止", channels=AIR, each=each_mode)
def test_status_of_the_wallets_is_its_last_message(wallet: WalletTester, mode: Mode) -> None:
    """A session that the wallet ends by a status is over: what comes after it is not answered."""
    peer, engaged = wallet.radio(mode)
    peer.begin()
    opened = wallet.over(peer, engaged)
    wallet.ended(wallet.send(opened, b"\xff", "noise"), SessionStatus.DECODING_ERROR)
    if not peer.left:
        wallet.equal("answer after the end", peer.say(session.TERMINATION, quiet=True), None)


@case("P-BLE-10", "P-GEN-08", nature=Nature.INVALID, zh="讀取者違反規則：State 02 並斷線", channels=AIR,
      each=lambda: each_breach(Side.MDOC))
def test_reader_that_breaks_a_rule_is_let_go(wallet: WalletTester, tried: tuple[Mode, Breach]) -> None:
    """A reader that breaks a rule hears State 02 where it can, and is disconnected; its message is not answered."""
    mode, breach = tried
    peer, _ = wallet.radio(mode)
    breach.commit(peer)
    peer.refused(told=breach.told)
    wallet.equal("messages of the wallet's", peer.messages, [])


@case("P-BLE-10", nature=Nature.INOPPORTUNE, zh="讀取者結束後又送資料：斷線", channels=AIR, each=lambda: {
    f"{name}-{what}": Each((mode, what)) for name, mode in (("peripheral", SERVER), ("central", CLIENT))
    for what in ("data", "start")
})
def test_reader_that_goes_on_after_its_end_is_let_go(wallet: WalletTester, tried: tuple[Mode, str]) -> None:
    """A reader that has ended the session and says more is disconnected, and not answered."""
    mode, what = tried
    peer, engaged = wallet.radio(mode)
    peer.begin()
    _registers(wallet, peer, engaged)
    peer.value(Name.STATE, STATE_END)
    had = len(peer.messages)
    if what == "data":
        peer.data(b"\0x")
    else:
        peer.value(Name.STATE, STATE_START)
    peer.settle(lambda: peer.left)
    wallet.expect("the wallet disconnects", peer.left, "disconnected", "connected")
    wallet.equal("messages after it", peer.messages[had:], [])
