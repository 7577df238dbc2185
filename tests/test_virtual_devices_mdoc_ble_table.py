"""One end of BLE data retrieval alone: its table of states, its own ends, and every mistake of a driver."""

from __future__ import annotations

from collections.abc import Callable
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
    Ended,
    Failed,
    IdentRead,
    MtuAgreed,
    Notify,
    Phase,
    Received,
    Signal,
    Subscribed,
    Write,
)
from virtual_devices.mdoc.ble_gatt import (
    BleUsageError,
    GattRole,
    Mode,
    Name,
    Side,
)
from virtual_devices.mdoc.ble_table import OWN_INPUTS, PEER_INPUTS, TRANSITIONS, Input

from .ble_ends import (
    ALL_ENDS,
    CLIENT_ENDS,
    FOUND,
    LIVE,
    PLACES,
    STATE,
    UP,
    bring,
    data_of,
    ended,
    make,
    phases,
    spoken,
    told_state_02,
    way,
)
from .ble_medium import other


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


@pytest.mark.parametrize(("mode", "side"), ALL_ENDS)
def test_what_crosses_our_own_end_is_overheard(mode: Mode, side: Side) -> None:
    link = bring(mode, side, Phase.OPEN)
    assert told_state_02(link.end()) and link.phase is Phase.ENDED_BY_US
    for late in (spoken(data_of(link), b"\x01more", link), spoken(data_of(link), b"", link), spoken(STATE, b"\x02", link)):
        assert link.handle(late) == ()
    assert link.handle(Disconnected()) == () and link.phase.value == "ended by us"


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
    *((m, s, Phase.OPEN, lambda link: link.handle(Subscribed(STATE, on=False))) for m, s in CLIENT_ENDS),
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
