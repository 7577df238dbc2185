"""Flows and their runners: the same flow in the blocking runner, in SimPy and over loopback TCP has the same outcome and rows."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from random import Random
from typing import Any

import pytest
import simpy

from bench.presenting import sample_card
from scenarios.runner import SimClock, perform
from virtual_devices.apdu import Command
from virtual_devices.clock import NS, VirtualClock
from virtual_devices.errors import UsageError
from virtual_devices.faults import Fault, FaultyLink, Injector, Strike
from virtual_devices.flow import All, Ask, Connect, Exchange, Flow, PromptPeople, Receive, Send, Session, Sleep, run
from virtual_devices.link import RESET, Attempt, Device, DirectLink, Link, Outcome, Provenance
from virtual_devices.network import Contact, ContactMedium, ModelledLink
from virtual_devices.reader.transmit import Ended, chip_status
from virtual_devices.reader.visit import read_card_number, read_public
from virtual_devices.trace import ExchangeRow, Row

EPOCH_NS = 1_772_409_600 * NS


def reading(times: int) -> Flow[list[str]]:
    """Read a card's number so many times, with a rest and a person between, two cards side by side at the end."""
    numbers = []
    for _ in range(times):
        handle, public = yield from read_public()
        yield Sleep(0.25)
        answer = yield Ask("clerk", "look at the photograph")
        numbers.append(f"{public.card_no} {answer} {(yield from read_card_number(handle))}")
    both = yield All((read_public("left"), read_public("right")))
    return [*numbers, *(public.card_no for _, public in both)]


def patient_reading(tries: int) -> Flow[str]:
    """As a situation would: after silence or a tear, the card is put in again."""
    for _ in range(tries):
        try:
            _, public = yield from read_public()
            return public.card_no
        except Ended as e:
            assert e.torn
            yield Ask("clerk", "insert card again")
    return "gave up"


def in_blocking(flow: Flow[Any], link: Link, clock: VirtualClock) -> tuple[Any, list[Row]]:
    rows: list[Row] = []
    return run(flow, session(link, clock, rows)), rows


def in_simpy(flow: Flow[Any], make: Callable[[Any], Link]) -> tuple[Any, list[Row]]:
    env = simpy.Environment(0)
    clock = SimClock(env, EPOCH_NS)
    rows: list[Row] = []
    process = env.process(perform(env, flow, session(make(clock), clock, rows)))
    env.run()
    return process.value, rows


def session(link: Link, clock: Any, rows: list[Row]) -> Session:
    people = PromptPeople({"look at the photograph": "alike"})
    return Session({"card": link}, clock, people, rows.append, name="s1", flow="reading", status=chip_status)


def aside(rows: list[Row], *names: str) -> list[dict[str, Any]]:
    """Rows without their times and what else is named."""
    drop = {"at_ns", "duration_ns", "sent_ns", *names}
    return [{k: v for k, v in asdict(row).items() if k not in drop} for row in rows]


class TcpLink:
    """A device at the other end of a loopback connection: 4-byte length and message, each way."""

    channel = "contact"
    device = "tcp"
    provenance = Provenance.MEASURED

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        self._connection.settimeout(timeout_s)
        self._connection.sendall(struct.pack(">I", len(message)) + message)
        return Attempt(Outcome.REPLIED, 1, receive(self._connection))


def receive(connection: socket.socket) -> bytes:
    head = connection.recv(4, socket.MSG_WAITALL)
    if len(head) < 4:
        raise EOFError
    (length,) = struct.unpack(">I", head)
    return connection.recv(length, socket.MSG_WAITALL) if length else b""


@contextmanager
def over_tcp(device: Device) -> Iterator[TcpLink]:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                while True:
                    request = receive(connection)
                    reply = device.handle(request, EPOCH_NS) if request else device.power_on()
                    connection.sendall(struct.pack(">I", len(reply)) + reply)
            except (EOFError, OSError):
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listener, socket.create_connection(listener.getsockname()) as client:
        yield TcpLink(client)
    thread.join(60)


class SystemClock:
    def now_ns(self) -> int:
        return EPOCH_NS


def test_flow_is_the_same_in_both_runners_and_over_tcp() -> None:
    clock = VirtualClock(EPOCH_NS)
    blocking, rows = in_blocking(reading(3), ModelledLink(sample_card(1), ContactMedium(Contact(), Random(1)), clock), clock)
    simulated, sim_rows = in_simpy(reading(3), lambda c: ModelledLink(sample_card(1), ContactMedium(Contact(), Random(1)), c))
    with over_tcp(sample_card(1)) as link:
        wired_rows: list[Row] = []
        wired = run(reading(3), session(link, SystemClock(), wired_rows))
    assert blocking == simulated == wired
    assert len(rows) > 15
    assert rows == sim_rows  # times included: virtual time is virtual time
    names = ("provenance", "device")
    ordered = [sorted(aside(r, *names), key=str) for r in (rows, wired_rows)]
    assert ordered[0] == ordered[1]
    assert aside(rows[:-6], *names) == aside(wired_rows[:-6], *names)  # in order too, up to what runs side by side


def test_flow_under_faults_is_the_same_in_both_runners() -> None:
    faults = (
        Fault("tear", "tear", "card", share=0.15), Fault("lost", "loss_after", "card", share=0.1),
        Fault("bad", "garble", "card", share=0.1),
    )

    def faulty(clock: Any) -> tuple[Link, list[Strike]]:
        card, strikes = sample_card(1), []
        inner = ModelledLink(card, ContactMedium(Contact(), Random(1)), clock)
        return FaultyLink(inner, "card", Injector(faults, EPOCH_NS, Random(7)), clock, strikes, card), strikes

    clock = VirtualClock(EPOCH_NS)
    link, strikes = faulty(clock)
    blocking, rows = in_blocking(patient_reading(20), link, clock)
    sim_strikes: list[list[Strike]] = []

    def make(c: Any) -> Link:
        link, strikes = faulty(c)
        sim_strikes.append(strikes)
        return link

    simulated, sim_rows = in_simpy(patient_reading(20), make)
    assert blocking == simulated == sample_card(1).card_no
    assert rows == sim_rows
    assert [s.fault.id for s in strikes] == [s.fault.id for s in sim_strikes[0]] != []
    struck = {row.outcome for row in rows if isinstance(row, ExchangeRow) and row.fault}
    assert struck <= {"gone", "reply_lost", "garbled"}


def test_exchange_row_says_what_was_asked_and_answered() -> None:
    clock = VirtualClock(EPOCH_NS)
    _, rows = in_blocking(read_public(), DirectLink(sample_card(1), clock), clock)
    reset, select, read = [row for row in rows if isinstance(row, ExchangeRow)]
    assert (reset.step, reset.request, reset.status) == ("power on", RESET, "")
    assert (select.request[:2], select.status, select.outcome) == (b"\x00\xa4", "9000", "replied")
    assert (read.request.hex(), read.reply_bytes, read.status) == ("00ca1100020000", 59, "9000")


def test_masked_role_leaves_no_bytes_in_its_rows() -> None:
    clock = VirtualClock(EPOCH_NS)
    rows: list[Row] = []
    masked = Session({"card": DirectLink(sample_card(1), clock)}, clock, record=rows.append, masked=frozenset({"card"}))
    run(read_public(), masked)
    assert all(isinstance(r, ExchangeRow) and r.request == b"" == r.reply and r.reply_bytes > 0 for r in rows)


def test_flows_side_by_side_take_turns_in_virtual_time() -> None:
    def wait(name: str, *lengths: float) -> Flow[str]:
        for length in lengths:
            yield Sleep(length)
            order.append(name)
        return name

    order: list[str] = []
    clock = VirtualClock(0)

    def both() -> Flow[Any]:
        return (yield All((wait("a", 1, 3), wait("b", 2, 1))))

    assert run(both(), Session({}, clock)) == ("a", "b")
    assert order == ["a", "b", "b", "a"]
    assert clock.now_ns() == 4 * NS


def test_empty_all_ends_at_once() -> None:
    def nothing() -> Flow[Any]:
        return (yield All(()))

    assert run(nothing(), Session({}, VirtualClock(0))) == ()


def test_role_that_is_not_there_is_named() -> None:
    def ask() -> Flow[None]:
        yield Exchange("cloud", b"x", 1.0)

    with pytest.raises(UsageError, match=r"'cloud'.*card"):
        run(ask(), Session({"card": DirectLink(sample_card(1), VirtualClock(0))}, VirtualClock(0)))


class Pigeon:
    """A link that carries messages one way and delivers some of its own: one of two ends."""

    channel = "network"
    device = "pigeon"
    provenance = Provenance.MODELLED

    def __init__(self, clock: Any, delay_ns: int) -> None:
        self._clock = clock
        self._delay_ns = delay_ns
        self._waiting: list[tuple[int, bytes]] = []
        self._wake: Callable[[int], None] | None = None

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        raise AssertionError("nobody asks a pigeon")

    def send(self, message: bytes) -> Attempt:
        """What is sent comes back: an echo after the delay."""
        at_ns = self._clock.now_ns() + self._delay_ns
        self._waiting.append((at_ns, message))
        if self._wake is not None:
            wake, self._wake = self._wake, None
            wake(at_ns)
        return Attempt(Outcome.REPLIED, 5, b"")

    def receive(self, timeout_s: float) -> Attempt:
        if self._waiting and self._waiting[0][0] <= self._clock.now_ns():
            return Attempt(Outcome.REPLIED, 0, self._waiting.pop(0)[1])
        return Attempt(Outcome.TIMED_OUT, 0)

    def when_arriving(self, wake: Callable[[int], None]) -> None:
        if self._waiting:
            wake(self._waiting[0][0])
        else:
            self._wake = wake


def correspond() -> Flow[list[str]]:
    yield Send("card", b"hello")
    got = yield Receive("card", 3.0)
    nothing = yield Receive("card", 2.0)
    return [str(got.reply), nothing.outcome.value]


def test_messages_without_question_in_both_runners() -> None:
    clock = VirtualClock(EPOCH_NS)
    blocking, rows = in_blocking(correspond(), Pigeon(clock, NS), clock)
    simulated, sim_rows = in_simpy(correspond(), lambda c: Pigeon(c, NS))
    assert blocking == simulated == ["b'hello'", "timed_out"]
    assert rows == sim_rows
    assert [r.duration_ns for r in rows if isinstance(r, ExchangeRow)] == [5, NS - 5, 2 * NS]


class Air(Pigeon):
    """A link on which devices are told apart by their engagements."""

    def __init__(self, clock: Any, delay_ns: int) -> None:
        super().__init__(clock, delay_ns)
        self.looked_for: list[tuple[bytes, float]] = []

    def connect_to(self, address: bytes, timeout_s: float) -> Attempt:
        self.looked_for.append((address, timeout_s))
        return Attempt(Outcome.REPLIED, NS, b"")


def meet() -> Flow[bytes]:
    attempt = yield Connect("card", b"engagement", 7.0)
    assert attempt.reply is not None
    return bytes(attempt.reply)


def test_connect_reaches_whom_the_engagement_names_in_both_runners() -> None:
    clock, airs = VirtualClock(EPOCH_NS), list[Air]()

    def air(clock: Any) -> Air:
        airs.append(Air(clock, NS))
        return airs[-1]

    blocking, rows = in_blocking(meet(), air(clock), clock)
    simulated, sim_rows = in_simpy(meet(), air)
    assert blocking == simulated == b"" and rows == sim_rows and clock.now_ns() == EPOCH_NS + NS
    assert [a.looked_for for a in airs] == [[(b"engagement", 7.0)]] * 2
    (row,) = rows
    assert isinstance(row, ExchangeRow)
    assert (row.step, row.request, row.request_bytes, row.duration_ns) == ("connect", b"", 0, NS)


def test_connect_over_a_link_to_one_device_is_its_reset() -> None:
    clock, card = VirtualClock(EPOCH_NS), sample_card(1)
    assert in_blocking(meet(), DirectLink(card, clock), clock)[0] == card.atr


def test_receive_over_a_link_of_questions_is_refused() -> None:
    def listen() -> Flow[None]:
        yield Receive("card", 1.0)

    with pytest.raises(UsageError, match="questions and answers only"):
        run(listen(), Session({"card": DirectLink(sample_card(1), VirtualClock(0))}, VirtualClock(0)))


def test_attempt_has_a_reply_exactly_when_replied() -> None:
    with pytest.raises(ValueError, match="exactly when"):
        Attempt(Outcome.REPLIED, 0)
    with pytest.raises(ValueError, match="exactly when"):
        Attempt(Outcome.GONE, 0, b"")


def test_command_bytes_are_what_the_field_sends() -> None:
    assert Command(0, 0xCA, 0x11, 0, b"\0\0").to_bytes().hex() == "00ca1100020000"
