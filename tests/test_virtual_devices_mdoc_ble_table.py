"""One end of BLE data retrieval alone: its table of states, every breach of a peer, and every mistake of a driver."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.mdoc.ble import BleLink
from virtual_devices.mdoc.ble_chunks import MAX_MESSAGE_BYTES
from virtual_devices.mdoc.ble_events import (
    Connected,
    Disconnect,
    Disconnected,
    Discovered,
    Ended,
    Event,
    Failed,
    IdentRead,
    MtuAgreed,
    Notified,
    Notify,
    Opened,
    Output,
    Phase,
    Received,
    Signal,
    Subscribe,
    Subscribed,
    Write,
    Written,
)
from virtual_devices.mdoc.ble_gatt import (
    BleUsageError,
    GattRole,
    Mode,
    Name,
    Problem,
    Property,
    Side,
    characteristics,
    ident,
)
from virtual_devices.mdoc.ble_table import OWN_INPUTS, PEER_INPUTS, TRANSITIONS, Input

from .ble_medium import DEVICE_KEY, SERVICE, other

STATE, UP, DOWN = Name.STATE, Name.CLIENT_TO_SERVER, Name.SERVER_TO_CLIENT
ALL_ENDS = list(product(Mode, Side))
FOUND = {mode: Discovered({row.uuid: row.properties for row in characteristics(mode)}) for mode in Mode}
LIVE = {role: [p for p in rows if not p.final and p is not Phase.IDLE] for role, rows in TRANSITIONS.items()}


def make(mode: Mode, side: Side) -> BleLink:
    return BleLink(mode, side, SERVICE, DEVICE_KEY)


def way(link: BleLink) -> dict[Phase, Event]:
    """The event that leads out of each phase, for a session that goes well."""
    if link.role is GattRole.SERVER:
        return {Phase.SEEKING: Connected(185), Phase.WAITING: Subscribed(DOWN), Phase.READY: Written(STATE, b"\x01")}
    return {
        Phase.SEEKING: Connected(185), Phase.TUNING: MtuAgreed(185), Phase.DISCOVERING: FOUND[link.mode],
        Phase.IDENTIFYING: IdentRead(ident(DEVICE_KEY)), Phase.SUBSCRIBING: Subscribed(DOWN),
    }


def bring(mode: Mode, side: Side, phase: Phase) -> BleLink:
    """An end that stands in this phase."""
    link = make(mode, side)
    if phase is Phase.IDLE:
        return link
    link.start()
    while link.phase is not phase:
        event = way(link)[link.phase]
        if isinstance(event, Subscribed):
            link.handle(Subscribed(STATE))
        link.handle(event)
    return link


def phases(mode: Mode, role: GattRole) -> list[Phase]:
    return [p for p in LIVE[role] if p is not Phase.IDENTIFYING or mode is Mode.CENTRAL_CLIENT]


PLACES = [(m, s, p) for m, s in ALL_ENDS for p in phases(m, make(m, s).role)]


def spoken(name: Name, value: bytes, link: BleLink) -> Event:
    return Written(name, value) if link.role is GattRole.SERVER else Notified(name, value)


def data_of(link: BleLink) -> Name:
    """The characteristic by which the peer of this end sends data."""
    return UP if link.role is GattRole.SERVER else DOWN


@pytest.mark.parametrize("role", GattRole)
def test_every_phase_of_the_table_is_reached_and_can_be_left(role: GattRole) -> None:
    rows = TRANSITIONS[role]
    reached, edge = {Phase.IDLE}, [Phase.IDLE]
    while edge:
        for after in rows[edge.pop()].values():
            if after not in reached:
                reached.add(after)
                edge.append(after)
    assert reached == set(rows) and {p for p in rows if p.final} == {p for p in Phase if p.final}
    for phase in LIVE[role]:
        assert (rows[phase][Input.END], rows[phase][Input.DISCONNECTED]) == (Phase.ENDED_BY_US, Phase.LOST)


@pytest.mark.parametrize("role", GattRole)
def test_session_that_is_over_stays_over(role: GattRole) -> None:
    for phase in (p for p in Phase if p.final):
        assert set(TRANSITIONS[role][phase]) == set(Input) - {Input.START, Input.SEND}
        assert all(after.final for after in TRANSITIONS[role][phase].values())
    assert set(TRANSITIONS[role][Phase.REFUSED].values()) == {Phase.REFUSED}
    assert not OWN_INPUTS & PEER_INPUTS


@pytest.mark.parametrize(("mode", "side", "phase"), PLACES)
def test_every_live_phase_is_reached_by_a_real_end(mode: Mode, side: Side, phase: Phase) -> None:
    assert bring(mode, side, phase).phase is phase


def ended(outputs: tuple[Output, ...]) -> Ended:
    assert isinstance(outputs[-1], Ended)
    return outputs[-1]


def told_state_02(outputs: tuple[Output, ...]) -> bool:
    return any(isinstance(o, Write | Notify) and (o.characteristic.name, o.value) == (STATE, b"\x02") for o in outputs)


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


SERVERS = pytest.mark.parametrize(("mode", "side"), [e for e in ALL_ENDS if make(*e).role is GattRole.SERVER])
CLIENTS = pytest.mark.parametrize(("mode", "side"), [e for e in ALL_ENDS if make(*e).role is GattRole.CLIENT])


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


@pytest.mark.parametrize(("mode", "side"), ALL_ENDS)
def test_what_crosses_our_own_end_is_overheard(mode: Mode, side: Side) -> None:
    link = bring(mode, side, Phase.OPEN)
    assert told_state_02(link.end()) and link.phase is Phase.ENDED_BY_US
    for late in (spoken(data_of(link), b"\x01more", link), spoken(data_of(link), b"", link), spoken(STATE, b"\x02", link)):
        assert link.handle(late) == ()
    assert link.handle(Disconnected()) == () and link.phase.value == "ended by us"


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


@pytest.mark.parametrize(("mode", "side"), ALL_ENDS)
def test_session_status_ends_without_state_02(mode: Mode, side: Side) -> None:
    link = bring(mode, side, Phase.OPEN)
    outputs = link.session_ended(by_peer=False)
    assert not told_state_02(outputs) and ended(outputs) == Ended(Phase.ENDED_BY_US, Signal.SESSION_STATUS)
    assert link.session_ended(by_peer=False) == link.session_ended(by_peer=True) == link.end() == ()


@pytest.mark.parametrize(("mode", "side", "phase"), PLACES)
def test_giving_up_tells_the_peer_where_it_listens(mode: Mode, side: Side, phase: Phase) -> None:
    link = bring(mode, side, phase)
    outputs = link.end()
    assert told_state_02(outputs) == (phase in (Phase.READY, Phase.OPEN, Phase.SUBSCRIBING))
    assert ended(outputs).signal is (Signal.STATE if told_state_02(outputs) else Signal.SILENT)
    assert (Disconnect() in outputs) == (link.role is GattRole.CLIENT or not told_state_02(outputs))


@pytest.mark.parametrize(("mode", "side", "phase"), PLACES)
def test_connection_that_goes_is_lost_and_late_answers_are_overheard(mode: Mode, side: Side, phase: Phase) -> None:
    link = bring(mode, side, phase)
    late = way(link).get(phase)
    assert link.handle(Disconnected()) == (Ended(Phase.LOST, Signal.SILENT),)
    assert late is None or link.handle(late) == ()
    assert link.phase is Phase.LOST


USAGE: list[tuple[Mode, Side, Phase, Callable[[BleLink], Any]]] = [
    *((m, s, p, lambda link: link.send(b"x")) for m, s, p in PLACES if p is not Phase.OPEN),
    *((m, s, p, lambda link: link.start()) for m, s, p in PLACES),
    *((m, s, p, lambda link: link.session_ended(by_peer=True)) for m, s, p in PLACES if p is not Phase.OPEN),
    *((m, s, p, lambda link: link.handle(Connected())) for m, s, p in PLACES if p is not Phase.SEEKING),
    *((m, s, Phase.SEEKING, lambda link: link.handle(Connected(22))) for m, s in ALL_ENDS),
    *((m, s, Phase.OPEN, lambda link: link.handle(MtuAgreed(22))) for m, s in ALL_ENDS),
    *((m, s, Phase.SEEKING, lambda link: link.handle(MtuAgreed(185))) for m, s in ALL_ENDS),
    *((m, s, Phase.OPEN, lambda link: link.handle(FOUND[link.mode])) for m, s in ALL_ENDS),
    *((m, s, Phase.OPEN, lambda link: link.handle(IdentRead(b""))) for m, s in ALL_ENDS),
    *((m, s, Phase.OPEN, lambda link: link.handle(Subscribed(UP))) for m, s in ALL_ENDS),
    *((m, s, Phase.OPEN, lambda link: link.send(bytes(MAX_MESSAGE_BYTES + 1))) for m, s in ALL_ENDS),
    *((m, s, p, lambda link: link.handle(Subscribed(STATE, on=False))) for m, s, p in PLACES if make(m, s).role is GattRole.CLIENT),
    *((m, s, Phase.IDLE, lambda link: link.send(b"x")) for m, s in ALL_ENDS),
    *((m, s, Phase.IDLE, lambda link: link.handle(Disconnected())) for m, s in ALL_ENDS),
    *((m, s, Phase.IDLE, lambda link: link.handle(Failed("x"))) for m, s in ALL_ENDS),
    *((m, s, Phase.IDLE, lambda link: link.handle(spoken(STATE, b"\x01", link))) for m, s in ALL_ENDS),
    *((m, s, Phase.OPEN, lambda link: link.handle(spoken(UP, b"\0", make(link.mode, other(link.side))))) for m, s in ALL_ENDS),
]


@pytest.mark.parametrize(("mode", "side", "phase", "act"), USAGE)
def test_our_own_mistakes_are_told_and_change_nothing(
    mode: Mode, side: Side, phase: Phase, act: Callable[[BleLink], Any]
) -> None:
    link = bring(mode, side, phase)
    with pytest.raises(BleUsageError):
        act(link)
    assert link.phase is phase
    assert ended(link.end()).phase is Phase.ENDED_BY_US


@pytest.mark.parametrize(("mode", "side"), ALL_ENDS)
def test_nothing_is_sent_once_the_session_is_over(mode: Mode, side: Side) -> None:
    link = bring(mode, side, Phase.OPEN)
    link.handle(spoken(STATE, b"\x02", link))
    with pytest.raises(BleUsageError, match="cannot 'send a message'"):
        link.send(b"x")


@pytest.mark.parametrize(("mode", "side"), ALL_ENDS)
def test_mtu_agreed_late_counts_from_then_on(mode: Mode, side: Side) -> None:
    link = bring(mode, side, Phase.OPEN)
    assert len(link.send(bytes(500))) == 3
    assert link.handle(MtuAgreed(515)) == () and len(link.send(bytes(500))) == 1
    assert link.handle(spoken(data_of(link), bytes(512), link)) == (Received(bytes(511), 1, False),)


VALUE = st.binary(max_size=3) | st.binary(max_size=30).map(b"\x01".__add__) | st.binary(min_size=180, max_size=600)
PEERS_DOING = st.one_of(
    st.tuples(st.sampled_from(Name), VALUE), st.sampled_from([Failed("no"), Disconnected()]),
    st.tuples(st.just(STATE), st.sampled_from([b"\x01", b"\x02"])),
)


@pytest.mark.parametrize(("mode", "side"), ALL_ENDS)
@given(data=st.data())
def test_no_doing_of_a_peer_raises_in_any_phase(mode: Mode, side: Side, data: st.DataObject) -> None:
    link = bring(mode, side, data.draw(st.sampled_from(phases(mode, make(mode, side).role))))
    ends = 0
    for doing in data.draw(st.lists(PEERS_DOING, min_size=1, max_size=12)):
        event = spoken(doing[0], doing[1], link) if isinstance(doing, tuple) else doing
        before = link.phase
        outputs = link.handle(event)
        ends += sum(isinstance(o, Ended) for o in outputs)
        assert link.phase.final or not before.final
        assert link.phase is before or not before.final or (before, link.phase) == (Phase.ENDED_BY_PEER, Phase.REFUSED)
        assert sum(isinstance(o, Disconnect) for o in outputs) <= 1
        if link.phase is Phase.LOST and before is not Phase.LOST:
            assert not any(isinstance(o, Write | Notify | Disconnect) for o in outputs)
    assert (ends > 0) == link.phase.final and ends <= 2
