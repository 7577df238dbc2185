"""What a peer of BLE data retrieval may not do: each breach ends the session, and is told by State 02 where it can be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from virtual_devices.mdoc.ble import BleLink
from virtual_devices.mdoc.ble_chunks import MAX_MESSAGE_BYTES
from virtual_devices.mdoc.ble_events import (
    Disconnect,
    Disconnected,
    Discovered,
    Ended,
    Event,
    Failed,
    IdentRead,
    Notified,
    Opened,
    Output,
    Phase,
    Signal,
    Subscribe,
    Subscribed,
    Written,
)
from virtual_devices.mdoc.ble_gatt import (
    GattRole,
    Mode,
    Name,
    Problem,
    Property,
    Side,
    characteristics,
    ident,
)

from .ble_ends import (
    ALL_ENDS,
    CLIENT_ENDS,
    DOWN,
    SERVER_ENDS,
    STATE,
    UP,
    bring,
    data_of,
    ended,
    spoken,
    told_state_02,
)
from .ble_medium import DEVICE_KEY

SERVERS = pytest.mark.parametrize(("mode", "side"), SERVER_ENDS)
CLIENTS = pytest.mark.parametrize(("mode", "side"), CLIENT_ENDS)


def refused(link: BleLink, event: Event, problem: Problem) -> tuple[Output, ...]:
    """The event is refused for this; whatever the peer does afterwards changes nothing and is not answered."""
    outputs = link.handle(event)
    assert ended(outputs).problem is problem and link.phase is Phase.REFUSED and Disconnect() in outputs
    for later in (spoken(STATE, b"\x02", link), spoken(data_of(link), b"\x00x", link), spoken(STATE, b"junk", link), Failed("x"),
                  Disconnected()):
        assert link.handle(later) == () and link.phase is Phase.REFUSED
    assert link.end() == ()
    return outputs


BREACHES: list[tuple[str, Callable[[BleLink], Event], Problem]] = [
    ("no prefix", lambda link: spoken(data_of(link), b"", link), Problem.EMPTY_CHUNK),
    ("nothing and more", lambda link: spoken(data_of(link), b"\x01", link), Problem.EMPTY_CHUNK),
    ("prefix 02", lambda link: spoken(data_of(link), b"\x02abc", link), Problem.UNKNOWN_PREFIX),
    ("too long a chunk", lambda link: spoken(data_of(link), bytes(183), link), Problem.CHUNK_TOO_LONG),
    ("State 00", lambda link: spoken(STATE, b"\x00", link), Problem.UNKNOWN_STATE),
    ("State empty", lambda link: spoken(STATE, b"", link), Problem.UNKNOWN_STATE),
    ("State 0101", lambda link: spoken(STATE, b"\x01\x01", link), Problem.UNKNOWN_STATE),
    ("State 01 again", lambda link: spoken(STATE, b"\x01", link), Problem.START_MISPLACED),
    ("wrong direction", lambda link: spoken({UP: DOWN, DOWN: UP}[data_of(link)], b"\x00x", link), Problem.WRONG_CHARACTERISTIC),
    ("Ident", lambda link: spoken(Name.IDENT, b"x", link), Problem.WRONG_CHARACTERISTIC),
    ("failed", lambda _: Failed("write not permitted"), Problem.OPERATION_FAILED),
]


@pytest.mark.parametrize(("mode", "side"), ALL_ENDS)
@pytest.mark.parametrize(("name", "event", "problem"), BREACHES, ids=[b[0] for b in BREACHES])
def test_breach_in_an_open_session_is_refused_by_state_02(
    mode: Mode, side: Side, name: str, event: Callable[[BleLink], Event], problem: Problem
) -> None:
    link = bring(mode, side, Phase.OPEN)
    link.handle(spoken(data_of(link), b"\x01half", link))
    outputs = refused(link, event(link), problem)
    assert told_state_02(outputs) and ended(outputs).signal is Signal.STATE and ended(outputs).unfinished_bytes == 4
    assert outputs[-2] == Disconnect()


@pytest.mark.parametrize(("mode", "side"), ALL_ENDS)
def test_message_beyond_the_limit_is_refused(mode: Mode, side: Side) -> None:
    link = bring(mode, side, Phase.OPEN)
    chunk = spoken(data_of(link), b"\x01" + bytes(181), link)
    for _ in range(MAX_MESSAGE_BYTES // 181):
        assert link.handle(chunk) == ()
    assert ended(refused(link, chunk, Problem.MESSAGE_TOO_LONG)).unfinished_bytes == MAX_MESSAGE_BYTES // 181 * 181


@SERVERS
@pytest.mark.parametrize("subscribed", [(), (STATE,), (DOWN,)])
@pytest.mark.parametrize("value", [b"\x01", b"\x02"])
def test_state_before_the_subscriptions_is_refused(mode: Mode, side: Side, subscribed: tuple[Name, ...], value: bytes) -> None:
    link = bring(mode, side, Phase.WAITING)
    for name in subscribed:
        link.handle(Subscribed(name))
    outputs = refused(link, Written(STATE, value), Problem.STATE_BEFORE_SUBSCRIPTION)
    assert told_state_02(outputs) == (STATE in subscribed)  # a client that does not listen cannot be told


@SERVERS
def test_data_before_state_01_is_refused(mode: Mode, side: Side) -> None:
    assert told_state_02(refused(bring(mode, side, Phase.READY), Written(UP, b"\x00x"), Problem.DATA_BEFORE_START))


@CLIENTS
def test_server_that_speaks_before_the_session_is_open_is_refused(mode: Mode, side: Side) -> None:
    link = bring(mode, side, Phase.SUBSCRIBING)
    assert told_state_02(refused(link, Notified(DOWN, b"\x00x"), Problem.DATA_BEFORE_START))
    refused(bring(mode, side, Phase.SUBSCRIBING), Notified(STATE, b"\x01"), Problem.START_MISPLACED)
    refused(bring(mode, side, Phase.TUNING), Notified(STATE, b"\x02"), Problem.STATE_BEFORE_SUBSCRIPTION)


@SERVERS
def test_client_may_change_its_mind_before_but_not_within_the_session(mode: Mode, side: Side) -> None:
    link = bring(mode, side, Phase.READY)
    assert link.handle(Subscribed(DOWN, on=False)) == () and link.phase.value == "waiting"
    assert link.handle(Subscribed(DOWN)) == () and link.phase.value == "ready"
    assert link.handle(Written(STATE, b"\x01")) == (Opened(182),)
    assert link.handle(Subscribed(DOWN)) == ()
    assert told_state_02(refused(link, Subscribed(DOWN, on=False), Problem.UNSUBSCRIBED))


@SERVERS
def test_client_that_no_longer_hears_state_is_not_told(mode: Mode, side: Side) -> None:
    outputs = refused(bring(mode, side, Phase.OPEN), Subscribed(STATE, on=False), Problem.UNSUBSCRIBED)
    assert not told_state_02(outputs) and ended(outputs).signal is Signal.SILENT


@CLIENTS
def test_server_without_all_characteristics_and_properties_is_left(mode: Mode, side: Side) -> None:
    for row in characteristics(mode):
        for missing in row.properties:
            found = {r.uuid: r.properties - ({missing} if r is row else set()) for r in characteristics(mode)}
            link = bring(mode, side, Phase.DISCOVERING)
            outputs = refused(link, Discovered(found), Problem.MISSING_CHARACTERISTIC)
            assert not told_state_02(outputs) and row.name.value in ended(outputs).detail
    refused(bring(mode, side, Phase.DISCOVERING), Discovered({}), Problem.MISSING_CHARACTERISTIC)


@CLIENTS
def test_server_with_more_than_is_needed_is_taken(mode: Mode, side: Side) -> None:
    link = bring(mode, side, Phase.DISCOVERING)
    link.handle(Discovered({row.uuid: frozenset(Property) for m in Mode for row in characteristics(m)}))
    assert not link.phase.final


@pytest.mark.parametrize("value", [b"", ident(DEVICE_KEY)[:-1], ident(DEVICE_KEY) + b"\0", ident(b"another engagement")])
def test_reader_with_another_ident_is_left_without_a_word(value: bytes) -> None:
    link = bring(Mode.CENTRAL_CLIENT, Side.MDOC, Phase.IDENTIFYING)
    outputs = refused(link, IdentRead(value), Problem.WRONG_IDENT)
    assert outputs == (Disconnect(), Ended(Phase.REFUSED, Signal.SILENT, Problem.WRONG_IDENT))


def test_mdoc_subscribes_only_when_ident_is_right() -> None:
    link = bring(Mode.CENTRAL_CLIENT, Side.MDOC, Phase.IDENTIFYING)
    outputs = link.handle(IdentRead(ident(DEVICE_KEY)))
    assert [o.characteristic.name for o in outputs if isinstance(o, Subscribe)] == [STATE, DOWN]


@pytest.mark.parametrize("by_status", [False, True])
@pytest.mark.parametrize("value", [b"\x00x", b"\x01more", b""])
@pytest.mark.parametrize(("mode", "side"), ALL_ENDS)
def test_data_after_the_peers_own_end_is_refused(mode: Mode, side: Side, value: bytes, by_status: bool) -> None:
    link = bring(mode, side, Phase.OPEN)
    first = link.session_ended(by_peer=True) if by_status else link.handle(spoken(STATE, b"\x02", link))
    assert ended(first).phase is Phase.ENDED_BY_PEER and (Disconnect() in first) == (link.role is GattRole.CLIENT)
    assert link.handle(spoken(STATE, b"\x02", link)) == ()  # said twice is no breach
    second = link.handle(spoken(data_of(link), value, link))
    assert ended(second).problem is Problem.DATA_AFTER_END and link.phase.value == "refused"
    if link.role is GattRole.SERVER:  # a client has left by then, and can say nothing more
        assert told_state_02(second) and Disconnect() in second
    else:
        assert len(second) == 1


@pytest.mark.parametrize(("mode", "side"), ALL_ENDS)
@pytest.mark.parametrize(("value", "problem"), [(b"\x01", Problem.DATA_AFTER_END), (b"junk", Problem.UNKNOWN_STATE)])
def test_state_after_the_peers_own_end_is_refused(mode: Mode, side: Side, value: bytes, problem: Problem) -> None:
    link = bring(mode, side, Phase.OPEN)
    link.handle(spoken(STATE, b"\x02", link))
    assert link.handle(Failed("the peer has left")) == () and link.phase is Phase.ENDED_BY_PEER
    assert ended(link.handle(spoken(STATE, value, link))) == Ended(
        Phase.REFUSED, Signal.STATE if link.role is GattRole.SERVER else Signal.SILENT, problem,
        "" if problem is Problem.DATA_AFTER_END else "4 bytes: 6a756e6b",
    )
