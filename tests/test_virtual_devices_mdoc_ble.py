"""BLE data retrieval: both ends against each other in both modes, over a connection that is good, breaks, or brings nonsense."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtual_devices.mdoc.ble_chunks import airtime_plan, chunks, value_bytes
from virtual_devices.mdoc.ble_events import (
    Advertise,
    Disconnect,
    Discover,
    Ended,
    Event,
    Notified,
    Notify,
    Opened,
    Phase,
    ReadIdent,
    Received,
    RequestMtu,
    Scan,
    Signal,
    Subscribe,
    Write,
    Written,
)
from virtual_devices.mdoc.ble_gatt import GattRole, Mode, Name, Problem, Side, characteristic, characteristics, ident
from virtual_devices.randomness import ByteStream

from .ble_medium import DEVICE_KEY, SERVICE, Medium, ends, other, session

MODES = pytest.mark.parametrize("mode", Mode)
ENDERS = pytest.mark.parametrize("ender", Side)
MTUS = st.integers(23, 517) | st.sampled_from([23, 24, 185, 515, 516, 517])
MESSAGES = (
    st.binary(max_size=60) | st.binary(min_size=3000, max_size=7000)
    | st.integers(15_000, 20_000).map(lambda n: ByteStream("message", n)(n))
)
REQUEST, RESPONSE = bytes(range(60)), bytes(range(200, 0, -1))
"""Of several chunks at MTU 23, each with bytes of its own."""
ASKING = session(REQUEST, RESPONSE, Side.READER)
VALUES = (Written, Notified)


@MODES
@ENDERS
@pytest.mark.parametrize("by_status", [False, True])
@settings(max_examples=30)  # times eight combinations
@given(request=MESSAGES, response=MESSAGES, mtu=MTUS)
def test_messages_arrive_and_both_ends_know_who_ended(
    mode: Mode, ender: Side, by_status: bool, request: bytes, response: bytes, mtu: int
) -> None:
    medium = Medium(ends(mode), mtu, answer=session(request, response, ender, by_status=by_status))
    medium.run()
    assert medium.received(Side.MDOC)[0] == request and medium.received(Side.READER)[0] == response
    signal = Signal.SESSION_STATUS if by_status else Signal.STATE
    assert medium.notices(ender)[-1] == Ended(Phase.ENDED_BY_US, signal)
    assert medium.notices(other(ender))[-1] == Ended(Phase.ENDED_BY_PEER, signal)
    assert medium.severed and all(len(v) <= value_bytes(mtu) for side in Side for v in medium.values(side))


@MODES
@given(size=st.integers(0, 20_000), mtu=MTUS)
def test_airtime_plan_is_what_the_two_ends_send(mode: Mode, size: int, mtu: int) -> None:
    medium = Medium(ends(mode), mtu, answer=session(b"request", bytes(size), Side.READER))
    medium.run()
    data = Name.CLIENT_TO_SERVER if medium.links[Side.MDOC].role is GattRole.CLIENT else Name.SERVER_TO_CLIENT
    sent = [o.value for o in medium.said[Side.MDOC] if isinstance(o, Write | Notify) and o.characteristic.name is data]
    plan = airtime_plan(size, mtu)
    assert (len(sent), sum(map(len, sent))) == (plan.packets, plan.value_bytes)


def test_actions_of_central_client_mode_in_order() -> None:
    mode = Mode.CENTRAL_CLIENT
    medium = Medium(ends(mode), 185, answer=session(b"request", b"response", Side.READER))
    medium.run()
    state, up, down = (characteristic(mode, n) for n in (Name.STATE, Name.CLIENT_TO_SERVER, Name.SERVER_TO_CLIENT))
    assert medium.said[Side.MDOC] == [
        Scan(SERVICE), RequestMtu(515), Discover(SERVICE), ReadIdent(characteristic(mode, Name.IDENT)), Subscribe(state),
        Subscribe(down), Write(state, b"\x01"), Opened(182), Received(b"request", 1, False), Write(up, b"\x00response"),
        Disconnect(), Ended(Phase.ENDED_BY_PEER, Signal.STATE),
    ]
    assert medium.said[Side.READER] == [
        Advertise(SERVICE, characteristics(mode), ident(DEVICE_KEY)), Opened(182), Notify(down, b"\x00request"),
        Received(b"response", 1, False), Notify(state, b"\x02"), Ended(Phase.ENDED_BY_US, Signal.STATE),
    ]


def test_actions_of_peripheral_server_mode_in_order() -> None:
    mode = Mode.PERIPHERAL_SERVER
    medium = Medium(ends(mode), 517, answer=session(b"request", b"response", Side.READER))
    medium.run()
    state, up, down = (characteristic(mode, n) for n in (Name.STATE, Name.CLIENT_TO_SERVER, Name.SERVER_TO_CLIENT))
    assert medium.said[Side.READER] == [
        Scan(SERVICE), RequestMtu(515), Discover(SERVICE), Subscribe(state), Subscribe(down), Write(state, b"\x01"), Opened(512),
        Write(up, b"\x00request"), Received(b"response", 1, False), Write(state, b"\x02"), Disconnect(),
        Ended(Phase.ENDED_BY_US, Signal.STATE),
    ]
    assert medium.said[Side.MDOC] == [
        Advertise(SERVICE, characteristics(mode), None), Opened(512), Received(b"request", 1, False),
        Notify(down, b"\x00response"), Ended(Phase.ENDED_BY_PEER, Signal.STATE),
    ]


def steps(mode: Mode, ender: Side) -> int:
    """Deliveries of a whole session at MTU 23."""
    medium = Medium(ends(mode), 23, answer=session(REQUEST, RESPONSE, ender))
    medium.run()
    return medium.step


@MODES
@ENDERS
def test_connection_that_breaks_at_any_step_leaves_both_ends_clear(mode: Mode, ender: Side) -> None:
    phases, unfinished = set(), set()
    total = steps(mode, ender)
    for at in range(1, total + 1):
        medium = Medium(ends(mode), 23, answer=session(REQUEST, RESPONSE, ender))

        def cut(step: int, side: Side, event: Event, at: int = at, medium: Medium = medium) -> Iterable[Event]:
            if step == at:
                medium.sever()
                return ()
            return (event,)

        medium.tamper = cut
        medium.run()
        for side in Side:
            last = medium.notices(side)[-1]
            assert isinstance(last, Ended) and last.phase is medium.links[side].phase and last.phase.final
            assert last.phase is not Phase.REFUSED
            phases.add(last.phase)
            unfinished.add(last.unfinished_bytes > 0)
            assert medium.received(side) in ([], [REQUEST if side is Side.MDOC else RESPONSE])
    assert phases == {Phase.LOST, Phase.ENDED_BY_US, Phase.ENDED_BY_PEER} and unfinished == {True, False}


@MODES
def test_user_who_gives_up_at_any_step_leaves_both_ends_clear(mode: Mode) -> None:
    for quitter in Side:
        for at in range(1, steps(mode, Side.READER) + 1):
            medium = Medium(ends(mode), 23, answer=ASKING)

            def leave(step: int, side: Side, event: Event, at: int = at, medium: Medium = medium,
                      quitter: Side = quitter) -> Iterable[Event]:
                if step == at and not medium.links[quitter].phase.final:
                    medium.carry_out(quitter, medium.links[quitter].end())
                return (event,)

            medium.tamper = leave
            medium.run()
            assert all(link.phase.final and link.phase is not Phase.REFUSED for link in medium.links.values())
            assert medium.severed


def value_steps(mode: Mode) -> list[int]:
    """The deliveries at MTU 23 that are values."""
    found: list[int] = []

    def note(step: int, side: Side, event: Event) -> Iterable[Event]:
        if isinstance(event, VALUES):
            found.append(step)
        return (event,)

    Medium(ends(mode), 23, note, ASKING).run()
    return found


def outcomes(medium: Medium) -> set[Problem | None]:
    """The problems told. Nothing raised on the way here, and an end that is not over is open and silent."""
    told: set[Problem | None] = set()
    for side, link in medium.links.items():
        last = [n for n in medium.notices(side) if isinstance(n, Ended)]
        assert bool(last) == link.phase.final
        told |= {n.problem for n in last}
        if last and last[-1].problem is not None:
            assert link.phase is Phase.REFUSED
    return told


@MODES
@pytest.mark.parametrize("kind", ["lost", "doubled", "swapped"])
def test_value_lost_doubled_or_out_of_order_leaves_both_ends_clear(mode: Mode, kind: str) -> None:
    """What is seen here is refused; the rest is the session encryption's, or silence: see the docstring of ble_chunks."""
    seen: set[Problem | None] = set()
    for at in value_steps(mode):
        held: list[Event] = []

        def tamper(step: int, side: Side, event: Event, at: int = at, held: list[Event] = held) -> Iterable[Event]:
            if step == at:
                if kind == "swapped":
                    held.append(event)
                return {"lost": (), "doubled": (event, event), "swapped": ()}[kind]
            if held and isinstance(event, VALUES):
                return (event, held.pop())
            return (event,)

        medium = Medium(ends(mode), 23, tamper, ASKING)
        medium.run()
        seen |= outcomes(medium)
    started: dict[tuple[Mode, str], Problem] = {  # the reader that starts by State 01 sends on at once; the mdoc waits
        (Mode.PERIPHERAL_SERVER, "lost"): Problem.DATA_BEFORE_START,
        (Mode.PERIPHERAL_SERVER, "swapped"): Problem.DATA_BEFORE_START,
        (Mode.PERIPHERAL_SERVER, "doubled"): Problem.START_MISPLACED,
        (Mode.CENTRAL_CLIENT, "doubled"): Problem.START_MISPLACED,
    }
    assert seen - {None} == {started[mode, kind]} if (mode, kind) in started else seen == {None}


@MODES
def test_bit_flipped_anywhere_is_refused_or_changes_the_message(mode: Mode) -> None:
    seen: set[Problem | None] = set()
    for at in value_steps(mode):
        for bit in range(16):

            def flip(step: int, side: Side, event: Event, at: int = at, bit: int = bit) -> Iterable[Event]:
                if step != at or not isinstance(event, VALUES):
                    return (event,)
                value = bytearray(event.value)
                value[bit // 8 % len(value)] ^= 1 << bit % 8
                return (type(event)(event.name, bytes(value)),)

            medium = Medium(ends(mode), 23, flip, ASKING)
            medium.run()
            told = outcomes(medium)
            seen |= told
            whole = (medium.received(Side.MDOC), medium.received(Side.READER)) == ([REQUEST], [RESPONSE])
            ended_early = any(link.phase is Phase.ENDED_BY_PEER for link in medium.links.values())
            assert not whole or told != {None} or ended_early
    assert {Problem.UNKNOWN_PREFIX, Problem.UNKNOWN_STATE} <= seen


@MODES
@given(data=st.data())
def test_anything_at_all_on_the_way_leaves_both_ends_clear(mode: Mode, data: st.DataObject) -> None:
    fate = st.sampled_from(["lost", "doubled", "junk", "long", "other"])
    fates = data.draw(st.dictionaries(st.integers(1, 60), fate, max_size=6))
    junk = data.draw(st.binary(max_size=40))

    def tamper(step: int, side: Side, event: Event) -> Iterable[Event]:
        if not isinstance(event, VALUES):
            return (event,)
        match fates.get(step):
            case "lost":
                return ()
            case "doubled":
                return (event, event)
            case "junk":
                return (type(event)(event.name, junk),)
            case "long":
                return (type(event)(event.name, event.value + bytes(600)),)
            case "other":
                return (type(event)(list(Name)[step % 4], event.value),)
            case _:
                return (event,)

    medium = Medium(ends(mode), 23, tamper, ASKING)
    medium.run()
    outcomes(medium)


@MODES
def test_peer_with_short_chunks_is_understood_and_it_shows(mode: Mode) -> None:
    medium = Medium(ends(mode), 515)
    medium.run()
    mdoc = medium.links[Side.MDOC]
    event, name = (Written, Name.CLIENT_TO_SERVER) if mdoc.role is GattRole.SERVER else (Notified, Name.SERVER_TO_CLIENT)
    outputs = [o for value in chunks(bytes(500), 185) for o in mdoc.handle(event(name, value))]
    assert outputs == [Received(bytes(500), 3, True)]
