"""A reader over Bluetooth, value by value: both modes, chunks, the end of a session, and a wallet that breaks a rule."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from conformance.air import Peer, expect_full_chunks, expect_right_beginning
from conformance.breaches import Breach, each_breach, each_mode, each_mtu, lacking
from conformance.case import Each, Nature, case
from conformance.kinds.reader import ReaderTester, Script, ScriptedCard
from virtual_devices.mdoc.ble_gatt import STATE_END, STATE_START, GattRole, Mode, Name, Side
from virtual_devices.reader.transmit import Ended

AIR = ("ble",)
CLIENT, SERVER = Mode.PERIPHERAL_SERVER, Mode.CENTRAL_CLIENT
"""The modes in which a reader is the one and the other."""
ONE, OTHER = bytes(range(16)), bytes(range(16, 32))


def _converse(reader: ReaderTester, peer: Peer, card: ScriptedCard, size: int = 0) -> None:
    """The card answers every message, in full chunks or in such that bring ``size`` bytes, until the reader says no more."""
    for number in range(20):
        if not card.ended:
            peer.settle(partial(_more, peer, number))
        if len(peer.messages) <= number:
            return
        answer = card.hear(peer.messages[number])
        if answer and not peer.left:
            peer.say(answer, size=size)
        elif card.ended:
            peer.settle(lambda: peer.left, quiet=True)
    reader.expect("the presentation comes to an end", False, "20 messages at most", "another")


def _more(peer: Peer, number: int) -> bool:
    """A message more than so many has come, or none will."""
    return len(peer.messages) > number or STATE_END in peer.state


@case("P-BLE-01", "P-BLE-02", "P-BLE-04", "P-BLE-06",
      nature=Nature.VALID, zh="兩種模式：搜尋或廣播、特徵、訂閱、State 01", channels=AIR,
      each=each_mode)
def test_connection_is_made_ready(reader: ReaderTester, mode: Mode) -> None:
    """In either mode the reader does what its role does, with the service that the engagement names, and takes the card."""
    reader.expect("it has this mode, for the phone chooses", reader.takes(mode), mode.value, "not declared")
    peer, card, service = reader.radio(mode)
    try:
        peer.begin()
    except Ended as e:
        reader.expect("the reader looks for the card", False, "a connection", str(e))
    expect_right_beginning(peer, service)
    _converse(reader, peer, card)
    reader.done(reader.told_on_air())


@case("P-BLE-03", nature=Nature.INVALID, zh="提供之模式須有 UUID；未提供者之 UUID 略過", channels=AIR, each=lambda: {
    "without": Each(({0: True, 1: False}, CLIENT, False), "A mode that is offered without its UUID", "提供卻無 UUID"),
    "other-uuid": Each(({0: True, 1: False, 11: ONE}, CLIENT, False), "With the UUID of the other mode alone",
                       "只有另一模式之 UUID"),
    "not-offered": Each(({0: True, 1: False, 10: ONE, 11: OTHER}, CLIENT, True), "A UUID for a mode that is not offered",
                        "未提供之模式附 UUID", nature=Nature.VALID),
    "none-offered": Each(({0: False, 1: False}, CLIENT, False), "No mode at all", "未提供任何模式"),
})
def test_mode_that_is_offered_has_its_uuid(reader: ReaderTester, tried: tuple[dict[int, object], Mode, bool]) -> None:
    """A mode without its UUID is not used, and the reader says that there is no card; a UUID too many is overlooked."""
    options, mode, taken = tried
    card = reader.scripted(Script(methods=[[2, 1, options]]))
    found = reader.held_before(card, mode)
    if not taken:
        reader.expect("nothing is met", isinstance(found, Peer) is False, "a refusal", "a connection")
        reader.equal("nothing of the card", reader.told_on_air().card_no, "")
        reader.expect("it is refused", reader.told_on_air().code != "0", "a code", "0")
        return
    assert isinstance(found, Peer)
    found.begin()
    expect_right_beginning(found, UUID(bytes=ONE))
    _converse(reader, found, card)
    reader.done(reader.told_on_air())


@case("P-BLE-04", "P-BLE-10", nature=Nature.INVALID, zh="卡片端缺特徵或屬性：斷線", channels=AIR, each=lambda: {
    name: Each(found) for name, found in lacking(CLIENT).items()
})
def test_card_without_a_characteristic_is_left(reader: ReaderTester, found: object) -> None:
    """A card that lacks a characteristic, or one of its properties, is left, and told nothing."""
    peer, _, _ = reader.radio(CLIENT)
    peer.found = found  # type: ignore[assignment]
    peer.begin()
    peer.refused(told=False)
    reader.equal("what the reader wrote", peer.values, [])


@case("P-BLE-07", nature=Nature.LIMIT, zh="片段長度：min(512, MTU - 3)", channels=AIR, each=each_mtu)
def test_chunks_are_full(reader: ReaderTester, tried: tuple[Mode, int]) -> None:
    """The reader's chunks are as long as the link allows, 01 before each but the last, 00 before that."""
    mode, mtu = tried
    peer, card, _ = reader.radio(mode, mtu=mtu)
    peer.begin()
    peer.settle(lambda: bool(peer.messages))
    expect_full_chunks(peer)
    _converse(reader, peer, card)
    reader.done(reader.told_on_air())


@case("P-BLE-08", nature=Nature.VALID, zh="未滿之片段：照收", channels=AIR, each=each_mode)
def test_chunks_that_are_not_full_are_taken(reader: ReaderTester, mode: Mode) -> None:
    """A card that answers in chunks of fifty bytes is taken."""
    peer, card, _ = reader.radio(mode)
    peer.begin()
    _converse(reader, peer, card, 50)
    reader.done(reader.told_on_air())


@case("P-BLE-09", nature=Nature.VALID, zh="讀取者結束會話：用戶端斷線", channels=AIR, each=each_mode)
def test_reader_ends_the_session(reader: ReaderTester, mode: Mode) -> None:
    """When it is done the reader ends the session, by status 20 or State 02; as the client it disconnects after it."""
    peer, card, _ = reader.radio(mode)
    peer.begin()
    _converse(reader, peer, card)
    reader.done(reader.told_on_air())
    reader.expect("it has ended the session", card.ended or STATE_END in peer.state, "status 20, or State 02", "neither")
    if peer.role is GattRole.CLIENT:
        reader.expect("the client disconnects", peer.left, "disconnected", "connected")


@case("P-BLE-10", "P-GEN-08", nature=Nature.INVALID, zh="卡片端違反規則：State 02 並斷線", channels=AIR,
      each=lambda: each_breach(Side.READER))
def test_card_that_breaks_a_rule_is_let_go(reader: ReaderTester, tried: tuple[Mode, Breach]) -> None:
    """A card that breaks a rule hears State 02 where it can, and is disconnected; the next one is taken."""
    mode, breach = tried
    peer, _, _ = reader.radio(mode)
    breach.commit(peer)
    peer.refused(told=breach.told)
    reader.right()


@case("P-BLE-10", nature=Nature.INOPPORTUNE, zh="卡片端結束後又送資料：斷線", channels=AIR, each=lambda: {
    f"{name}-{what}": Each((mode, what)) for name, mode in (("peripheral", CLIENT), ("central", SERVER))
    for what in ("data", "start")
})
def test_card_that_goes_on_after_its_end_is_let_go(reader: ReaderTester, tried: tuple[Mode, str]) -> None:
    """A card that has ended the session and says more is disconnected."""
    mode, what = tried
    peer, _, _ = reader.radio(mode)
    peer.begin()
    peer.need_open()
    peer.value(Name.STATE, STATE_END)
    if what == "data":
        peer.data(b"\0x")
    else:
        peer.value(Name.STATE, STATE_START)
    peer.settle(lambda: peer.left)
    reader.expect("the reader disconnects", peer.left, "disconnected", "connected")
